// The event loop of an Engine: one goroutine, and epoll.

package websocket

import (
	"runtime"
	"sync"
	"time"

	"github.com/seed86893212/websocket/internal/poll"
)

const (
	loopEvents = 256                    // taken from the poller at a time
	loopTasks  = 64                     // functions called at a time
	loopYield  = 100 * time.Microsecond // how long other goroutines may be kept waiting
	loopNap    = 200 * time.Microsecond // how long a loop waits for more in a throng
	loopLate   = 20 * time.Millisecond  // a round that takes longer is late
	sweepParts = 16                     // a sweep looks at a part of the connections at a time
	sweepMin   = time.Millisecond       // between two parts
	roundTurns = togetherMost           // of connections, before what they have written is sent
	briefTurn  = 25 * time.Microsecond  // a turn that is brief, on average
)

// An engineLoop drives the connections of one goroutine. Only that goroutine
// knows which there are: others leave word.
type engineLoop struct {
	drivenLoop                     // what its connections see of it
	mailbox                        // what others leave for it
	gone       func()              // a connection's Close has returned
	nap        func(time.Duration) // holds the loop up

	seats   sync.Mutex
	slots   []*driven // by number; nil for free ones, and those of guests; changed with seats
	free    []uint32  // numbers of free slots
	guests  lobby
	events  []poll.Event
	at      int           // of those, the next to be dealt with
	fetch   fetch         // what has been received for the next
	current *driven       // whose callback runs
	every   time.Duration // how often each connection is swept, 0 for never
	least   time.Duration // how often those need it that were there since all had been
	sweepAt time.Time     // when the next part is due
	swept   int           // slots up to here have been
	yielded time.Time     // when other goroutines were last let run
	taken   time.Time     // when events were
	turns   int           // since the end of a round
	brief   bool          // those of the last events were, on average
	behind  int           // rounds until all that may have been there for long have had a turn
	ended   bool
	done    chan struct{} // closed when everything has been given up

	looks  []*driven // word that is being dealt with: connections to be looked at
	looked int       // how many have been
	tasks  []func()  // and then functions to be called
	tasked int       // how many have been
}

func newEngineLoop(blocking, single bool, gone func()) (*engineLoop, error) {
	p, err := poll.NewPoller(loopEvents)
	if err != nil {
		return nil, err
	}
	l := &engineLoop{mailbox: mailbox{p: p}, gone: gone, nap: poll.Nap, done: make(chan struct{})}
	l.events = make([]poll.Event, 0, loopEvents)
	l.drivenLoop = drivenLoop{wake: l.look, poller: p, blocking: blocking}
	if !blocking && !single {
		l.batches()
	}
	go l.run()
	return l, nil
}

// batches has receipts and sends made together, if the system does that.
func (l *engineLoop) batches() {
	if batch, err := poll.NewBatch(roundTurns); err == nil {
		l.fetch.batch, l.round.joint.batch = batch, batch
	}
}

// attach takes a connection over whose reading side is the caller's. It returns
// false if its transport is none for a loop.
func (l *engineLoop) attach(c *Conn, ev *Events) bool {
	d := adopt(c, ev, &l.drivenLoop)
	if d == nil {
		return false
	}
	l.enlist(d)
	return true
}

func (l *engineLoop) seen() *drivenLoop { return &l.drivenLoop }

// each calls f for each connection at once, since a callback may keep the loop busy for
// ever, and then again on the loop, which has heard by then of all that were attached
// before: word of them comes before the call.
func (l *engineLoop) each(f func(c *Conn)) {
	visit := func() {
		all := l.listed()
		l.seats.Lock()
		all = append(all, l.slots...)
		l.seats.Unlock()
		for _, d := range all {
			if d != nil {
				f(d.c)
			}
		}
	}
	visit()
	l.call(visit)
}

// stop ends the loop, which has no connections any more; wait waits for that.
func (l *engineLoop) stop() { l.call(func() { l.ended = true }) }
func (l *engineLoop) wait() { <-l.done }

// run is the loop. A callback that ends its goroutine (runtime.Goexit) does not
// end the loop: another goroutine goes on with it.
func (l *engineLoop) run() {
	defer func() {
		if l.ended {
			l.end()
			return
		}
		if d := l.current; d != nil {
			l.current, l.got = nil, nil
			d.c.l.beginClose(StatusInternalError, "")
			l.look(d)
		}
		go l.run()
	}()
	for !l.ended {
		l.heed()
		l.setWake(time.Now())
		if _, err := l.poller.Stand(l.rounds); err != nil {
			time.Sleep(time.Millisecond) // which nothing should make it come to
		}
	}
}

