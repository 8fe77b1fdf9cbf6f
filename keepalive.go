// When to ping, when to give up; the clock is an argument.

package websocket

import "time"

// A keepalive decides when a silent peer is pinged and when it is given up. All
// times are durations since some fixed moment, and later than 0.
type keepalive struct {
	interval time.Duration // silence before a ping; 0: no heartbeat
	timeout  time.Duration // how long reads wait for its answer; 0: for ever
	heard    time.Duration // when something last came, as of the last park
	pinged   time.Duration // when the last unanswered ping was sent; 0 for none
	waited   time.Duration // how long reads have waited since the first of those
	since    time.Duration // when the wait under way began, or that ping in it
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
	k.pinged, k.waited = 0, 0
}

// park notes that a read begins to wait for input, having found none.
func (k *keepalive) park(now time.Duration) {
	if k.traffic {
		k.traffic, k.heard = false, now
	}
	k.parked, k.since = true, now
}

// leave notes that a read gives up waiting though nothing came. What it has
// waited for the answer to a ping counts; the pause until the next read does not.
func (k *keepalive) leave(now time.Duration) {
	k.waited = k.waitedFor(now)
	k.parked = false
}

// waitedFor returns how long reads have waited for the answer to a ping.
func (k *keepalive) waitedFor(now time.Duration) time.Duration {
	if k.pinged == 0 || !k.parked {
		return k.waited
	}
	return k.waited + now - k.since
}

// again begins the wait for the answer to the last ping anew.
func (k *keepalive) again(now time.Duration) { k.waited, k.since = 0, now }

// next returns what is to be done now, and when to ask again: 0 for never. A
// ping it asks for counts as sent.
func (k *keepalive) next(now time.Duration) (heartbeat, time.Duration) {
	if k.interval == 0 {
		return heartbeatWait, 0
	}
	if k.pinged > 0 && k.timeout > 0 {
		left := k.timeout - k.waitedFor(now)
		if left <= 0 {
			return heartbeatFail, 0
		}
		if k.parked {
			return heartbeatWait, now + min(left, k.interval) // something may come
		}
	}
	if k.traffic {
		k.traffic, k.heard = false, now
	}
	if due := max(k.heard, k.pinged) + k.interval; now < due {
		return heartbeatWait, due
	}
	if k.pinged == 0 {
		k.waited, k.since = 0, now
	}
	k.pinged = now
	if k.timeout > 0 {
		return heartbeatPing, now + min(k.timeout, k.interval)
	}
	return heartbeatPing, now + k.interval
}
