package websocket

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A watchedRaw counts who keeps the descriptor open, and looks at the transport
// when nobody does any more: then anybody may have closed it.
type watchedRaw struct {
	syscall.RawConn
	holders int
	let     func()
}

func (w *watchedRaw) drop() {
	if w.holders--; w.holders == 0 {
		w.let()
	}
}

func (w *watchedRaw) Control(f func(fd uintptr)) error {
	w.holders++
	defer w.drop()
	return w.RawConn.Control(f)
}

func (w *watchedRaw) Read(f func(fd uintptr) bool) error {
	w.holders++
	defer w.drop()
	return w.RawConn.Read(f)
}

// stepOf is a stepper of one function.
type stepOf func() (done bool)

func (s stepOf) step() bool { return s() }

// The descriptor is pinned only while it is kept open, even if the one who gave
// the net.Conn closes it: under its number another might get the bytes.
func TestPinEndsBeforeTheDescriptor(t *testing.T) {
	for _, how := range []string{"done", "woken", "panic"} {
		t.Run(how, func(t *testing.T) {
			a, b := tcpPair(t)
			defer a.Close()
			defer b.Close()
			raw := newRawTransport(a).(*rawTransport)
			let := 0
			raw.rc = &watchedRaw{RawConn: raw.rc, let: func() {
				let++
				assert.EqualValues(t, pinNone, raw.pin.Load(), "pinned without the descriptor")
			}}
			stand := func() error {
				return raw.stand(stepOf(func() bool {
					assert.EqualValues(t, pinFree, raw.pin.Load())
					switch how {
					case "woken":
						raw.wakeRead(true)
					case "panic":
						panic("step")
					}
					return how == "done"
				}))
			}
			switch how {
			case "done":
				require.NoError(t, stand())
			case "woken":
				require.ErrorIs(t, stand(), errWoken)
			case "panic":
				require.Panics(t, func() { _ = stand() })
			}
			require.Equal(t, 1, let)
			require.Nil(t, raw.turns)
		})
	}
}
