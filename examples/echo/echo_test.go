package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/internal/leak"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leak.Main(m) }

var bg = context.Background()

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs an echo server as the flags say and returns its URL.
func start(t *testing.T, flags ...string) (*echo, string) {
	cfg, err := parseFlags(flags)
	require.NoError(t, err)
	e, err := newEcho(cfg)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- e.listen(l) }()
	t.Cleanup(func() {
		e.http.Close()
		e.close()
		if err := <-served; e.listens {
			assert.ErrorIs(t, err, websocket.ErrEngineClosed)
		} else {
			assert.ErrorIs(t, err, http.ErrServerClosed)
		}
	})
	return e, "ws://" + l.Addr().String()
}

func dial(t *testing.T, url string, opts *websocket.DialOptions) *websocket.Conn {
	c, err := websocket.Dial(bg, url, opts)
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func eachMode(t *testing.T, f func(t *testing.T, mode string)) {
	for _, name := range modeNames() {
		t.Run(name, func(t *testing.T) { f(t, name) })
	}
}

func TestEcho(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 65535, 65536, 16<<20 + 1}
	if testing.Short() {
		sizes = sizes[:6]
	}
	eachMode(t, func(t *testing.T, mode string) {
		_, url := start(t, "-mode", mode, "-max", "-1")
		c := dial(t, url+"/any/path?at=all", &websocket.DialOptions{MaxMessageSize: -1})
		for _, size := range sizes {
			for _, typ := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
				if size > 1<<20 && typ == websocket.MessageText {
					continue // takes its time under the race detector
				}
				want := bytes.Repeat([]byte("x"), size)
				written := make(chan error, 1)
				go func() { written <- c.Write(bg, typ, want) }()
				got, data, err := c.Read(bg)
				require.NoError(t, err)
				require.NoError(t, <-written)
				assert.Equal(t, typ, got)
				require.True(t, bytes.Equal(want, data), "%d bytes came back as %d", size, len(data))
			}
		}
		require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
	})
}

func TestSubprotocols(t *testing.T) {
	_, url := start(t, "-subprotocols", "a,b")
	c := dial(t, url, &websocket.DialOptions{Subprotocols: []string{"z", "b"}})
	assert.Equal(t, "b", c.Subprotocol())
	assert.Empty(t, dial(t, url, nil).Subprotocol())
}

func TestLimit(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		_, url := start(t, "-mode", mode, "-max", "10")
		c := dial(t, url, nil)
		require.NoError(t, c.WriteText(bg, "ten bytes."))
		_, data, err := c.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "ten bytes.", string(data))
		require.NoError(t, c.WriteText(bg, "eleven byte"))
		_, _, err = c.Read(bg)
		assert.Equal(t, websocket.StatusMessageTooBig, websocket.CloseStatus(err), err)
	})
}

// TestEnd closes the server while clients are in the middle of things.
func TestEnd(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		e, url := start(t, "-mode", mode)
		idle, busy := dial(t, url, nil), dial(t, url, nil)
		w, err := busy.Writer(bg, websocket.MessageText)
		require.NoError(t, err)
		_, err = w.WriteString("half a mess")
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		ended := make(chan struct{})
		go func() {
			e.close()
			close(ended)
		}()
		for _, c := range []*websocket.Conn{idle, busy} {
			for err = error(nil); err == nil; {
				_, _, err = c.Read(bg)
			}
			assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), err)
		}
		<-ended
		if e.listens {
			_, err := websocket.Dial(bg, url, nil)
			require.Error(t, err)
			return
		}
		late := dial(t, url, nil)
		_, _, err = late.Read(bg)
		assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), err)
	})
}

// TestRunServer has the server run until its context ends.
func TestRunServer(t *testing.T) {
	eachMode(t, func(t *testing.T, mode string) {
		cfg, err := parseFlags([]string{"-mode", mode, "-addr", "127.0.0.1:0"})
		require.NoError(t, err)
		var out syncBuffer
		defer log.SetOutput(log.Writer())
		log.SetOutput(&out)
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- runServer(ctx, cfg) }()
		var url string
		require.Eventually(t, func() bool {
			url = regexp.MustCompile(`ws://[0-9.:]+`).FindString(out.String())
			return url != ""
		}, 10*time.Second, time.Millisecond)
		c := dial(t, url, nil)
		require.NoError(t, c.WriteText(bg, "hello"))
		_, data, err := c.Read(bg)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(data))
		c.CloseRead(bg)
		cancel()
		require.NoError(t, <-ended)
		<-c.Done()
		assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(c.Err()), c.Err())
	})
}

