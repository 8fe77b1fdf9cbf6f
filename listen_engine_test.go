package websocket

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An Engine's own listener: connections are driven by what Accept chose, other
// requests go to the Fallback, and Shutdown ends it all.
func TestEngineServe(t *testing.T) {
	e, err := NewEngine(nil)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	echoes := &Events{Message: func(c *Conn, mt MessageType, p []byte) {
		_ = c.Write(bg, mt, append([]byte(c.UserData().(string)), p...))
	}}
	served := async(func() error {
		return e.Serve(l, &ListenOptions{
			Upgrade: &UpgradeOptions{Compression: &Compression{}},
			Accept: func(h *Handshake) error {
				h.UserData = h.Request.URL.Path + " "
				return nil
			},
			Fallback: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		}, echoes)
	})
	c, err := Dial(bg, "ws://"+l.Addr().String()+"/room", &DialOptions{Compression: &Compression{}})
	require.NoError(t, err)
	assert.NotEmpty(t, c.Extensions())
	require.NoError(t, c.WriteText(bg, "hello"))
	_, p, err := c.Read(bg)
	require.NoError(t, err)
	assert.Equal(t, "/room hello", string(p))
	resp, err := http.Get("http://" + l.Addr().String())
	require.NoError(t, err)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	assert.Equal(t, http.StatusTeapot, resp.StatusCode)
	assert.Equal(t, 1, e.Len())
	done := async(func() error { _, _, err := c.Read(bg); return err })
	require.NoError(t, e.Shutdown(bg))
	assert.Equal(t, StatusGoingAway, CloseStatus(within(t, time.Minute, done)))
	require.ErrorIs(t, within(t, time.Minute, served), ErrEngineClosed)
	assert.Zero(t, e.Len())
	require.ErrorIs(t, e.Serve(l, nil, echoes), ErrEngineClosed)
}

func TestEngineServeRefuses(t *testing.T) {
	e, err := NewEngine(nil)
	require.NoError(t, err)
	defer e.Shutdown(bg)
	require.Error(t, e.Serve(nil, nil, &Events{}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.Error(t, e.Serve(l, nil, nil))
	require.ErrorContains(t, e.Serve(l, &ListenOptions{Upgrade: &UpgradeOptions{OriginPatterns: []string{"%"}}}, &Events{}), "%")
	require.NoError(t, l.Close())
	err = e.Serve(l, nil, &Events{})
	require.True(t, errors.Is(err, net.ErrClosed), "%v", err)
}

// A bareListener cannot be compared, nor be the key of a map.
type bareListener struct {
	net.Listener
	_ func()
}

// Any kind of listener is accepted from, twice at once too, and Shutdown ends
// both calls.
func TestEngineServeAnyListener(t *testing.T) {
	e, err := NewEngine(nil)
	require.NoError(t, err)
	under, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := bareListener{Listener: under}
	first := async(func() error { return e.Serve(l, nil, &Events{}) })
	second := async(func() error { return e.Serve(l, nil, &Events{}) })
	waitUntil(t, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.accept) == 2
	})
	var none context.Context
	require.ErrorIs(t, e.Shutdown(none), errNilContext)
	require.NoError(t, e.Shutdown(bg))
	require.ErrorIs(t, within(t, time.Minute, first), ErrEngineClosed)
	require.ErrorIs(t, within(t, time.Minute, second), ErrEngineClosed)
}

// CHECKLIST 14 and 23: clients who send no request do not hold Serve up once the
// listener has ended, however long a handshake may take.
func TestEngineServeEndsHandshakes(t *testing.T) {
	for name, end := range map[string]func(e *Engine, l net.Listener) error{
		"Shutdown": func(e *Engine, _ net.Listener) error { return e.Shutdown(bg) },
		"Close":    func(_ *Engine, l net.Listener) error { return l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			e, err := NewEngine(nil)
			require.NoError(t, err)
			defer e.Shutdown(bg)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			served := async(func() error {
				return e.Serve(l, &ListenOptions{Upgrade: &UpgradeOptions{HandshakeTimeout: -1}}, &Events{})
			})
			nc, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer nc.Close()
			// The one behind it has been answered, so it has been accepted.
			c, err := Dial(bg, "ws://"+l.Addr().String(), nil)
			require.NoError(t, err)
			defer c.CloseNow()
			c.CloseRead(bg)
			require.NoError(t, end(e, l))
			require.Error(t, within(t, 5*time.Second, served))
			_, err = nc.Read(make([]byte, 1))
			require.Error(t, err)
		})
	}
}