// end gives up what the loop holds.
func (l *engineLoop) end() {
	l.mailbox.close()
	l.guests.close(nil)
	for l.left.Load() {
		l.heed() // those that have been accepted just before
	}
	if l.fetch.batch != nil {
		l.fetch.batch.Close()
	}
	_ = l.poller.Close()
	close(l.done)
}

// setWake sets when the poller returns without an event: for the next sweep, or
// when word is left. Word that has been left by now, and a sweep that is due, are
// seen to in rounds.
func (l *engineLoop) setWake(now time.Time) {
	if l.sweepAt.After(now) {
		l.answered(l.sweepAt)
	} else {
		l.answered(time.Time{})
	}
}

// rounds deals with what there is until there is nothing any more.
func (l *engineLoop) rounds() (done bool) {
	l.stir()
	for {
		l.heed()
		if l.ended {
			return true
		}
		for ; l.at < len(l.events); l.at++ {
			if l.at >= l.fetch.to {
				l.receive()
			}
			l.event(&l.events[l.at])
			l.turned()
		}
		l.endRound()
		now := time.Now()
		l.between(now)
		l.gather()
		l.round.brief.Store(l.brief && len(l.events) > 1) // who is alone need not wait for others
		if len(l.events) == 0 && !l.left.Load() {
			l.fetch.begin(0, 0)
			if l.sweep(now); l.rest() {
				return false
			}
		}
	}
}

// gather takes the events that there are. While connections come in a throng it waits a
// little before it finds none: several at a time are served for much less.
func (l *engineLoop) gather() {
	l.events, l.at, l.fetch.to = l.poller.Take(l.events[:0]), 0, 0
	if len(l.events) > 0 || l.left.Load() || !l.guests.throng() {
		return
	}
	runtime.Gosched() // other goroutines first: a nap leaves them no processor
	l.nap(loopNap)
	l.taken = time.Now()
	l.events = l.poller.Take(l.events)
}

// who returns the connection that an event is for, nil if it has gone; known says
// that it is not for a guest.
func (l *engineLoop) who(id uint64) (d *driven, known bool) {
	slot := uint32(id)
	if uint(slot) >= uint(len(l.slots)) || l.slots[slot] == nil {
		return nil, false
	}
	if d = l.slots[slot]; d.id != id {
		d = nil
	}
	return d, true
}

// event deals with an event.
func (l *engineLoop) event(e *poll.Event) {
	d, known := l.who(e.ID())
	switch {
	case d != nil:
		if got := l.fetch.taken(l.at, d); got != nil {
			l.got = got
		}
		l.turn(d, e.In(), e.Out(), false)
	case !known:
		l.guests.event(e.ID())
	}
}

// receive receives for the events whose turn comes next, if that can be done together.
func (l *engineLoop) receive() {
	events := l.events[l.at:min(l.at+roundTurns, len(l.events))]
	l.fetch.begin(l.at, len(events))
	if l.fetch.batch == nil || !l.round.brief.Load() || len(events) < togetherMin {
		return
	}
	for i := range events {
		if d, _ := l.who(events[i].ID()); d != nil && events[i].In() {
			l.fetch.add(l.at+i, d)
		}
	}
	l.fetch.do()
}

// between does what is to be done between two rounds. After a round that took long
// there may be much that was sent meanwhile: no peer counts as silent before that
// has been received.
func (l *engineLoop) between(now time.Time) {
	if now.Sub(l.yielded) > loopYield {
		l.yielded = now
		runtime.Gosched()
	}
	if n := len(l.events); n > 0 {
		l.brief = now.Sub(l.taken) < time.Duration(n)*briefTurn
	}
	switch {
	case now.Sub(l.taken) <= loopLate && len(l.events) < loopEvents:
		l.behind = 0
	case l.behind > 0: // the poller gives everything a turn
		l.behind--
	case now.Sub(l.taken) > loopLate:
		l.behind = len(l.slots)/loopEvents + 1
	}
	l.taken = now
	if l.behind == 0 {
		l.sweep(now)
	}
}

// turned ends a round that has had enough turns.
func (l *engineLoop) turned() {
	if l.turns++; l.turns >= roundTurns {
		l.endRound()
	}
}

func (l *engineLoop) endRound() {
	l.turns = 0
	l.round.end()
}

