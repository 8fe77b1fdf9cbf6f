// Who reads: one at a time, and for how long.

package websocket

import "sync"

// A readerRole says who has the reading side. Only one goroutine at a time has
// it; a driver (Events.Serve, Engine, CloseRead, NetConn) has it for good.
type readerRole struct {
	mu     sync.Mutex
	held   bool          // somebody has it now
	driven bool          // a driver has taken it
	own    bool          // it is a goroutine of ours, which always sees the end through
	stance stance        // of the holder
	closed bool          // the transport has been: all is over when nobody holds the role
	freed  chan struct{} // closed as held becomes false, if somebody waits
}

// stance says how the holder of a role is to the transport.
type stance uint8

const (
	outside  stance = iota
	standing        // it stands in the transport, which must not be closed
	doomed          // and is to close it as it leaves
)

// take takes the role for one read or one loop.
func (r *readerRole) take() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.driven:
		return ErrTaken
	case r.held:
		return ErrConcurrentRead
	}
	r.held = true
	return nil
}

// drive takes the role for a driver, which may be a goroutine of our own.
func (r *readerRole) drive(own bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.driven:
		return ErrTaken
	case r.held:
		return ErrConcurrentRead
	}
	r.held, r.driven, r.own = true, true, own
	return nil
}

// give gives the role back. It reports whether all is over, as finish does.
func (r *readerRole) give() (over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
	return r.closed
}

// finish says that the transport has been closed.
func (r *readerRole) finish() (over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return !r.held
}

// stand says that the holder begins to stand in the transport, leave that it
// does not any more, and reports whether it has to close it.
func (r *readerRole) stand() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stance = standing
}

func (r *readerRole) leave() (closes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.stance
	r.stance = outside
	return was == doomed
}

// doom leaves the closing of the transport to a holder who stands in it. It
// reports whether there is one.
func (r *readerRole) doom() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stance == outside {
		return false
	}
	r.stance = doomed
	return true
}

// closer is how a closing call comes by the role: it has taken it, or somebody
// who will finish the handshake has it, or it can wait until it is freed; without freed, for
// the end. With inUser the holder may be the one who calls.
func (r *readerRole) closer(inUser bool) (taken, busy bool, freed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.driven && !r.own || inUser:
		return false, true, nil
	case !r.held && !r.driven:
		r.held = true
		return true, false, nil
	case !r.held: // a goroutine of ours has seen the end, which is under way
		return false, false, nil
	}
	if r.freed == nil {
		r.freed = make(chan struct{})
	}
	return false, false, r.freed
}
