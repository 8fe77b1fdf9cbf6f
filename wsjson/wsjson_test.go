package wsjson_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/internal/leak"
	"github.com/seed86893212/websocket/internal/wstest"
	"github.com/seed86893212/websocket/wsjson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leak.Main(m) }

var bg = context.Background()

type move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// connect runs a real server and a real Dial in memory.
func connect(t testing.TB, opts *websocket.DialOptions) (client, server *websocket.Conn) {
	t.Helper()
	conns, end := make(chan *websocket.Conn, 1), make(chan struct{})
	ln := wstest.Serve(t, websocket.Handler(func(c *websocket.Conn, _ *http.Request) {
		conns <- c
		<-end
	}, &websocket.UpgradeOptions{Heartbeat: -1}))
	if opts == nil {
		opts = &websocket.DialOptions{}
	}
	opts.NetDial, opts.Heartbeat = ln.Dial, -1
	client, err := websocket.Dial(bg, wstest.URL, opts)
	require.NoError(t, err)
	server = <-conns
	t.Cleanup(func() {
		client.CloseNow()
		server.CloseNow()
		close(end)
		<-server.Done()
	})
	return client, server
}

func TestRoundTrip(t *testing.T) {
	client, server := connect(t, nil)
	for _, want := range []move{{"e2", "e4"}, {}, {From: strings.Repeat("é<&>", 20_000)}} {
		written := make(chan error, 1)
		go func() { written <- wsjson.Write(bg, client, want) }()
		got, err := wsjson.Read[move](bg, server)
		require.NoError(t, err)
		require.NoError(t, <-written)
		assert.Equal(t, want, got)
	}
}

// The wire has no trailing newline and no HTML escapes.
func TestWire(t *testing.T) {
	client, server := connect(t, nil)
	for _, tc := range []struct {
		v    any
		want string
	}{
		{map[string]string{"html": "<a href='x'>&</a>"}, `{"html":"<a href='x'>&</a>"}`},
		{nil, "null"},
		{(*move)(nil), "null"},
		{"\n", `"\n"`},
		{"bad \xff byte", `"bad \ufffd byte"`},
		{[]int{1, 2}, "[1,2]"},
		{json.RawMessage(" [ 1 ] "), "[1]"},
	} {
		require.NoError(t, wsjson.Write(bg, client, tc.v))
		require.NoError(t, wsjson.Send(client, tc.v))
		for range 2 {
			typ, p, err := server.Read(bg)
			require.NoError(t, err)
			assert.Equal(t, websocket.MessageText, typ)
			assert.Equal(t, tc.want, string(p))
		}
	}
}

func TestReadTypes(t *testing.T) {
	client, server := connect(t, nil)
	send := func(s string) { require.NoError(t, client.WriteText(bg, s)) }

	send("null")
	m, err := wsjson.Read[move](bg, server)
	require.NoError(t, err)
	assert.Zero(t, m)

	send("null")
	p, err := wsjson.Read[*move](bg, server)
	require.NoError(t, err)
	assert.Nil(t, p)

	send(`{"to":"e4","more":1}`)
	p, err = wsjson.Read[*move](bg, server)
	require.NoError(t, err)
	assert.Equal(t, &move{To: "e4"}, p)

	send(" [1, \"a\", null] \n")
	v, err := wsjson.Read[any](bg, server)
	require.NoError(t, err)
	assert.Equal(t, []any{1.0, "a", nil}, v)

	send("null")
	v, err = wsjson.Read[any](bg, server)
	require.NoError(t, err)
	assert.Nil(t, v)

	send(`{"k": "v"}`)
	raw, err := wsjson.Read[json.RawMessage](bg, server)
	require.NoError(t, err)
	send(`{"k": "overwritten"}`)
	_, err = wsjson.Read[json.RawMessage](bg, server)
	require.NoError(t, err)
	assert.Equal(t, `{"k": "v"}`, string(raw), "what was returned must not change")
}

func TestDecodeErrorLeavesConnectionUsable(t *testing.T) {
	client, server := connect(t, nil)
	for _, tc := range []struct {
		name  string
		typ   websocket.MessageType
		data  string
		match any
	}{
		{"syntax", websocket.MessageText, `{"from":`, new(*json.SyntaxError)},
		{"empty", websocket.MessageText, ``, new(*json.SyntaxError)},
		{"white space", websocket.MessageText, ` `, new(*json.SyntaxError)},
		{"type", websocket.MessageText, `{"from":"e2","to":4}`, new(*json.UnmarshalTypeError)},
		{"other value", websocket.MessageText, `[]`, new(*json.UnmarshalTypeError)},
		{"trailing value", websocket.MessageText, `{"from":"e2"} {}`, new(*json.SyntaxError)},
		{"trailing brace", websocket.MessageText, `{"from":"e2"}}`, new(*json.SyntaxError)},
		{"binary", websocket.MessageBinary, `{"from":"e2"}`, new(*wsjson.DecodeError)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.NoError(t, client.Write(bg, tc.typ, []byte(tc.data)))
			got, err := wsjson.Read[move](bg, server)
			var de *wsjson.DecodeError
			require.ErrorAs(t, err, &de)
			require.ErrorAs(t, err, tc.match)
			assert.Equal(t, tc.typ, de.Type)
			assert.True(t, strings.HasPrefix(err.Error(), "wsjson: "), err)
			assert.Zero(t, got, "a failed read returned part of the message")

			require.NoError(t, wsjson.Write(bg, client, move{To: "e4"}))
			got, err = wsjson.Read[move](bg, server)
			require.NoError(t, err)
			assert.Equal(t, move{To: "e4"}, got)
		})
	}
}

