package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/seed86893212/websocket/bench/internal/sock"
	"github.com/seed86893212/websocket/bench/internal/wire"
	"golang.org/x/sys/unix"
)

// The states of a client's connection.
const (
	stateNone = iota
	stateConnecting
	stateUpgrading
	stateOpen
	stateDraining // it dies when all echoes have come
	stateDying    // it waits for the server's part in it
)

var stateNames = [...]string{"none", "connecting", "upgrading", "open", "draining", "dying"}

// errDead says that a connection has died as it should.
var errDead = errors.New("dead")

// A conn is one connection of a client.
type conn struct {
	fd       int
	index    int
	state    int
	manner   manner
	ring     *wire.Ring
	next     int // message of ring that is sent next
	echo     wire.Echo
	waiting  int   // messages that have not come back
	since    int64 // when they were sent
	due      int64 // when the next are sent
	patience int64 // until when what is waited for must have come

	head    []byte // of an answer to the handshake that has not come whole
	out     []byte // what the socket had no room for
	answers []byte // frames that answer control frames
	closed  int    // the status code of the server's close frame
}

// begin connects from a source address that is the connection's own.
func (c *conn) begin(g *client, index int) error {
	*c = conn{fd: -1, index: index, state: stateConnecting, patience: g.now + int64(patience)}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c.fd = fd
	if err := errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: sock.Source(g.First + index)}),
	); err != nil {
		return fmt.Errorf("before connecting: %w", err)
	}
	if err := unix.Connect(fd, &g.to); err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connect: %w", err)
	}
	return g.poll.Add(fd, index, unix.EPOLLOUT)
}

// happened does what an event asks for.
func (c *conn) happened(g *client, events uint32) error {
	switch {
	case c.state == stateNone: // an event of the connection that had this place
		return nil
	case c.state == stateConnecting:
		return c.connected(g)
	}
	if events&unix.EPOLLOUT != 0 {
		if err := c.flush(g); err != nil {
			return err
		}
	}
	if events&^unix.EPOLLOUT == 0 {
		return nil
	}
	n, errno := sock.Recv(c.fd, g.buf)
	switch {
	case errno == syscall.EAGAIN:
		return nil
	case errno == 0 && n > 0:
		return c.received(g, g.buf[:n])
	case c.state != stateDying, errno != 0 && errno != syscall.ECONNRESET:
		return fmt.Errorf("the server has closed the connection: %w", errno)
	case c.closed == 0 && (c.manner == byClose || c.manner == byServer):
		return errors.New("no close frame came")
	}
	return errDead
}

// connected sends the request.
func (c *conn) connected(g *client) error {
	if n, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || n != 0 {
		return fmt.Errorf("connect: %w", errors.Join(err, syscall.Errno(n)))
	}
	if err := g.poll.Change(c.fd, c.index, unix.EPOLLIN); err != nil {
		return err
	}
	c.state = stateUpgrading
	return c.send(g, g.request)
}

// received takes in what has come.
func (c *conn) received(g *client, p []byte) error {
	if c.state == stateUpgrading {
		all := append(c.head, p...)
		end, err := wire.Response(all)
		if err != nil {
			return err
		}
		if end == 0 {
			c.head = all
			return nil
		}
		c.head = nil
		c.opened(g)
		p = all[end:]
	}
	done, err := c.echo.Feed(p)
	if err != nil {
		return err
	}
	if done > c.waiting {
		return errors.New("a message that was not sent")
	}
	g.counts.Echoed += uint64(done)
	if c.waiting -= done; done > 0 && c.waiting == 0 {
		g.counts.Slowest = max(g.counts.Slowest, g.now-c.since)
	}
	if done > 0 && g.flying {
		g.fly()
	}
	return c.answer(g)
}

// opened gets the connection ready for messages.
func (c *conn) opened(g *client) {
	g.begun--
	g.ready++
	g.counts.Opened++
	c.state = stateOpen
	c.ring = g.rings[0]
	switch {
	case g.Flight > 0: // all alike
	case c.index%64 == 0:
		c.ring = g.rings[2]
	case c.index%8 == 1:
		c.ring = g.rings[1]
	}
	c.next = rand.IntN(len(c.ring.Payloads))
	c.echo.Control = c.control
	c.echo.Reset(c.ring, c.next)
	c.due = g.now + g.interval(1)
}

