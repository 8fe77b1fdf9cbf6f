// The one timer of a connection: heartbeats, and a bound for its end.

package websocket

import (
	"sync/atomic"
	"time"
)

// An alarm calls back when it may be time for something; due then tells what. It is
// part of the life it watches over, and shares its mutex.
type alarm struct {
	life
	keep    keepalive
	timer   *time.Timer
	reading atomic.Uint32 // flags
	swept   bool          // somebody asks from time to time: no timer for heartbeats
	between bool          // and never while something is handed out: a read counts as waiting then, too, unless it is busy
}

// A ticker is called when it may be time for something.
type ticker interface{ tick() }

// alarmCall is what an alarm wants to be done.
type alarmCall uint8

const (
	alarmNothing alarmCall = iota
	alarmPing              // send a heartbeat
	alarmSilent            // the peer did not answer it
	alarmOver              // the connection should have ended by now
)

// init leaves the clock and the timer to the first read: they are a good part of
// what a connection would cost that is handed to an Engine.
func (a *alarm) init() { a.reading.Store(readFirst) }

// now returns the time as the keepalive counts it: later than 0 for a clock that was set
// back, too.
func (a *alarm) now() time.Duration { return time.Since(epoch) + ages }

// What a read does. Between two looks of the alarm the flags are enough: the
// clock is asked, and the lock taken, only while a ping waits for its answer.
const (
	readParked = 1 << iota // it waits for input
	readHeard              // something came since the last look
	readExact              // keep is to be told at once
	readFirst              // there has been none
	readUser               // a loop has handed out a message, and since then neither waited nor ended
	readLate               // the timer would look too late to tell when something came
)

// park, received, enter and leave tell what a read does: see keepalive.
func (a *alarm) park() {
	for {
		was := a.reading.Load()
		parked := was&^readUser | readParked
		if was != parked && !a.reading.CompareAndSwap(was, parked) {
			continue
		}
		if was&readExact != 0 {
			a.mu.Lock()
			a.look(a.now(), false)
			a.mu.Unlock()
		}
		return
	}
}

// first is called before a read while readFirst is set, from where there is little
// below it on the stack: it needs more of that than waiting does.
func (a *alarm) first(set *settings, owner ticker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin(a.now())
	if set.heartbeat > 0 && a.timer == nil && !a.swept && !a.ending {
		a.reading.Or(readLate)
		a.timer = time.AfterFunc(set.heartbeat, owner.tick)
	}
}

// begin counts the peer's silence from now, if that has not begun. The caller holds
// mu.
func (a *alarm) begin(now time.Duration) {
	if a.reading.And(^uint32(readFirst))&readFirst != 0 {
		a.keep.heard = now
	}
}

// received reports whether soon is to be called.
func (a *alarm) received() (late bool) {
	for {
		was := a.reading.Load()
		heard := readHeard | was&readFirst
		if a.between {
			heard |= was & readParked
		}
		switch {
		case was&readExact != 0:
			a.answered()
			return false
		case was == heard || a.reading.CompareAndSwap(was, heard):
			return was&readLate != 0
		}
	}
}

// soon has the timer look before long, to know when silence began.
func (a *alarm) soon(set *settings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil && !a.swept && !a.ending && a.endBy() == 0 {
		a.timer.Reset(set.heartbeat / 4)
	}
}

// enter is for a loop that is about to hand something out. Until the loop waits or
// ends, it counts as being in its body, so that this is said once for all that was
// received together: each time costs as much as the rest of a short message. With
// heard it is received as well, and reports the same.
func (a *alarm) enter(heard bool) (late bool) {
	flags, gone := uint32(readUser), uint32(readParked)
	if heard {
		flags, gone = flags|readHeard, gone|readLate
	}
	for {
		was := a.reading.Load()
		if was&readUser != 0 {
			return false
		}
		if a.reading.CompareAndSwap(was, was&^gone|flags) {
			return was&gone&readLate != 0
		}
	}
}

// listens reports whether received is to be called at once, and not left to enter.
func (a *alarm) listens() bool { return a.reading.Load()&(readExact|readUser) != 0 }

// exit ends what enter began.
func (a *alarm) exit() {
	if a.inUser() {
		a.reading.And(^uint32(readUser))
	}
}

// busy is for a read that does not wait as its turn ends: it has more to hand out, or
// nothing any more.
func (a *alarm) busy() { a.reading.And(^uint32(readParked)) }

