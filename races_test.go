package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raced are the calls that are raced against each other. Each must return, and
// with no other error than those that a racing end or context explains.
var raced = map[string]func(c *Conn) error{
	"Close":    func(c *Conn) error { return c.Close(StatusNormalClosure, "") },
	"CloseNow": func(c *Conn) error { return c.CloseNow() },
	"Read":     func(c *Conn) error { _, _, err := c.Read(bg); return err },
	"Read with a time-out": func(c *Conn) error {
		ctx, cancel := context.WithTimeout(bg, 50*time.Microsecond)
		defer cancel()
		_, _, err := c.ReadInto(ctx, nil)
		return err
	},
	"Messages": func(c *Conn) error {
		for _, err := range c.Messages(bg) {
			return err
		}
		return nil
	},
	"Reader": func(c *Conn) error {
		_, r, err := c.Reader(bg)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		return err
	},
	"Write": func(c *Conn) error { return c.Write(bg, MessageBinary, make([]byte, 20<<10)) },
	"Write with a time-out": func(c *Conn) error {
		ctx, cancel := context.WithTimeout(bg, 50*time.Microsecond)
		defer cancel()
		return c.Write(ctx, MessageBinary, make([]byte, 100<<10))
	},
	"Writer": func(c *Conn) error {
		w, err := c.Writer(bg, MessageText)
		if err != nil {
			return err
		}
		w.WriteString("x")
		w.Flush()
		return w.Close()
	},
	"Send":  func(c *Conn) error { return c.Send(MessageText, []byte("x")) },
	"Flush": func(c *Conn) error { return c.Flush(bg) },
	"Ping": func(c *Conn) error {
		ctx, cancel := context.WithTimeout(bg, 50*time.Microsecond)
		defer cancel()
		_, err := c.Ping(ctx)
		return err
	},
	"the peer's Close": nil,
	"the peer's end":   nil,
}

// CHECKLIST 30: all pairs against each other.
func TestAllPairs(t *testing.T) {
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	overTransports(t, func(t *testing.T, pair pairFunc) {
		for a := range raced {
			for b := range raced {
				for range rounds {
					race(t, pair, a, b)
				}
			}
		}
	})
}

func race(t *testing.T, pair pairFunc, names ...string) {
	c, other := connectPair(t, pair, ConnConfig{Heartbeat: time.Millisecond, CloseTimeout: 20 * time.Millisecond})
	var wg sync.WaitGroup
	wg.Go(func() { echo(other, "into") })
	wg.Go(func() { other.Send(MessageText, []byte("hello")) })
	var calls sync.WaitGroup
	start := make(chan struct{})
	for _, name := range names {
		calls.Go(func() {
			<-start
			switch call := raced[name]; {
			case call != nil:
				if err := call(c); err != nil && !explained(err) && !discarded(err, names) {
					t.Errorf("%v: %s: %v", names, name, err)
				}
			case name == "the peer's Close":
				other.Close(4000, "")
			default:
				other.CloseNow()
			}
		})
	}
	close(start)
	time.AfterFunc(20*time.Millisecond, func() { c.CloseNow() }) // what nobody else ends
	calls.Wait()
	c.CloseNow()
	other.CloseNow()
	within(t, time.Minute, c.Done())
	wg.Wait()
	require.Equal(t, StateClosed, c.State())
	require.Error(t, c.Err())
	require.Zero(t, c.BufferedAmount())
}

// explained reports whether err can come of a race.
func explained(err error) bool {
	for _, want := range []error{
		net.ErrClosed, ErrConcurrentRead, os.ErrDeadlineExceeded, context.DeadlineExceeded,
		io.ErrUnexpectedEOF, io.ErrClosedPipe,
	} {
		if errors.Is(err, want) {
			return true
		}
	}
	var network *net.OpError
	return errors.As(err, &network) || CloseStatus(err) != 0
}

// discarded reports whether err is that of a Reader whose message another read
// has discarded.
func discarded(err error, names []string) bool {
	reads := 0
	for _, name := range names {
		switch name {
		case "Read", "Read with a time-out", "Messages", "Reader":
			reads++
		}
	}
	return errors.Is(err, errStaleReader) && reads == 2
}

// A ringTransport notes how it is woken.
type ringTransport struct {
	memoryTransport
	rings []bool
}

func (t *ringTransport) wakeRead(on bool) { t.rings = append(t.rings, on) }

// CHECKLIST 29: the end of a context that is not waited with any more is not
// heard by a later wait, however late its callback runs.
func TestBellIsNotLate(t *testing.T) {
	tr := &ringTransport{}
	b := bell{t: tr}
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	b.watch(ctx)
	late := b.watched
	b.watch(bg)
	b.contextEnded(late)
	require.Empty(t, tr.rings)
	b.wake(wakeDrain)
	b.watch(ctx)
	b.contextEnded(b.watched)
	b.watch(bg)
	require.Equal(t, []bool{true}, tr.rings, "there is another reason")
	require.Equal(t, wakeDrain, b.answer())
	require.Equal(t, []bool{true, false}, tr.rings)
}