// TestModesReturn checks what each mode tells of its end.
func TestModesReturn(t *testing.T) {
	for name, was := range modes {
		returned := make(chan error, 1)
		modes[name] = func(ctx context.Context, c *websocket.Conn) error {
			err := was(ctx, c)
			returned <- err
			return err
		}
		_, url := start(t, "-mode", name)
		require.NoError(t, dial(t, url, nil).Close(websocket.StatusNormalClosure, ""))
		err := <-returned
		assert.True(t, ordinary(err), err)
		dial(t, url, nil).CloseNow()
		err = <-returned
		assert.False(t, ordinary(err), err)
		modes[name] = was
	}
}

// TestStreamMemory sends a message of 16 MiB through the stream mode.
func TestStreamMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves much data")
	}
	_, url := start(t, "-mode", "stream", "-max", "-1")
	c := dial(t, url, &websocket.DialOptions{MaxMessageSize: -1})
	const size = 16 << 20
	written := make(chan error, 1)
	go func() {
		w, err := c.Writer(bg, websocket.MessageBinary)
		for n, chunk := 0, make([]byte, 64<<10); n < size && err == nil; n += len(chunk) {
			_, err = w.Write(chunk)
		}
		if err == nil {
			err = w.Close()
		}
		written <- err
	}()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, r, err := c.Reader(bg)
	require.NoError(t, err)
	n, err := io.CopyN(io.Discard, r, size/2)
	require.NoError(t, err)
	time.Sleep(100 * time.Millisecond) // what is between is full then, and nobody works
	runtime.GC()
	runtime.GC() // the first leaves what is in pools
	runtime.ReadMemStats(&after)
	assert.Less(t, after.HeapAlloc, before.HeapAlloc+2<<20, "in the middle of the message")
	m, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.NoError(t, <-written)
	assert.EqualValues(t, size, n+m)
}

func TestTalk(t *testing.T) {
	_, url := start(t)
	c := dial(t, url, nil)
	lines := make(chan string)
	go func() {
		defer close(lines)
		lines <- "hello"
		lines <- ""
	}()
	var out strings.Builder
	require.NoError(t, talk(bg, c, lines, &out))
	assert.Regexp(t, `^hello  \([0-9.]+[µm]?s\)\n  \([0-9.]+[µm]?s\)\n$`, out.String())
	assert.Equal(t, websocket.StatusNormalClosure, websocket.CloseStatus(c.Err()))
}

func TestTalkEnds(t *testing.T) {
	e, url := start(t)
	ctx, cancel := context.WithCancel(bg)
	time.AfterFunc(10*time.Millisecond, cancel)
	require.NoError(t, talk(ctx, dial(t, url, nil), nil, io.Discard))

	time.AfterFunc(10*time.Millisecond, e.close)
	err := talk(bg, dial(t, url, nil), nil, io.Discard)
	assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), err)
}

func TestFlags(t *testing.T) {
	cfg, err := parseFlags([]string{"-dial", "ws://example.com", "-max", "-1", "-mode", "serve", "-text", "a", "-text", "b c", "d"})
	require.NoError(t, err)
	assert.Equal(t, config{
		addr: "127.0.0.1:9001", dial: "ws://example.com", max: -1, mode: "serve", texts: []string{"a", "b c", "d"},
		takeover: true,
	}, cfg)
	assert.Nil(t, cfg.compression())
	for _, args := range [][]string{{"ws://127.0.0.1:9001"}, {"-text", "a"}} {
		_, err = parseFlags(args)
		require.ErrorContains(t, err, "needs -dial", args)
	}
	cfg, err = parseFlags([]string{"-compress"})
	require.NoError(t, err)
	assert.Equal(t, &websocket.Compression{Threshold: -1, SendTakeover: true, ReceiveTakeover: true}, cfg.compression())
	cfg, err = parseFlags([]string{"-compress", "-takeover=false", "-window-bits", "9"})
	require.NoError(t, err)
	assert.Equal(t, &websocket.Compression{Threshold: -1, SendWindowBits: 9, ReceiveWindowBits: 9}, cfg.compression())
}
