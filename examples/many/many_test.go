package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/internal/leak"
	"github.com/stretchr/testify/require"
)

// The processes of the crowd are this executable too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == crowdArg {
		if err := crowdMain(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	leak.Main(m)
}

// start runs the program and returns its address.
func start(t *testing.T, open int) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, l, open) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return l.Addr().String()
}

// A viewer is the page.
type viewer struct {
	*websocket.Conn
	t *testing.T
}

func view(t *testing.T, addr string) viewer {
	c, err := websocket.Dial(t.Context(), "ws://"+addr+"/live", nil)
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	return viewer{c, t}
}

func (v viewer) wish(w wish) {
	p, err := json.Marshal(w)
	require.NoError(v.t, err)
	require.NoError(v.t, v.Write(v.t.Context(), websocket.MessageText, p))
}

// until waits for facts that are as they should be.
func (v viewer) until(what string, so func(f facts) bool) facts {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	for {
		_, p, err := v.Read(ctx)
		require.NoError(v.t, err, "%s; at last %s", what, p)
		var f facts
		require.NoError(v.t, json.Unmarshal(p, &f))
		if so(f) {
			return f
		}
	}
}

// A crowd is there from the start, the page has more come, they talk, and they
// leave.
func TestCrowd(t *testing.T) {
	v := view(t, start(t, 20))
	v.until("from the start", func(f facts) bool { return f.Connections == 20 && f.Wanted == 20 })
	v.wish(wish{Open: 30})
	f := v.until("more", func(f facts) bool { return f.Connections == 50 && f.Wanted == 50 })
	require.Less(t, f.Goroutines, 30, "a goroutine for each connection?")
	require.NotZero(t, f.Heap)
	require.NotZero(t, f.Stacks)
	f = v.until("talk", func(f facts) bool { return f.Messages >= 20 && f.Rate > 0 })
	require.EqualValues(t, 50, f.Connections, "who talks stays")
	v.wish(wish{Close: true})
	v.until("leave", func(f facts) bool { return f.Connections == 0 && f.Wanted == 0 })
}

// Nobody can ask for more than there are descriptors.
func TestRoom(t *testing.T) {
	d := &crowd{addr: "127.0.0.1:1", room: 100, wanted: 100}
	d.add(1)
	require.Equal(t, 100, d.size())
	require.Empty(t, d.ends)
}

func TestWishThatIsNone(t *testing.T) {
	v := view(t, start(t, 0))
	require.NoError(t, v.WriteText(t.Context(), "hello"))
	for {
		_, _, err := v.Read(t.Context())
		if err != nil {
			require.Equal(t, websocket.StatusUnsupportedData, websocket.CloseStatus(err))
			return
		}
	}
}

func TestPage(t *testing.T) {
	addr := start(t, 0)
	for path, want := range map[string]string{"/": "<title>Many connections", "/app.js": "new WebSocket", "/style.css": "light dark"} {
		r, err := http.Get("http://" + addr + path)
		require.NoError(t, err)
		p, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		r.Body.Close()
		require.Equal(t, http.StatusOK, r.StatusCode, path)
		require.Contains(t, string(p), want, path)
		require.Equal(t, policy, r.Header.Get("Content-Security-Policy"))
	}
	http.DefaultClient.CloseIdleConnections()
}
