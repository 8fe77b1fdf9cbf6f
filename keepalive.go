// When to ping, when to give up; the clock is an argument.

package websocket

import "time"

// A keepalive decides when a silent peer is pinged and when it is given up. All
// times are durations since some fixed moment, and later than 0.
type keepalive struct {
	heard time.Duration // when something last came, as of the last park; 0: since that
	ping  *unanswered   // nil while none is
}

// An unanswered is a ping that waits for its answer. Most of the time there is
// none, so that it costs an idle connection nothing.
type unanswered struct {
	sent   time.Duration // the last one
	waited time.Duration // how long reads have waited since the first one
	since  time.Duration // when the wait under way began, or that ping in it; 0: no read waits
	ask    time.Duration // when next is to be asked
	late   bool          // it was asked late
}

// heartbeat is what next wants to be done.
type heartbeat uint8

const (
	heartbeatWait heartbeat = iota // nothing now
	heartbeatPing                  // send a ping
	heartbeatFail                  // the peer is gone
)

// received notes that something came. Whatever it is, the peer lives.
func (k *keepalive) received() { k.heard, k.ping = 0, nil }

// park notes that a read waits for input, having found none.
func (k *keepalive) park(now time.Duration) {
	k.settle(now)
	if k.ping != nil && k.ping.since == 0 {
		k.ping.since = now
	}
}

// settle makes now the time of what has come since the last park.
func (k *keepalive) settle(now time.Duration) {
	if k.heard == 0 {
		k.heard = now
	}
}

// leave notes that no read waits, though nothing came. What was waited for the
// answer to a ping counts; the pause until the next read does not.
func (k *keepalive) leave(now time.Duration) {
	if u := k.ping; u != nil {
		u.waited, u.since = u.waitedFor(now), 0
	}
}

// waitedFor returns how long reads have waited for the answer.
func (u *unanswered) waitedFor(now time.Duration) time.Duration {
	if u.since == 0 {
		return u.waited
	}
	return u.waited + now - u.since
}

// again begins the wait for the answer to the last ping anew.
func (k *keepalive) again(now time.Duration) {
	if u := k.ping; u != nil {
		u.waited = 0
		if u.since > 0 {
			u.since = now
		}
	}
}

// askedLate is how long after its time next is asked late.
const askedLate = 20 * time.Millisecond

// excuse takes back that the peer is to be given up, once for each ping, if next was asked
// late: whatever held that up may have held the answer up too. The wait begins anew.
func (k *keepalive) excuse(now time.Duration) bool {
	u := k.ping
	if u.late || now-u.ask <= askedLate {
		return false
	}
	u.late = true
	k.again(now)
	return true
}

// askAt notes when next is to be asked again.
func (k *keepalive) askAt(at time.Duration) {
	if k.ping != nil {
		k.ping.ask = at
	}
}

// next returns what is to be done now, and when to ask again: 0 for never. A peer
// is pinged after an interval of silence, 0 for never, and given up when reads have
// waited for its answer for timeout, 0 for ever. A ping that next asks for counts
// as sent; parked says that a read waits then.
func (k *keepalive) next(now, interval, timeout time.Duration, parked bool) (heartbeat, time.Duration) {
	if interval == 0 {
		return heartbeatWait, 0
	}
	last := time.Duration(0)
	if u := k.ping; u != nil {
		last = u.sent
		left := timeout - u.waitedFor(now)
		if timeout > 0 && left <= 0 {
			return heartbeatFail, 0
		}
		if timeout > 0 && u.since > 0 {
			return heartbeatWait, now + min(left, interval) // something may come
		}
	}
	k.settle(now)
	if due := max(k.heard, last) + interval; now < due {
		return heartbeatWait, due
	}
	if k.ping == nil {
		k.ping = new(unanswered)
		if parked {
			k.ping.since = now
		}
	}
	k.ping.sent = now
	if timeout > 0 {
		return heartbeatPing, now + min(timeout, interval)
	}
	return heartbeatPing, now + interval
}
