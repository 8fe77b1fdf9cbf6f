// A connection of an event loop.

package websocket

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
	"unique"

	"github.com/seed86893212/websocket/internal/poll"
)

// A driven is one connection of an event loop: the transport that it stands on,
// and what is done when something happens. It waits for nothing. turn and what
// it calls belong to one goroutine at a time; the rest to anybody.
type driven struct {
	c     *Conn
	ev    *Events
	loop  *drivenLoop
	aside *aside                        // nil until something of it is needed
	local unique.Handle[netip.AddrPort] // that of its listener, mostly

	remote netip.Addr
	port   uint16 // the peer's

	halved  bool  // the peer has been told that nothing more will come
	deaf    bool  // nothing more will come from it
	resting bool  // it has more to hand out, when others have had their turn
	listed  bool  // the loop's: its turn comes
	stage   stage // what of its callbacks has been called

	// With mu.
	closes closes // how it is closed

	mu    sync.Mutex
	id    uint64 // its slot, and how often that has been used; 0 before it has one
	fd    int32  // -1 once closed
	wants uint32 // what it is watched for
}

// A stage is how far a driven has come with its callbacks.
type stage uint8

const (
	stageNew  stage = iota
	stageOpen       // Open has been called
	stageOver       // Close has been called
)

// closes is a set of what makes closing a driven's descriptor simpler.
type closes uint8

const (
	closesBroken closes = 1 << iota // there is nobody at the other end to be told anything
	closesPlain                     // nobody else has had the descriptor, and closing it does not wait
)

// A drivenLoop is what a driven needs to know of its loop.
type drivenLoop struct {
	wake     func(d *driven) // has its turn called before long
	poller   *poll.Poller
	round    round
	blocking bool     // callbacks run on goroutines of their own
	got      *receipt // what was received for who has the turn before that; nil if nothing was tried
}

// admit puts a connection into the loop's round. Turns on goroutines of their own make
// none.
func (l *drivenLoop) admit(w *writer) {
	switch {
	case !l.blocking:
		w.enlist(&l.round)
	case w.round != nil: // it is in no bubble
		w.enlist(&sharedRounds.calm)
	}
}

// leaving returns how the connection is to end, nil as long as it goes on.
func (d *driven) leaving() *parting {
	if d.aside == nil {
		return nil
	}
	return d.aside.leaving
}

// part begins to end the connection.
func (d *driven) part(p *parting) {
	if d.aside == nil {
		d.aside = new(aside)
	}
	d.aside.leaving = p
}

// generation makes slots that are used again differ.
var generation struct {
	sync.Mutex
	last uint32
}

// adopt moves a connection whose reading side is the caller's away from net's poller. It returns
// nil if that cannot be done. It counts as listed: no turn before its loop has heard of it.
func adopt(c *Conn, ev *Events, loop *drivenLoop) *driven {
	raw, ok := c.l.rd.t.(*rawTransport)
	if !ok {
		return nil
	}
	fd, err := poll.Duplicate(raw.rc)
	if err != nil {
		return nil
	}
	d := &driven{c: c, ev: ev, loop: loop, fd: int32(fd), listed: true} // no turn before it has moved
	peer := addrPort(raw.nc.RemoteAddr())
	d.remote, d.port = peer.Addr(), peer.Port()
	d.local = unique.Make(addrPort(raw.nc.LocalAddr()))
	if loop.blocking {
		d.aside = new(aside)
		d.wants = poll.Once
	}
	c.l.rd.role.stand()
	if !c.l.adopt(d, !loop.blocking) {
		poll.Close(fd)
		if c.l.rd.role.leave() { // it has ended meanwhile
			c.l.closeTransport(false)
		}
		return nil
	}
	loop.admit(&c.l.wr)
	_ = raw.nc.Close() // the duplicate keeps the connection
	return d
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}

// newID returns a number for who gets a slot.
func newID(slot uint32) uint64 {
	generation.Lock()
	defer generation.Unlock()
	generation.last = max(generation.last+1, 1) // 0 is for who has none
	return uint64(generation.last)<<32 | uint64(slot)
}

// begin has the loop's poller watch the connection.
func (d *driven) begin(slot uint32) error {
	id := newID(slot)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id = id
	d.wants |= poll.In
	if d.fd < 0 {
		return net.ErrClosed
	}
	return d.loop.poller.Add(int(d.fd), d.id, d.wants)
}

