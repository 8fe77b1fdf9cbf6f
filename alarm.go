// The one timer of a connection: heartbeats, and a bound for its end.

package websocket

import (
	"sync"
	"time"
)

// An alarm calls back when it may be time for something; due then tells what.
type alarm struct {
	mu      sync.Mutex
	start   time.Time // what now counts from
	keep    keepalive
	endBy   time.Duration // when the connection is ended whatever happens; 0 for never
	stopped bool
	timer   *time.Timer
	ring    func() // what the timer calls
}

// alarmCall is what an alarm wants to be done.
type alarmCall uint8

const (
	alarmNothing alarmCall = iota
	alarmPing              // send a heartbeat
	alarmSilent            // the peer did not answer it
	alarmOver              // the connection should have ended by now
)

func (a *alarm) init(heartbeat, timeout time.Duration, ring func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start, a.ring = time.Now(), ring
	a.keep = keepalive{interval: heartbeat, timeout: timeout, heard: a.now()}
	if heartbeat > 0 {
		a.timer = time.AfterFunc(heartbeat, ring)
	}
}

// now returns the time as the keepalive counts it.
func (a *alarm) now() time.Duration { return time.Since(a.start) + 1 }

// park, received and leave tell what a read does: see keepalive.
func (a *alarm) park() {
	a.mu.Lock()
	a.keep.park(a.now())
	a.mu.Unlock()
}

func (a *alarm) received() {
	a.mu.Lock()
	a.keep.received()
	a.mu.Unlock()
}

func (a *alarm) leave() {
	a.mu.Lock()
	a.keep.leave(a.now())
	a.mu.Unlock()
}

// endWithin makes d from now the latest moment for the end, unless there is an
// earlier one.
func (a *alarm) endWithin(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	by := a.now() + d
	if a.stopped || a.endBy > 0 && a.endBy <= by {
		return
	}
	a.endBy = by
	a.wakeAt(by)
}

// due returns what is to be done now and sets the timer for the next time.
func (a *alarm) due() alarmCall {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	switch {
	case a.stopped:
		return alarmNothing
	case a.endBy > 0 && now >= a.endBy:
		return alarmOver
	case a.endBy > 0:
		a.wakeAt(a.endBy)
		return alarmNothing
	}
	do, at := a.keep.next(now)
	if at > 0 {
		a.wakeAt(at)
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
func (a *alarm) again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.keep.again(now)
	a.wakeAt(now + a.keep.timeout)
}

// wakeAt sets the timer. The caller holds mu.
func (a *alarm) wakeAt(at time.Duration) {
	d := max(at-a.now(), 0)
	if a.timer == nil {
		a.timer = time.AfterFunc(d, a.ring)
	} else {
		a.timer.Reset(d)
	}
}

// stop ends the alarm for good.
func (a *alarm) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	if a.timer != nil {
		a.timer.Stop()
	}
}
