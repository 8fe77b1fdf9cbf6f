// A transport whose reads cannot be taken back: one goroutine reads ahead.

package websocket

import (
	"io"
	"net"
	"sync"
)

// aheadSize bounds what is read ahead.
const aheadSize = 16 << 10

// maxIdleReads is how often in a row a Read may return neither bytes nor an error.
const maxIdleReads = 100

// An aheadTransport reads from its net.Conn on a goroutine of its own into a
// bounded buffer, so that whoever waits for input can be woken without a trace
// on the net.Conn. The goroutine starts with the first read and ends with the
// connection.
type aheadTransport struct {
	connTransport
	mu    sync.Mutex
	cond  sync.Cond
	start bool
	woken bool
	buf   []byte // read, from off on
	off   int
	err   error // after buf
	ended bool  // closed from this side
}

func newAheadTransport(ct connTransport) *aheadTransport {
	t := &aheadTransport{connTransport: ct}
	t.cond.L = &t.mu
	return t
}

func (t *aheadTransport) read(in *input, p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.start {
		t.start = true
		go t.readAhead()
	}
	for t.off == len(t.buf) && t.err == nil && !t.woken && !t.ended {
		t.cond.Wait()
	}
	if t.ended {
		return 0, net.ErrClosed
	}
	if t.woken {
		return 0, errWoken
	}
	if t.off == len(t.buf) {
		return 0, t.err
	}
	have := t.buf[t.off:]
	if len(p) == 0 {
		p = in.fill(len(have))[:len(have)]
		in.w = len(have)
	}
	n := copy(p, have)
	t.off += n
	t.cond.Broadcast()
	return n, nil
}

// readAhead reads until the net.Conn ends, as far ahead as there is room.
func (t *aheadTransport) readAhead() {
	room := make([]byte, aheadSize)
	for idle := 0; ; idle++ {
		n, err := t.nc.Read(room)
		switch {
		case n > 0:
			idle = 0
		case err == nil && idle == maxIdleReads:
			err = io.ErrNoProgress
		}
		t.mu.Lock()
		t.buf, t.off, t.err = room[:max(n, 0)], 0, err
		t.cond.Broadcast()
		for t.off < len(t.buf) && !t.ended {
			t.cond.Wait()
		}
		ended := t.ended
		t.mu.Unlock()
		if err != nil || ended {
			return
		}
	}
}

func (t *aheadTransport) wakeRead(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.woken = on
	t.cond.Broadcast()
}

// end lets go of whoever waits.
func (t *aheadTransport) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	t.cond.Broadcast()
}

func (t *aheadTransport) close() error {
	t.end()
	return t.connTransport.close()
}

func (t *aheadTransport) abort() error {
	t.end()
	return t.connTransport.abort()
}
