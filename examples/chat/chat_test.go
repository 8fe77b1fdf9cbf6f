package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/internal/leak"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leak.Main(m) }

var (
	bg  = context.Background()
	png = []byte("\x89PNG\r\n\x1a\n and so on")
)

// generous lets tests say much.
func generous() limits {
	l := defaults
	l.burst = 1e6
	return l
}

func start(t *testing.T, l limits) (*server, string) {
	s := newServer(l)
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		s.close()
		srv.Close()
	})
	return s, srv.URL
}

// A guest is a client of the chat.
type guest struct {
	*websocket.Conn
	t *testing.T
}

// connect dials and reads the greeting.
func connect(t *testing.T, url string) guest {
	c, err := websocket.Dial(bg, url+"/ws", &websocket.DialOptions{Subprotocols: []string{"chat"}, MaxMessageSize: 8 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	require.Equal(t, "chat", c.Subprotocol())
	g := guest{c, t}
	g.hear("id")
	return g
}

// join connects and takes a name.
func join(t *testing.T, url, name string) guest {
	g := connect(t, url)
	g.say(message{Type: "username", Name: name})
	g.hear("joined")
	return g
}

func (g guest) say(m message) {
	g.t.Helper()
	p, err := json.Marshal(m)
	require.NoError(g.t, err)
	require.NoError(g.t, g.Write(bg, websocket.MessageText, p))
}

func (g guest) next() (websocket.MessageType, []byte) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	typ, p, err := g.Read(ctx)
	require.NoError(g.t, err)
	return typ, p
}

// hear returns the next message of a type, skipping others.
func (g guest) hear(typ string) message {
	g.t.Helper()
	for {
		t, p := g.next()
		if t != websocket.MessageText {
			continue
		}
		var m message
		require.NoError(g.t, json.Unmarshal(p, &m))
		if m.Type == typ {
			return m
		}
	}
}

// end returns the code the server closes with.
func (g guest) end() websocket.StatusCode {
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	for {
		if _, _, err := g.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestPage(t *testing.T) {
	_, url := start(t, defaults)
	for _, path := range []string{"/", "/app.js", "/style.css", "/icon.svg"} {
		r, err := http.Get(url + path)
		require.NoError(t, err)
		r.Body.Close()
		assert.Equal(t, http.StatusOK, r.StatusCode, path)
		assert.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'")
	}
	r, err := http.Get(url + "/ws")
	require.NoError(t, err)
	r.Body.Close()
	assert.Equal(t, http.StatusUpgradeRequired, r.StatusCode)
}

func TestOrigin(t *testing.T) {
	_, url := start(t, defaults)
	_, err := websocket.Dial(bg, url+"/ws", &websocket.DialOptions{Header: http.Header{"Origin": {"http://evil.example"}}})
	var he *websocket.HandshakeError
	require.ErrorAs(t, err, &he)
	assert.Equal(t, http.StatusForbidden, he.StatusCode)
}

func TestJoinAndLeave(t *testing.T) {
	_, url := start(t, defaults)
	ada := join(t, url, "Ada")
	other := connect(t, url)
	other.say(message{Type: "username", Name: "ada"})
	rejected := other.hear("rejectusername")
	assert.Equal(t, "ada 2", rejected.Name)
	assert.Equal(t, "ada is taken", rejected.Text)
	assert.Equal(t, "ada 2", other.hear("username").Name)

	assert.Equal(t, "ada 2", ada.hear("joined").Name)
	assert.Equal(t, []string{"Ada", "ada 2"}, ada.hear("userlist").Users)
	require.NoError(t, other.Close(websocket.StatusNormalClosure, ""))
	assert.Equal(t, "ada 2", ada.hear("left").Name)
	assert.Equal(t, []string{"Ada"}, ada.hear("userlist").Users)
}

func TestBroadcast(t *testing.T) {
	_, url := start(t, defaults)
	ada, grace := join(t, url, "Ada"), join(t, url, "Grace")
	ada.say(message{Type: "message", Text: " <b>hello</b>\x00 "})
	ada.say(message{Type: "image", Text: "sunset.png"})
	require.NoError(t, ada.Write(bg, websocket.MessageBinary, png))
	late := connect(t, url)
	for _, g := range []guest{ada, grace} {
		check := func(m message, name string) {
			assert.Equal(t, name, m.Name)
			assert.NotZero(t, m.ID)
			assert.InDelta(t, time.Now().UnixMilli(), m.Date, 60e3)
		}
		m := g.hear("message")
		check(m, "Ada")
		assert.Equal(t, "<b>hello</b>", m.Text)
		m = g.hear("image")
		check(m, "Ada")
		assert.Equal(t, message{Type: "image", ID: m.ID, Name: "Ada", Date: m.Date, Text: "sunset.png", Mime: "image/png", Size: len(png)}, m)
		typ, p := g.next()
		assert.Equal(t, websocket.MessageBinary, typ)
		assert.Equal(t, png, p)
	}
	// A newcomer hears it too, before the name is granted.
	late.say(message{Type: "username", Name: "Late"})
	assert.Equal(t, "<b>hello</b>", late.hear("message").Text)
	late.hear("image")
	_, p := late.next()
	assert.Equal(t, png, p)
	late.hear("username")
}

func TestRefused(t *testing.T) {
	l := generous()
	l.strikes = 8
	_, url := start(t, l)
	g := connect(t, url)
	g.say(message{Type: "message", Text: "hello"})
	assert.Contains(t, g.hear("error").Text, "who you are")
	g.say(message{Type: "username", Name: "Ada"})
	g.hear("joined")
	binary, text := websocket.MessageBinary, websocket.MessageText
	for _, bad := range []struct {
		typ     websocket.MessageType
		data    string
		because string
	}{
		{text, `{"type":`, "JSON"},
		{text, `[]`, "JSON"},
		{text, `{"type":"dance"}`, `"dance"`},
		{text, `{"type":"username","name":"Grace"}`, "already"},
		{text, `{"type":"message","text":" "}`, "nothing"},
		{text, `{"type":"message","text":"` + strings.Repeat("é", 2001) + `"}`, "2000"},
		{text, strings.Repeat(" ", 1<<20), "2000"},
	} {
		require.NoError(t, g.Write(bg, bad.typ, []byte(bad.data)))
		assert.Contains(t, g.hear("error").Text, bad.because)
	}
	require.NoError(t, g.Write(bg, binary, png)) // makes up for one
	require.NoError(t, g.Write(bg, binary, []byte("<svg>")))
	assert.Contains(t, g.hear("error").Text, "PNG")
	require.NoError(t, g.Write(bg, binary, []byte("<svg>")))
	assert.Equal(t, websocket.StatusPolicyViolation, g.end())
}

func TestTooMuch(t *testing.T) {
	_, url := start(t, defaults)
	g := join(t, url, "Ada")
	for range 12 {
		g.say(message{Type: "message", Text: "hello"})
	}
	assert.Contains(t, g.hear("error").Text, "wait")
}

func TestTooBig(t *testing.T) {
	_, url := start(t, defaults)
	g := join(t, url, "Ada")
	image := append(bytes.Clone(png), make([]byte, defaults.image-int64(len(png)))...)
	require.NoError(t, g.Write(bg, websocket.MessageBinary, image))
	assert.EqualValues(t, defaults.image, g.hear("image").Size)
	_, p := g.next()
	assert.Len(t, p, int(defaults.image))
	_ = g.Write(bg, websocket.MessageBinary, append(image, 0)) // may be cut off
	assert.Equal(t, websocket.StatusMessageTooBig, g.end())
}

// TestSlowReader: one who does not read is dropped, and nobody else waits.
func TestSlowReader(t *testing.T) {
	l := generous()
	l.queue, l.historyBytes = 1<<20, 1<<20
	s, url := start(t, l)
	ada := join(t, url, "Ada")
	slow := join(t, url, "Slow")
	image := append(bytes.Clone(png), make([]byte, 256<<10)...)
	began := time.Now()
	gone := false
	for range 200 { // the system's own buffers take some
		require.NoError(t, ada.Write(bg, websocket.MessageBinary, image))
		for got := false; !got; {
			typ, p := ada.next()
			got = typ == websocket.MessageBinary
			gone = gone || bytes.Contains(p, []byte(`"left"`))
		}
		if gone {
			break
		}
	}
	assert.True(t, gone, "Slow was not dropped")
	assert.Less(t, time.Since(began), 10*time.Second)
	s.room.mu.Lock()
	assert.Equal(t, []string{"Ada"}, s.room.names())
	s.room.mu.Unlock()
	assert.Equal(t, websocket.StatusTryAgainLater, slow.end())
}

func TestRoomIsFull(t *testing.T) {
	l := defaults
	l.members = 1
	_, url := start(t, l)
	join(t, url, "Ada")
	c, err := websocket.Dial(bg, url+"/ws", nil)
	require.NoError(t, err)
	assert.Equal(t, websocket.StatusTryAgainLater, guest{c, t}.end())
}

// TestRun ends the whole program, and one who does not listen cannot stop it.
func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := pageURL(l.Addr(), "127.0.0.1:0")
	ctx, cancel := context.WithCancel(bg)
	ran := make(chan error, 1)
	go func() { ran <- run(ctx, l) }()
	ada := join(t, strings.TrimSuffix(url, "/"), "Ada")
	connect(t, strings.TrimSuffix(url, "/"))
	cancel()
	assert.Equal(t, websocket.StatusGoingAway, ada.end())
	require.NoError(t, <-ran)
}

func TestPageURL(t *testing.T) {
	a := &net.TCPAddr{IP: net.IPv4zero, Port: 80}
	assert.Equal(t, "http://localhost:80/", pageURL(a, ":0"))
	assert.Equal(t, "http://localhost:80/", pageURL(a, "0.0.0.0:80"))
	assert.Equal(t, "http://example.com:80/", pageURL(a, "example.com:80"))
}