// turn does what there is to do. in says that there may be something to receive, out that
// there may be room to send, word that word was left. It reports whether all is over.
func (d *driven) turn(in, out, word bool) (over bool) {
	l := &d.c.l
	if d.stage == stageOver {
		return true
	}
	if d.stage == stageNew {
		d.stage = stageOpen
		l.serial++
		d.call(&event{kind: eventStart})
	}
	if out {
		d.want(0, poll.Out)
		l.wr.resume()
	}
	if word && l.rd.bell.answer()&wakeDrain != 0 {
		l.alarm.leave()
		d.call(&event{kind: eventDrain})
	}
	switch {
	case l.isClosed():
	case d.leaving() != nil:
		d.leave(in)
	case d.resting && !word:
	default:
		d.resting = false
		d.receive(in)
	}
	if l.isClosed() {
		d.end()
	}
	return d.stage == stageOver
}

// A turn ends when its time is up, by a clock that is looked at now and then, and behind a large message.
const (
	turnTime   = 250 * time.Microsecond
	clockEvery = 16
	turnLarge  = 16 << 10
)

// receive receives once, if there may be something, and hands out what there is.
func (d *driven) receive(in bool) {
	l := &d.c.l
	if got := d.loop.got; got != nil && got.n > 0 { // it is in the buffer
		d.loop.got, in = nil, false
		l.hear(true)
	}
	var ev event
	var until time.Duration // since epoch: to ask for that takes half as long as for the time
	if l.rd.z != nil {      // then the first message may be large
		until = time.Since(epoch) + turnTime
	}
	for n := 1; !l.isClosed(); n++ {
		if (n%clockEvery == 0 || len(ev.data) > turnLarge) && d.late(&until) {
			l.rest()
			l.alarm.busy()
			d.resting = true
			d.loop.wake(d)
			return
		}
		if !l.whole(&ev) {
			l.advance(l.streaming, &ev)
		}
		if ev.kind == eventMore && in {
			in = false
			if l.receive(&ev); ev.kind == eventMore {
				continue
			}
		}
		switch ev.kind {
		case eventMore, eventWait:
			l.rd.spare()
			l.park()
			return
		case eventLost:
			l.wr.sendHeld()
			d.lost(ev.lost)
			l.end(l.unexpected(ev.lost), false)
		case eventClose, eventFail:
			p := l.rd.part(&ev)
			l.leave(&p)
			l.alarm.busy()
			d.part(&p)
			d.leave(false)
			return
		case eventStart, eventChunk: // the rest of a message that a MessageReader began
		default:
			if d.loop.blocking { // it may take its time
				l.alarm.enter(false)
			}
			d.call(&ev)
			if ev.kept {
				l.rd.reuse(&ev)
			}
		}
	}
}

// late reports whether it is later than until, which is set if it is 0.
func (d *driven) late(until *time.Duration) bool {
	now := time.Since(epoch)
	if *until == 0 {
		*until = now + turnTime
	}
	return now > *until && !d.loop.blocking
}

// lost says that the connection has been lost: it is closed before long. A peer that has only
// ended its own direction is told so by that, unless somebody else has a duplicate of it.
func (d *driven) lost(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != io.EOF || d.closes&closesPlain != 0 {
		d.closes |= closesBroken
	}
}

// leave goes on ending the connection as leaving says.
func (d *driven) leave(in bool) {
	l, p := &d.c.l, d.leaving()
	l.rd.buf.free()
	if in {
		d.deaf = d.drop() || d.deaf
	}
	switch {
	case l.wr.size() > 0:
		if d.deaf { // but it may still receive
			d.want(0, poll.In)
		}
		d.needRoom() // to be asked again
	case d.deaf:
		l.end(p.cause, true)
	case p.half && !d.halved:
		d.halved = true
		d.closeWrite()
		l.mu.Lock()
		l.alarm.endWithin(lingerTime, l)
		l.mu.Unlock()
	case !p.half && !p.linger:
		l.end(p.cause, true)
	}
}

// drop receives what comes and drops it. It reports whether nothing more will. If
// the connection is broken, sending fails too.
func (d *driven) drop() (ended bool) {
	buf := &d.c.l.rd.buf
	_, err := d.recv(buf, nil)
	buf.free()
	return err != nil
}

// end gives the connection up and calls Close, once.
func (d *driven) end() {
	if d.stage == stageOver {
		return
	}
	d.stage = stageOver
	l := &d.c.l
	if l.rd.role.leave() {
		l.closeTransport(false)
	}
	l.wr.resume()
	l.give()
	d.call(&event{kind: eventClose})
}

// call calls the callback for an event.
func (d *driven) call(ev *event) {
	s := callbacks{ev: d.ev, c: d.c}
	s.call(ev)
}

