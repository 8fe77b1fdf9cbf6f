// Word that others leave for an event loop.

package websocket

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed86893212/websocket/internal/poll"
)

// A mailbox has the word that is left for a loop: connections to be looked at, and
// functions to be called. Whoever leaves some wakes the loop, if it waits.
type mailbox struct {
	p *poll.Poller // where it waits

	left  atomic.Bool // there is some
	waits atomic.Bool // the loop does not look before it is woken

	mu    sync.Mutex
	rung  bool // it has been woken
	woken []*driven
	calls []func()
	over  bool // nobody will look any more
}

// look has a connection looked at.
func (m *mailbox) look(d *driven) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !d.listed {
		m.list(d)
	}
}

// enlist has a connection looked at for the first time.
func (m *mailbox) enlist(d *driven) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list(d)
}

func (m *mailbox) list(d *driven) {
	d.listed = true
	m.woken = append(m.woken, d)
	m.ring()
}

// call has f called by the loop, unless that has ended.
func (m *mailbox) call(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return false
	}
	m.calls = append(m.calls, f)
	m.ring()
	return true
}

// ring sees that the loop looks. The caller holds mu. Either this finds that the loop
// waits, or rest finds that there is word.
func (m *mailbox) ring() {
	m.left.Store(true)
	if m.waits.Load() && !m.rung {
		m.rung = true
		m.p.WakeAt(longAgo)
	}
}

// rest has the loop woken from now on, unless there is word already.
func (m *mailbox) rest() bool {
	m.waits.Store(true)
	if m.left.Load() {
		m.waits.Store(false)
		return false
	}
	return true
}

// stir says that the loop looks by itself.
func (m *mailbox) stir() { m.waits.Store(false) }

// wakeAt sets when the poller returns without an event, the zero time for never: not
// before word that has made it return has been seen to.
func (m *mailbox) wakeAt(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.rung {
		m.p.WakeAt(at)
	}
}

// answered is wakeAt for who has been woken.
func (m *mailbox) answered(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rung = false
	m.p.WakeAt(at)
}

// take appends the word that has been left. From now on, more may be left for the same
// connections.
func (m *mailbox) take(looks []*driven, tasks []func()) ([]*driven, []func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.woken {
		d.listed = false
	}
	looks, m.woken = append(looks, m.woken...), emptied(m.woken)
	tasks, m.calls = append(tasks, m.calls...), emptied(m.calls)
	m.left.Store(false)
	return looks, tasks
}

// listed returns the connections that are to be looked at.
func (m *mailbox) listed() []*driven {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.woken)
}

// close has no more functions called.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
}

const keptList = 1024 // a list that has been longer is given up

// emptied returns a list without its entries, which it does not hold on to.
func emptied[T any](list []T) []T {
	if cap(list) > keptList {
		return nil
	}
	clear(list)
	return list[:0]
}
