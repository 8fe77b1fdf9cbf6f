// Receiving for several connections of an event loop at once.

package websocket

import "github.com/seed86893212/websocket/internal/poll"

// A fetch makes the receipts of an event loop's next turns in one system call: each
// turn finds what has come for it in its connection's buffer.
type fetch struct {
	batch    *poll.Batch // nil: each turn receives for itself
	from, to int         // of the loop's events, those that it has been made for
	of       [togetherMost]fetched
}

// A fetched is what has been received for d, nil if nothing has been tried.
type fetched struct {
	d *driven
	receipt
}

// begin forgets what was fetched. What comes next is for n events from the given on.
func (f *fetch) begin(from, n int) {
	f.from, f.to = from, from+n
	clear(f.of[:])
}

// add has something received for d in its turn, that of the given event, unless d would
// not receive then, or does so to another place.
func (f *fetch) add(at int, d *driven) {
	l := &d.c.l
	if d.stage == stageOpen && !d.resting && d.leaving() == nil && l.rd.dry() && !l.isClosed() {
		f.of[at-f.from].d = d
		f.batch.Recv(int(d.fd), l.rd.buf.fill(chunkSize))
	}
}

// do receives.
func (f *fetch) do() {
	f.batch.Do()
	i := 0
	for at := range f.of {
		g := &f.of[at]
		if g.d == nil {
			continue
		}
		g.n, g.err = f.batch.Result(i)
		if in := &g.d.c.l.rd.buf; g.n > 0 {
			in.w = g.n
		} else {
			in.free()
		}
		i++
	}
	f.batch.Reset()
}

// taken returns what has been received for d in its turn, nil if nothing was tried.
func (f *fetch) taken(at int, d *driven) *receipt {
	if at < f.from || at >= f.to || f.of[at-f.from].d != d {
		return nil
	}
	return &f.of[at-f.from].receipt
}
