package main

import (
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	long = 5 * time.Minute // for what should take seconds

	// slack is the resident memory that a process may have more than before when
	// all connections are gone, and spare what it may have for each connection
	// that it had: free lists, tables, spans that are not quite empty.
	slack = 6 << 20
	spare = 300

	growth = 1.1 // how much more memory connections may take after the waves
)

var errVerdict = errors.New("not everything is as it should be")

// runWaves runs it all, and returns an error if anything is not as it should be.
func runWaves(s *settings, out io.Writer) error {
	s.Flight = 0
	f, err := openField(s, out, -1, -1)
	if err != nil {
		return err
	}
	defer f.close()
	fmt.Fprintf(out, "%d connections, %d servers, %d clients, at %s\n", f.Conns, f.Servers, f.Clients, f.Addr)
	v := &verdict{out: out}
	if v.before, err = f.settled(); err != nil {
		return err
	}
	if v.first, err = f.full(); err != nil {
		return err
	}
	v.memory("at first, all open", v.before, v.first)
	if err := f.waves(); err != nil {
		return err
	}
	if v.second, err = f.full(); err != nil {
		return err
	}
	v.memory("after the waves, all open", v.before, v.second)
	if v.after, err = f.end(); err != nil {
		return err
	}
	v.memory("at the end", v.before, v.after)
	return v.pronounce()
}

// full waits until all connections are open and nothing is under way.
func (f *field) full() (*picture, error) {
	if err := f.order(f.clients, order{Do: "fill"}); err != nil {
		return nil, err
	}
	if err := f.until("fill", long, func(v *picture) bool { return v.client.Open == f.Conns && v.server.Len == f.Conns }); err != nil {
		return nil, err
	}
	if err := f.order(f.clients, order{Do: "rate"}); err != nil {
		return nil, err
	}
	if err := f.until("rest", long, func(v *picture) bool { return v.client.Sent == v.client.Echoed }); err != nil {
		return nil, err
	}
	if _, err := f.settled(); err != nil {
		return nil, err
	}
	return f.line()
}

// waves lets the connections talk, and many die again and again.
func (f *field) waves() error {
	f.phase = "waves"
	if err := f.order(f.clients, order{Do: "rate", Rate: f.Rate}); err != nil {
		return err
	}
	wave := time.Now()
	for end := f.began.Add(f.Duration); time.Now().Before(end); {
		time.Sleep(min(f.Every, time.Until(end)))
		if time.Since(wave) >= f.Wave {
			wave = time.Now()
			if err := f.order(f.clients, order{Do: "die", Part: f.Share}); err != nil {
				return err
			}
		}
		if _, err := f.line(); err != nil {
			return err
		}
	}
	return nil
}

// end lets half of the connections die, and has the servers close the others.
func (f *field) end() (*picture, error) {
	if err := errors.Join(f.order(f.clients, order{Do: "hold"}), f.order(f.clients, order{Do: "die", Part: 0.5})); err != nil {
		return nil, err
	}
	if err := f.until("die", long, func(v *picture) bool { return v.client.Dying == 0 && v.server.Len == v.client.Open }); err != nil {
		return nil, err
	}
	if err := f.order(f.servers, order{Do: "close"}); err != nil {
		return nil, err
	}
	if err := f.until("close", long, func(v *picture) bool { return v.client.Dying+v.client.Open+v.server.Len == 0 }); err != nil {
		return nil, err
	}
	if _, err := f.settled(); err != nil {
		return nil, err
	}
	return f.line()
}

// A verdict is what the counts of a run say.
type verdict struct {
	out                          io.Writer
	before, first, second, after *picture
	failed                       bool
}

func (v *verdict) memory(when string, before, now *picture) {
	fmt.Fprintf(v.out, "%s: %d connections, %d bytes of resident memory more than before", when, now.server.Len, now.usage.rss-before.usage.rss)
	if now.server.Len > 0 {
		fmt.Fprintf(v.out, ", %d each", (now.usage.rss-before.usage.rss)/int64(now.server.Len))
	}
	fmt.Fprintln(v.out)
}

func (v *verdict) check(ok bool, format string, args ...any) {
	word := "ok    "
	if !ok {
		word = "FAILED"
		v.failed = true
	}
	fmt.Fprintf(v.out, "%s %s\n", word, fmt.Sprintf(format, args...))
}

func (v *verdict) pronounce() error {
	s, c, b := &v.after.server, &v.after.client, v.before
	v.check(c.Errors+s.Errors == 0, "errors: %d %q, %d %q", c.Errors, c.Strange, s.Errors, s.Strange)
	v.check(c.Sent == c.Echoed && c.Sent == s.Messages && c.Sent > 0, "messages: %d sent, %d received, %d echoed", c.Sent, s.Messages, c.Echoed)
	v.check(c.Opened == s.Opened && c.Opened == s.Closed, "connections: %d connected, %d Open, %d Close", c.Opened, s.Opened, s.Closed)
	v.check(c.Died.seen() == s.Ended && c.Died.sum() == c.Opened, "deaths: %v; seen by the servers: %v", c.Died, s.Ended)
	v.check(c.Open+c.Dying+s.Len == 0, "left: %d open, %d dying, Len %d", c.Open, c.Dying, s.Len)
	for i := range v.after.servers {
		was, is := &b.servers[i], &v.after.servers[i]
		v.check(is.Goroutines <= was.Goroutines, "server %d: %d goroutines before, %d after", i, was.Goroutines, is.Goroutines)
		x, y := &b.usages[i], &v.after.usages[i]
		v.check(y.files <= x.files, "server %d: %d descriptors before, %d after", i, x.files, y.files)
		if raceEnabled {
			continue // the detector has memory of its own for all that is touched
		}
		bound := x.rss + slack + spare*int64(v.first.servers[i].Len)
		v.check(y.rss <= bound, "server %d: %d KB resident before, %d after; at most %d", i, x.rss>>10, y.rss>>10, bound>>10)
		bound = x.rss + int64(growth*float64(v.first.usages[i].rss-x.rss)) + slack
		v.check(v.second.usages[i].rss <= bound, "server %d: %d KB resident with all connections, %d after the waves; at most %d",
			i, v.first.usages[i].rss>>10, v.second.usages[i].rss>>10, bound>>10)
	}
	if v.failed {
		return errVerdict
	}
	return nil
}