// heed deals with the word that has been left by now, and with none that is left
// meanwhile: a connection that leaves word each time that it is looked at must
// not keep the others waiting.
func (l *engineLoop) heed() {
	if l.left.Load() {
		l.looks, l.tasks = l.take(l.looks, l.tasks)
	}
	for l.looked < len(l.looks) {
		d := l.looks[l.looked]
		l.looked++ // a callback may end this goroutine
		if d.id == 0 {
			l.add(d)
		} else {
			l.turn(d, false, false, true)
		}
		l.turned()
	}
	if len(l.looks) > 0 {
		l.endRound() // a connection must have sent before it learns that its peer has gone
	}
	l.looks, l.looked = emptied(l.looks), 0
	for n := 0; l.tasked < len(l.tasks); n++ {
		if n == loopTasks {
			l.left.Store(true) // the others have their turn first
			return
		}
		call := l.tasks[l.tasked]
		l.tasked++
		call()
	}
	l.tasks, l.tasked = emptied(l.tasks), 0
}

// add gives a new connection its slot.
func (l *engineLoop) add(d *driven) {
	if d.stage == stageOver {
		return
	}
	slot := l.reserve()
	l.occupy(slot, d)
	if err := d.begin(slot); err != nil {
		d.c.l.end(err, false)
	}
	l.turn(d, false, false, true)
}

// reserve returns a free slot, which is to be occupied or released.
func (l *engineLoop) reserve() (slot uint32) {
	if n := len(l.free); n > 0 {
		slot = l.free[n-1]
		l.free = l.free[:n-1]
		return slot
	}
	l.seats.Lock()
	defer l.seats.Unlock()
	l.slots = append(l.slots, nil)
	return uint32(len(l.slots) - 1)
}

// put changes who has a slot.
func (l *engineLoop) put(slot uint32, d *driven) {
	l.seats.Lock()
	defer l.seats.Unlock()
	l.slots[slot] = d
}

func (l *engineLoop) release(slot uint32) { l.free = append(l.free, slot) }

func (l *engineLoop) occupy(slot uint32, d *driven) {
	l.put(slot, d)
	every := d.c.l.wr.set.sweepEvery()
	l.least = sooner(l.least, every)
	if every = sooner(l.every, every); every != l.every {
		l.every = every
		l.sweepAt = time.Now().Add(l.part())
		l.wakeAt(l.sweepAt)
	}
}

// sooner returns the shorter of two times, of which 0 is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// seat gives a connection that is watched already its slot, and lets it open.
func (l *engineLoop) seat(d *driven) {
	l.occupy(uint32(d.id), d)
	l.turn(d, false, false, true)
}

// turn lets a connection do what there is to do.
func (l *engineLoop) turn(d *driven, in, out, word bool) {
	if l.blocking {
		if out { // also while a callback waits
			d.want(0, poll.Out)
			d.c.l.wr.resume()
		}
		if in { // it has ended the wait for room as well, and the callback may be waiting for that
			d.rearm(true)
		}
		if d.aside.note(in, out, word) {
			go l.work(d)
		}
		return
	}
	l.current = d
	over := d.turn(in, out, word)
	l.current, l.got = nil, nil
	if over {
		l.remove(d)
	}
}

// work is turn on a goroutine of its own.
func (l *engineLoop) work(d *driven) {
	returned, over := false, false
	defer func() {
		if !returned { // runtime.Goexit in a callback
			d.c.l.beginClose(StatusInternalError, "")
			d.aside.note(false, false, true)
			go l.work(d)
		}
	}()
	for {
		in, out, word, more := d.aside.next()
		if !more {
			break
		}
		if over = over || d.turn(in, out, word); !over {
			d.rearm(false)
		}
	}
	returned = true
	if over {
		l.call(func() { l.remove(d) })
	}
}

// remove forgets a connection that has ended.
func (l *engineLoop) remove(d *driven) {
	slot := uint32(d.id)
	if l.slots[slot] != d {
		return
	}
	l.put(slot, nil)
	l.release(slot)
	l.gone()
}

// part returns the time between two parts of a sweep.
func (l *engineLoop) part() time.Duration { return max(l.every/sweepParts, sweepMin) }

// sweep looks after heartbeats: a part of the connections at a time, and more if it comes late.
func (l *engineLoop) sweep(now time.Time) {
	if l.every == 0 || now.Before(l.sweepAt) {
		return
	}
	if len(l.free) == len(l.slots) {
		l.every, l.sweepAt = 0, time.Time{}
		return
	}
	parts := min(1+int(now.Sub(l.sweepAt)/l.part()), sweepParts)
	for n := min(parts*(len(l.slots)/sweepParts+1), len(l.slots)); n > 0; n-- {
		if l.swept >= len(l.slots) {
			l.swept = 0
			l.every, l.least = l.least, 0 // those that needed it more often may have gone
		}
		if d := l.slots[l.swept]; d != nil {
			l.least = sooner(l.least, d.c.l.wr.set.sweepEvery())
			if !l.blocking || !d.aside.unheard() {
				d.c.l.tick()
			}
		}
		l.swept++
	}
	l.sweepAt = now.Add(l.part())
	l.wakeAt(l.sweepAt)
}
