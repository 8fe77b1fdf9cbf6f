// The context of a connection's request.

package websocket

import (
	"context"
	"sync"
	"time"
)

// A connContext is a context that ends with a connection, with the cause of that end,
// even while a loop's body or a callback is still busy. It costs a goroutine neither
// here nor where others are derived from it, and next to nothing until somebody waits
// for it.
type connContext struct {
	values context.Context // without an end
	l      *link
	once   sync.Once
	made   context.Context // one of package context, which knows how to derive from its own
}

func (x *connContext) make() context.Context {
	x.once.Do(func() {
		made, cancel := context.WithCancelCause(x.values)
		x.made = made
		x.l.onEnd(cancel)
	})
	return x.made
}

func (*connContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (x *connContext) Done() <-chan struct{} { return x.make().Done() }

func (x *connContext) Err() error {
	if !x.l.isClosed() {
		return nil
	}
	<-x.Done() // which is only just being closed, maybe
	return context.Canceled
}

func (x *connContext) Value(key any) any {
	if v := x.values.Value(key); v != nil {
		return v
	}
	return x.make().Value(key)
}

// toWaitWith returns the context to wait with for one that a reader or a writer was
// given. The connection's own need not be watched: its end ends the wait as well. So a
// send that waits, as over TLS, needs no goroutine for it.
func toWaitWith(ctx context.Context, l *link) context.Context {
	if x, own := ctx.(*connContext); own && x.l == l {
		return context.Background()
	}
	return ctx
}
