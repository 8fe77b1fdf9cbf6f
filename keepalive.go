// When to ping, when to give up; the clock is an argument.

package websocket

import "time"

// A keepalive decides when a silent peer is pinged and when it is given up. All
// times are durations since some fixed moment, and later than 0.
type keepalive struct {
	interval time.Duration // silence before a ping; 0: no heartbeat
	timeout  time.Duration // silence after it before giving up; 0: never
	heard    time.Duration // when something last came, as of the last park
	waiting  time.Duration // when the wait began; moved on by pauses in it
	left     time.Duration // when a read gave up waiting; 0 if none did
	pinged   time.Duration // when the unanswered ping was sent; 0 for none
	parked   bool          // a read waits for input
	traffic  bool          // something came since the last park
}

// heartbeat is what next wants to be done.
type heartbeat uint8

const (
	heartbeatWait heartbeat = iota // nothing now
	heartbeatPing                  // send a ping
	heartbeatFail                  // the peer is gone
)

// received notes that something came. Whatever it is, the peer lives.
func (k *keepalive) received() {
	k.traffic, k.parked = true, false
	k.pinged, k.waiting, k.left = 0, 0, 0
}

// park notes that a read begins to wait for input, having found none.
func (k *keepalive) park(now time.Duration) {
	if k.traffic {
		k.traffic, k.heard = false, now
	}
	switch {
	case k.waiting == 0:
		k.waiting = now
	case k.left > 0:
		k.waiting += now - k.left // the pause does not count
	}
	k.left = 0
	k.parked = true
}

// leave notes that a read gives up waiting though nothing came.
func (k *keepalive) leave(now time.Duration) {
	if k.parked {
		k.left = now
	}
	k.parked = false
}

// next returns what is to be done now, and when to ask again: 0 for never. A
// ping it asks for counts as sent.
func (k *keepalive) next(now time.Duration) (heartbeat, time.Duration) {
	if k.interval == 0 {
		return heartbeatWait, 0
	}
	if k.pinged > 0 && k.parked && k.timeout > 0 {
		due := max(k.pinged, k.waiting) + k.timeout
		if now >= due {
			return heartbeatFail, 0
		}
		return heartbeatWait, due
	}
	if k.traffic {
		k.traffic, k.heard = false, now
	}
	if due := max(k.heard, k.pinged) + k.interval; now < due {
		return heartbeatWait, due
	}
	k.pinged = now
	if k.timeout > 0 {
		return heartbeatPing, now + min(k.timeout, k.interval)
	}
	return heartbeatPing, now + k.interval
}
