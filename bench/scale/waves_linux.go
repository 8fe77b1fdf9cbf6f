package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A field is all processes of a run and what was last heard of them.
type field struct {
	settings
	out     io.Writer
	servers []*process
	clients []*process
	began   time.Time
	at      time.Time // of the line before
	last    picture   // of the line before
	phase   string
}

// A picture is what all processes say of themselves at a moment.
type picture struct {
	servers []serverCounts
	clients []clientCounts
	usages  []usage // of the servers
	server  serverCounts
	client  clientCounts
	usage   usage
}

// openField starts all processes.
func openField(s *settings, out io.Writer, serverCore, clientCore int) (*field, error) {
	f := &field{settings: *s, out: out, began: time.Now(), at: time.Now()}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	f.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	for range f.Servers {
		p, err := start("server", serverCore, &f.settings)
		if err != nil {
			f.close()
			return nil, err
		}
		f.servers = append(f.servers, p)
		if err := p.tell(order{}, new(serverCounts)); err != nil { // it answers once it listens
			f.close()
			return nil, err
		}
	}
	for i := range f.Clients {
		mine := f.settings
		mine.First = i * f.Conns / f.Clients
		mine.Conns = (i+1)*f.Conns/f.Clients - mine.First
		mine.Rate = 0
		p, err := start("client", clientCore, &mine)
		if err != nil {
			f.close()
			return nil, err
		}
		f.clients = append(f.clients, p)
	}
	return f, nil
}

// freePort finds a port that is free: below those that connections come from.
func freePort() (int, error) {
	for port := 18_000; port < 32_000; port++ {
		ln, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, ln.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return 0, err
		}
	}
	return 0, unix.EADDRINUSE
}

func (f *field) close() {
	for _, p := range f.clients {
		p.stop()
	}
	for _, p := range f.servers {
		p.stop()
	}
}

// order gives all servers, or all clients, an order.
func (f *field) order(to []*process, o order) error {
	for _, p := range to {
		var ignored struct{}
		if err := p.tell(o, &ignored); err != nil {
			return err
		}
	}
	return nil
}

// look takes a picture.
func (f *field) look() (*picture, error) {
	v := &picture{}
	for _, p := range f.clients {
		var c clientCounts
		if err := p.tell(order{Do: "look"}, &c); err != nil {
			return nil, err
		}
		v.clients = append(v.clients, c)
		v.client.Open += c.Open
		v.client.Dying += c.Dying
		v.client.Opened += c.Opened
		v.client.Sent += c.Sent
		v.client.Echoed += c.Echoed
		v.client.Died.add(&c.Died)
		v.client.Slowest = max(v.client.Slowest, c.Slowest)
		v.client.Strange = append(v.client.Strange, c.Strange...)
		v.client.Errors += c.Errors
	}
	for _, p := range f.servers {
		var s serverCounts
		if err := p.tell(order{Do: "look"}, &s); err != nil {
			return nil, err
		}
		v.servers = append(v.servers, s)
		v.server.Len += s.Len
		v.server.Opened += s.Opened
		v.server.Closed += s.Closed
		v.server.Messages += s.Messages
		v.server.Ended.add(&s.Ended)
		v.server.Strange = append(v.server.Strange, s.Strange...)
		v.server.Errors += s.Errors
		v.server.Goroutines += s.Goroutines
		v.server.Heap += s.Heap
		v.server.Stacks += s.Stacks
		u, err := p.usage()
		if err != nil {
			return nil, err
		}
		v.usages = append(v.usages, u)
		v.usage.rss += u.rss
		v.usage.cpu += u.cpu
		v.usage.user += u.user
		v.usage.kernel += u.kernel
		v.usage.files += u.files
	}
	return v, nil
}

// settled has the servers give up what they don't need and takes a picture.
func (f *field) settled() (*picture, error) {
	if err := f.order(f.servers, order{Do: "settle"}); err != nil {
		return nil, err
	}
	return f.look()
}

// line takes a picture and prints it.
func (f *field) line() (*picture, error) {
	v, err := f.look()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	seconds := now.Sub(f.at).Seconds()
	lens := make([]int, len(v.servers))
	for i := range v.servers {
		lens[i] = v.servers[i].Len
	}
	fmt.Fprintf(f.out, "%4.0fs %-6s open %6d = %v, dying %d; messages %d (%.0f/s, slowest %d ms); died:%s; errors %d; "+
		"rss %d MB, heap %d MB, stacks %d MB, goroutines %d, files %d, cpu %.0f %%\n",
		now.Sub(f.began).Seconds(), f.phase, v.client.Open, lens, v.client.Dying,
		v.client.Echoed, float64(v.client.Echoed-f.last.client.Echoed)/seconds, v.client.Slowest/1e6,
		" "+v.client.Died.String(), v.client.Errors+v.server.Errors,
		v.usage.rss>>20, v.server.Heap>>20, v.server.Stacks>>20, v.server.Goroutines, v.usage.files,
		float64(v.usage.cpu-f.last.usage.cpu)/1e7/seconds)
	f.at, f.last = now, *v
	return v, nil
}

// until prints lines until done, or until patience ends.
func (f *field) until(phase string, patience time.Duration, done func(v *picture) bool) error {
	f.phase = phase
	end := time.Now().Add(patience)
	for {
		v, err := f.look()
		if err != nil || done(v) {
			return err
		}
		if time.Since(f.at) > f.Every {
			if _, err := f.line(); err != nil {
				return err
			}
		}
		if time.Now().After(end) {
			fmt.Fprintf(f.out, "%s: not done after %v\n", phase, patience)
			return nil // the counts will tell
		}
		time.Sleep(min(f.Every/4, time.Second))
	}
}