// control notes what a control frame asks for.
func (c *conn) control(opcode byte, payload []byte) error {
	switch {
	case opcode == wire.Ping && c.state != stateDying:
		c.answers = wire.AppendMasked(c.answers, wire.Pong, payload, rand.Uint32())
	case opcode == wire.Close && len(payload) >= 2:
		c.closed = int(binary.BigEndian.Uint16(payload))
	}
	return nil
}

// answer answers control frames, and a close frame that was the server's idea.
func (c *conn) answer(g *client) error {
	if c.closed != 0 && c.state != stateDying {
		if c.closed != 1001 {
			return fmt.Errorf("the server closes with %d", c.closed)
		}
		if c.state == stateOpen {
			g.ready--
			g.dying++
		}
		c.state, c.manner, c.patience = stateDying, byServer, g.now+int64(patience)
		c.answers = wire.AppendMasked(c.answers, wire.Close, []byte{1001 >> 8, 1001 & 0xff}, rand.Uint32())
	}
	if len(c.answers) == 0 {
		return nil
	}
	p := c.answers
	c.answers = nil
	return c.send(g, p)
}

// say sends messages, unless some have not come back yet.
func (c *conn) say(g *client) error {
	if c.waiting > 0 {
		if g.now > c.since+int64(patience) {
			return errors.New("no echo came")
		}
		return nil
	}
	n := 1
	if g.Rate > 0 {
		n += rand.IntN(c.ring.Run)
	}
	from := c.ring.Start(c.next)
	to := from
	for i := range n {
		to += c.ring.Frame((c.next + i) % len(c.ring.Payloads))
	}
	p := c.ring.Frames[from:to]
	c.next = (c.next + n) % len(c.ring.Payloads)
	c.waiting, c.since = n, g.now
	c.due = g.now + g.interval(n)
	g.counts.Sent += uint64(n)
	return c.send(g, p)
}

// drained lets the connection die if nothing of it is under way.
func (c *conn) drained(g *client) error {
	if c.waiting > 0 || len(c.out) > 0 {
		if g.now > c.since+int64(patience) {
			return errors.New("no echo came")
		}
		return nil
	}
	c.state, c.patience = stateDying, g.now+int64(patience)
	switch c.manner {
	case byClose:
		return c.send(g, wire.AppendMasked(nil, wire.Close, []byte{1000 >> 8, 1000 & 0xff}, rand.Uint32()))
	case byReset:
		if err := c.abort(); err != nil {
			return err
		}
		return errDead
	case byHalf:
		return unix.Shutdown(c.fd, unix.SHUT_WR)
	case bySilence:
		c.patience += 3 * int64(g.Heartbeat)
	case byLost:
		// Nothing that comes reaches the socket: not even acknowledgments go
		// back. It is reset when the server has long forgotten it.
		c.patience = g.now + 4*int64(g.Heartbeat) + int64(2*time.Second)
		drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		return unix.SetsockoptSockFprog(c.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
	}
	return nil
}

// late is called when patience has ended.
func (c *conn) late() error {
	if c.state == stateDying && c.manner == byLost {
		return errDead
	}
	return errors.New("the server takes too long")
}

// send sends p after what is still to be sent.
func (c *conn) send(g *client, p []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, p...)
		return nil
	}
	n, errno := sock.Send(c.fd, p)
	switch {
	case errno == syscall.EAGAIN:
		n = 0
	case errno != 0:
		return fmt.Errorf("send: %w", errno)
	}
	if n == len(p) {
		return nil
	}
	c.out = append([]byte(nil), p[n:]...)
	return g.poll.Change(c.fd, c.index, unix.EPOLLIN|unix.EPOLLOUT)
}

// flush goes on sending what is still to be sent.
func (c *conn) flush(g *client) error {
	if len(c.out) > 0 {
		n, errno := sock.Send(c.fd, c.out)
		if errno != 0 && errno != syscall.EAGAIN {
			return fmt.Errorf("send: %w", errno)
		}
		c.out = c.out[max(n, 0):]
	}
	if len(c.out) > 0 {
		return nil
	}
	c.out = nil
	return g.poll.Change(c.fd, c.index, unix.EPOLLIN)
}

// abort makes closing the descriptor send RST.
func (c *conn) abort() error {
	return unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// free closes the descriptor, with RST if the server has not closed.
func (c *conn) free() {
	if c.fd >= 0 {
		if c.state != stateDying || c.manner == byLost {
			_ = c.abort()
		}
		_ = unix.Close(c.fd) // which leaves the poller too
	}
	c.state, c.fd = stateNone, -1
}