// The transport. Nobody reads, stands or waits in it.

func (d *driven) read(*input, []byte) (int, error) { return 0, errors.ErrUnsupported }
func (d *driven) stands() bool                     { return false }
func (d *driven) stand(stepper) error              { return errors.ErrUnsupported }
func (d *driven) probes() bool                     { return false }
func (d *driven) flush(s stepper) error            { s.step(); return nil }
func (d *driven) sendWaits() bool                  { return false }
func (d *driven) wakeReadAt(time.Time)             {}
func (d *driven) wakeWrite(bool)                   {}

func (d *driven) try(s *sending) (int, error) { return d.send(s.p, s.q) }

func (d *driven) wakeRead(on bool) {
	if on {
		d.loop.wake(d)
	}
}

// recv is for who has the turn, which alone closes the descriptor.
func (d *driven) recv(in *input, p []byte) (int, error) {
	n, err := d.receipt(in, p)
	switch {
	case n > 0:
		return n, nil
	case err == nil:
		return 0, io.EOF
	case err == syscall.EAGAIN:
		return 0, nil
	}
	return 0, d.name("read", err)
}

// receipt is what the loop has received for this turn, or a receipt.
func (d *driven) receipt(in *input, p []byte) (int, error) {
	if got := d.loop.got; got != nil {
		d.loop.got = nil
		return got.n, got.err
	}
	return recvFrom(uintptr(d.fd), in, p)
}

// queue is for the loop, which alone closes the descriptor, until Close is called. Others
// who send for many are on another goroutine.
func (d *driven) queue(j joint, s *sending) bool {
	own := j == joint(&d.loop.round.joint)
	return own && d.stage != stageOver && d.fd >= 0 && j.add(uintptr(d.fd), s)
}

func (d *driven) queued(j joint, s *sending) (int, error) {
	n, err := j.result(s)
	return n, d.name("write", err)
}

// send holds the lock, so that the descriptor is not closed meanwhile, and
// another opened under its number.
func (d *driven) send(p, q []byte) (int, error) {
	d.mu.Lock()
	if d.fd < 0 {
		d.mu.Unlock()
		return 0, net.ErrClosed
	}
	n, err := sendTo(uintptr(d.fd), p, q)
	d.mu.Unlock()
	if err != nil {
		err = d.name("write", err)
	}
	return n, err
}

// name gives an error of a system call its usual form.
func (d *driven) name(op string, err error) error {
	switch err {
	case nil:
		return nil
	case syscall.EAGAIN:
		return errAgain
	}
	return &callError{op: op, err: err, local: d.local.Value(), remote: netip.AddrPortFrom(d.remote, d.port)}
}

// rearm has events come again, if they come once; with room, only that of room to send,
// if that is waited for.
func (d *driven) rearm(room bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	wants := d.wants
	if room {
		wants &= poll.Out | poll.Once
	}
	if wants&(poll.In|poll.Out) != 0 && d.fd >= 0 && d.id != 0 {
		_ = d.loop.poller.Change(int(d.fd), d.id, wants)
	}
}

func (d *driven) needRoom() bool {
	d.want(poll.Out, 0)
	return true
}

// want changes what the connection is watched for.
func (d *driven) want(more, less uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	wants := d.wants&^less | more
	if wants == d.wants {
		return
	}
	d.wants = wants
	if d.fd >= 0 && d.id != 0 {
		_ = d.loop.poller.Change(int(d.fd), d.id, wants)
	}
}

func (d *driven) closeWrite() { d.shutdown(syscall.SHUT_WR) }
func (d *driven) hangUp()     { d.shutdown(syscall.SHUT_RDWR) }

func (d *driven) shutdown(how int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd >= 0 && d.closes&closesBroken == 0 {
		poll.Shutdown(int(d.fd), how)
	}
}

func (d *driven) close() error { return d.abort() }

func (d *driven) abort() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.fd < 0:
		return nil
	case d.closes&closesPlain != 0:
		poll.CloseQuick(int(d.fd)) // and it is watched no more
	default:
		if d.id != 0 {
			d.loop.poller.Remove(int(d.fd))
		}
		poll.Close(int(d.fd))
	}
	d.fd = -1
	return nil
}

func (d *driven) localAddr() net.Addr { return net.TCPAddrFromAddrPort(d.local.Value()) }
func (d *driven) remoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.remote, d.port))
}

func (d *driven) rawConn() (syscall.RawConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closes &^= closesPlain
	return heldRaw{mu: &d.mu, fd: &d.fd}, nil
}