// inUser reports whether a loop's body may be running. A call from there sees it.
func (a *alarm) inUser() bool { return a.reading.Load()&readUser != 0 }

// answered is received while a ping waits for its answer.
func (a *alarm) answered() {
	a.mu.Lock()
	defer a.mu.Unlock()
	flags := uint32(0)
	if !a.swept {
		flags = readLate
	}
	a.reading.Store(flags)
	a.keep.received()
	a.keep.park(a.now())
}

func (a *alarm) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.look(now, false)
	a.reading.And(^uint32(readParked))
	a.keep.leave(now)
}

// waits reports whether a read waits for input.
func (a *alarm) waits() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.between || a.reading.Load()&readParked != 0
}

// look tells keep what reads have done. It reports whether something came since
// the last time, and whether a read waits; a write that waits for room counts as that. The
// caller holds mu.
func (a *alarm) look(now time.Duration, writing bool) (heard, parked bool) {
	was := a.reading.And(^uint32(readHeard))
	heard, parked = was&readHeard != 0, writing || was&readParked != 0
	if heard {
		a.keep.received()
	}
	if parked {
		a.keep.park(now)
	} else {
		a.keep.leave(now)
	}
	return heard, parked
}

// endWithin makes d from now the latest moment for the end, unless there is an
// earlier one. The caller holds mu.
func (a *alarm) endWithin(d time.Duration, owner ticker) {
	by := a.now() + d
	if had := a.endBy(); a.ending || had > 0 && had <= by {
		return
	}
	a.foretell().by = by
	a.wakeAt(by, owner)
}

// putOffs is how often the end is put off for who neither waits for input nor is in a loop's
// body, and may not come back.
const putOffs = 4

// putOff puts the end off by d if somebody is dealing with what has been received, and reports
// whether it has.
func (a *alarm) putOff(d time.Duration, owner ticker) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	idle := uint32(readParked | readFirst)
	if a.swept { // and so nobody else reads
		idle = readParked
	}
	if a.ending || !a.isOpen() || a.reading.Load()&idle != 0 {
		return false
	}
	f := a.foretell()
	if !a.inUser() {
		if f.putOff == putOffs {
			return false
		}
		f.putOff++
	}
	f.by = a.now() + d
	a.wakeAt(f.by, owner)
	return true
}

// due returns what is to be done now and sets the timer for the next time.
func (a *alarm) due(set *settings, owner ticker, writing bool) alarmCall {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	switch by := a.endBy(); {
	case a.ending:
		return alarmNothing
	case by > 0 && now >= by:
		return alarmOver
	case by > 0:
		a.wakeAt(by, owner)
		return alarmNothing
	}
	a.begin(now)
	heard, parked := a.look(now, writing)
	do, at := a.keep.next(now, set.heartbeat, set.heartbeatTimeout, parked)
	if do == heartbeatFail && !a.swept && a.keep.excuse(now) { // who sweeps sees to that
		do, at = heartbeatWait, now+set.heartbeatTimeout
	}
	a.keep.askAt(at)
	if soon := now + set.heartbeat/4; heard { // again, to know when silence began
		at = min(at, soon)
	} else if at > soon && !a.swept {
		a.reading.Or(readLate)
	}
	if at > 0 && !a.swept {
		a.wakeAt(at, owner)
	}
	if a.keep.ping != nil {
		a.reading.Or(readExact)
	} else {
		a.reading.And(^uint32(readExact))
	}
	switch do {
	case heartbeatPing:
		return alarmPing
	case heartbeatFail:
		return alarmSilent
	}
	return alarmNothing
}

// again puts alarmSilent off, as if the heartbeat had been sent just now.
func (a *alarm) again(set *settings, owner ticker, writing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.look(now, writing)
	a.keep.again(now)
	at := now + set.heartbeatTimeout
	a.keep.askAt(at)
	if !a.swept {
		a.wakeAt(at, owner)
	}
}

// wakeAt sets the timer. The caller holds mu.
func (a *alarm) wakeAt(at time.Duration, owner ticker) {
	d := max(at-a.now(), 0)
	if a.timer == nil {
		a.timer = time.AfterFunc(d, owner.tick)
	} else {
		a.timer.Reset(d)
	}
}

// sweep says that due will be called from time to time, so that heartbeats need
// no timer. The caller holds mu.
func (a *alarm) sweep() {
	a.swept = true
	if a.endBy() == 0 && a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// stop ends the alarm for good: the life is ending. The caller holds mu.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