func TestEncodeErrorSendsNothing(t *testing.T) {
	client, server := connect(t, nil)
	err := wsjson.Write(bg, client, map[string]any{"a": 1, "b": make(chan int)})
	var ute *json.UnsupportedTypeError
	require.ErrorAs(t, err, &ute)
	err = wsjson.Write(bg, client, json.RawMessage("\"\xff\""))
	require.ErrorIs(t, err, websocket.ErrInvalidText)
	require.ErrorAs(t, wsjson.Send(client, make(chan int)), &ute)
	require.NoError(t, wsjson.Write(bg, client, "next"))
	got, err := wsjson.Read[string](bg, server)
	require.NoError(t, err)
	assert.Equal(t, "next", got)
}

// The size of a message is bounded as everywhere.
func TestLimit(t *testing.T) {
	client, server := connect(t, nil)
	server.SetMaxMessageSize(1000)
	require.NoError(t, wsjson.Write(bg, client, strings.Repeat("x", 998)))
	_, err := wsjson.Read[string](bg, server)
	require.NoError(t, err)
	require.NoError(t, wsjson.Write(bg, client, strings.Repeat("x", 999)))
	go client.Read(bg) // sees the close frame
	_, err = wsjson.Read[string](bg, server)
	require.ErrorIs(t, err, websocket.ErrMessageTooBig)
	var de *wsjson.DecodeError
	assert.False(t, errors.As(err, &de))
}

func TestEnd(t *testing.T) {
	client, server := connect(t, nil)
	go client.Close(websocket.StatusNormalClosure, "done")
	_, err := wsjson.Read[move](bg, server)
	assert.Equal(t, websocket.StatusNormalClosure, websocket.CloseStatus(err))
	<-client.Done()
	require.ErrorIs(t, wsjson.Write(bg, client, 1), net.ErrClosed)
	require.ErrorIs(t, wsjson.Send(client, 1), net.ErrClosed)
}

// Send does not wait for a peer that reads nothing.
func TestSendLimit(t *testing.T) {
	client, _ := connect(t, &websocket.DialOptions{SendLimit: 1000})
	require.ErrorIs(t, wsjson.Send(client, strings.Repeat("x", 1000)), websocket.ErrSendLimit)
}

// A read that is given up between the frames of a message loses nothing.
func TestCancelledRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := connect(t, nil)
		w, err := client.Writer(bg, websocket.MessageText)
		require.NoError(t, err)
		w.WriteString(`{"from":"e2",`)
		require.NoError(t, w.Flush())
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = wsjson.Read[move](ctx, server)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		w.WriteString(`"to":"e4"}`)
		require.NoError(t, w.Close())
		got, err := wsjson.Read[move](bg, server)
		require.NoError(t, err)
		assert.Equal(t, move{"e2", "e4"}, got)
	})
}

func TestConcurrentWrites(t *testing.T) {
	client, server := connect(t, nil)
	const writers, each = 8, 100
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				assert.NoError(t, wsjson.Write(bg, client, strings.Repeat("x", i*20)))
			}
		})
	}
	sum := 0
	for range writers * each {
		s, err := wsjson.Read[string](bg, server)
		require.NoError(t, err)
		sum += len(s)
	}
	assert.Equal(t, writers*20*each*(each-1)/2, sum)
	wg.Wait()
}

// discard is a transport that takes everything and gives nothing.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// frames is a transport that gives the same bytes again and again.
type frames struct {
	net.Conn
	wire []byte
	at   int
}

func (f *frames) Read(p []byte) (int, error) {
	n := copy(p, f.wire[f.at:])
	f.at = (f.at + n) % len(f.wire)
	return n, nil
}

func TestAllocations(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("allocations are counted in a plain build")
	}
	a, b := wstest.Pipe()
	defer a.Close()
	defer b.Close()
	c, err := websocket.NewConn(discard{a}, &websocket.ConnConfig{Role: websocket.RoleServer, Heartbeat: -1})
	require.NoError(t, err)
	defer c.CloseNow()
	var v any = &move{"e2", "e4"}
	n := testing.AllocsPerRun(1000, func() {
		if err := wsjson.Write(bg, c, v); err != nil {
			t.Fatal(err)
		}
	})
	assert.Zero(t, n, "allocations per Write")
	n = testing.AllocsPerRun(1000, func() {
		if err := wsjson.Send(c, v); err != nil {
			t.Fatal(err)
		}
	})
	assert.Zero(t, n, "allocations per Send")

	wire := wstest.Wire(wstest.TextFrame("12345"))
	c, err = websocket.NewConn(&frames{Conn: b, wire: wire}, &websocket.ConnConfig{Role: websocket.RoleClient, Heartbeat: -1})
	require.NoError(t, err)
	defer c.CloseNow()
	n = testing.AllocsPerRun(1000, func() {
		if v, err := wsjson.Read[int](bg, c); v != 12345 || err != nil {
			t.Fatal(v, err)
		}
	})
	p, plain := []byte("12345"), new(int)
	unmarshal := testing.AllocsPerRun(1000, func() { json.Unmarshal(p, plain) })
	assert.LessOrEqual(t, n, unmarshal+1, "allocations per Read: those of json.Unmarshal and the value")
}
