//go:build linux

package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// A peer is another implementation in a process of its own: node/peer.mjs or
// python/peer.py, which say what they can do.
type peer struct {
	*process
	in      io.Writer
	answers chan string
	base    string // of its server
	last    int    // id
}

// args are the arguments of a command.
type args map[string]any

// answer is what a command gives.
type answer struct {
	Error      string
	Port       int
	Protocol   string
	Payload    string
	Extensions string
	Code       websocket.StatusCode
	Reason     string
	Echoes     int // of a batch
}

func startPeer(t *testing.T, name string, arg ...string) *peer {
	p := &peer{process: newProcess(t, name, arg...), answers: make(chan string)}
	// The peers stop at the end of their input.
	in, err := p.cmd.StdinPipe()
	require.NoError(t, err)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	p.in, p.cmd.Stdout = in, w
	p.run()
	_ = w.Close()
	go func() {
		defer close(p.answers)
		defer r.Close()
		for lines := bufio.NewScanner(r); lines.Scan(); {
			p.answers <- lines.Text()
		}
	}()
	p.base = fmt.Sprintf("ws://127.0.0.1:%d", p.call("listen", nil).Port)
	return p
}

func nodePeer(t *testing.T) *peer {
	need(t, "node", "./node/node_modules/ws")
	return startPeer(t, "node", "node/peer.mjs")
}

func pythonPeer(t *testing.T) *peer {
	// Debian's own Python: another one has no package websockets.
	need(t, "/usr/bin/python3", "/usr/lib/python3/dist-packages/websockets")
	return startPeer(t, "/usr/bin/python3", "-I", "python/peer.py")
}

// try has a command carried out.
func (p *peer) try(command string, a args) answer {
	p.t.Helper()
	line := map[string]any{"run": command}
	for name, value := range a {
		line[name] = value
	}
	bytes, err := json.Marshal(line)
	require.NoError(p.t, err)
	_, err = p.in.Write(append(bytes, '\n'))
	require.NoError(p.t, err)
	select {
	case text, ok := <-p.answers:
		if !ok {
			p.t.Fatalf("the peer has died in %s", command)
		}
		var got answer
		require.NoError(p.t, json.Unmarshal([]byte(text), &got), text)
		return got
	case <-time.After(patience):
		p.t.Fatalf("the peer does not answer to %s", command)
		panic("not reached")
	}
}

// call is try for a command that must go well.
func (p *peer) call(command string, a args) answer {
	p.t.Helper()
	got := p.try(command, a)
	if got.Error != "" {
		p.t.Fatalf("%s: %s", command, got.Error)
	}
	return got
}

// dial opens a connection to the peer's server. The function waits until that
// has seen the connection's end, and tells how it was.
func (p *peer) dial(t *testing.T, path string, query url.Values, opts *websocket.DialOptions) (*websocket.Conn, func() answer) {
	t.Helper()
	p.last++
	id := strconv.Itoa(p.last)
	if query == nil {
		query = url.Values{}
	}
	query.Set("id", id)
	if opts == nil {
		opts = direct()
	}
	c := dial(t, p.base+path+"?"+query.Encode(), opts)
	return c, func() answer {
		t.Helper()
		return p.call("ended", args{"id": id})
	}
}

// sizes are those where the length field changes, with their neighbors, and
// some hundred at random, the small ones more often.
var sizes = func() []int {
	s := []int{0, 1, 124, 125, 126, 127, 65535, 65536, 65537, 1 << 20}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		s = append(s, random.IntN(1<<random.IntN(15)))
	}
	return s
}()

// small are for many messages at once.
var small = func() []int {
	var s []int
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		s = append(s, random.IntN(300))
	}
	return append(s, 100_000, 5, 0)
}()

// closings are the codes and reasons that are sent in each direction.
var closings = []struct {
	code   websocket.StatusCode
	reason string
}{
	{websocket.StatusNormalClosure, ""},
	{websocket.StatusNormalClosure, "done"},
	{websocket.StatusGoingAway, "leaving – au revoir"},
	{3000, "日本語 🙂"},
	{4999, strings.Repeat("ö", 61) + "!"}, // 123 bytes, the most there is room for
	{websocket.StatusNoStatusReceived, ""},
}

func TestNode(t *testing.T)   { testPeer(t, nodePeer(t)) }
func TestPython(t *testing.T) { testPeer(t, pythonPeer(t)) }

func testPeer(t *testing.T, p *peer) {
	s := newServer(t, nil, &websocket.UpgradeOptions{Subprotocols: []string{"chat.v2"}})
	t.Run("client", func(t *testing.T) { testPeerClient(t, p, s) })
	t.Run("server", func(t *testing.T) { testPeerServer(t, p) })
}

// testPeerClient has the peer connect to our server.
func testPeerClient(t *testing.T, p *peer, s *server) {
	for _, echo := range echoes {
		t.Run(echo.name, func(t *testing.T) {
			url := s.ws("/echo/" + echo.name)
			got := p.call("echo", args{"url": url, "sizes": sizes, "protocols": []string{"chat.v1", "chat.v2"}})
			require.Equal(t, "chat.v2", got.Protocol)
			requireClosed(t, s.end(), 1000, "", true)
			p.call("batch", args{"url": url, "sizes": small})
			requireClosed(t, s.end(), 1000, "", true)
			p.call("fragments", args{"url": url, "sizes": []int{0, 1, 70_000, 0, 125, 126, 3, 0}})
			requireClosed(t, s.end(), 1000, "", true)
			got = p.call("ping", args{"url": url, "payload": strings.Repeat("é", 62)})
			require.Equal(t, strings.Repeat("é", 62), got.Payload)
			requireClosed(t, s.end(), 1000, "", true)
			for _, closing := range closings {
				a := args{"url": url}
				if closing.code != websocket.StatusNoStatusReceived {
					a["code"], a["reason"] = closing.code, closing.reason
				}
				got := p.call("close", a)
				require.Equal(t, closing.code, got.Code)
				requireClosed(t, s.end(), closing.code, closing.reason, true)
			}
			p.call("terminate", args{"url": url})
			require.ErrorIs(t, s.end(), io.ErrUnexpectedEOF)
			got = p.call("toobig", args{"url": url, "size": 1<<20 + 1})
			require.Equal(t, websocket.StatusMessageTooBig, got.Code)
			require.ErrorIs(t, s.end(), websocket.ErrMessageTooBig)
		})
	}
	t.Run("server closes", func(t *testing.T) {
		for _, closing := range closings {
			query := url.Values{"code": {strconv.Itoa(int(closing.code))}, "reason": {closing.reason}}
			got := p.call("closed", args{"url": s.ws("/close?" + query.Encode())})
			require.Equal(t, closing.code, got.Code)
			require.Equal(t, closing.reason, got.Reason)
			requireClosed(t, s.end(), closing.code, closing.reason, false)
		}
	})
	t.Run("server aborts", func(t *testing.T) {
		got := p.call("toobig", args{"url": s.ws("/abort"), "size": 1})
		require.EqualValues(t, 1006, got.Code)
		s.end()
	})
	t.Run("no WebSocket here", func(t *testing.T) {
		got := p.try("closed", args{"url": s.ws("/nowhere")})
		require.Contains(t, got.Error, "404")
	})
	t.Run("foreign origin", func(t *testing.T) {
		opts := direct()
		opts.Header = http.Header{"Origin": {"https://evil.example"}}
		_, err := websocket.Dial(within(t), s.ws("/echo/Read"), opts)
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he)
		require.Equal(t, http.StatusForbidden, he.StatusCode)
	})
}

// testPeerServer has our Dial connect to the peer's server.
func testPeerServer(t *testing.T, p *peer) {
	types := []websocket.MessageType{websocket.MessageText, websocket.MessageBinary}
	for _, path := range []string{"/echo", "/fragments"} {
		t.Run(path, func(t *testing.T) {
			opts := direct()
			opts.Subprotocols = []string{"chat.v1", "chat.v2"}
			c, ended := p.dial(t, path, url.Values{"n": {"999"}}, opts)
			require.Equal(t, "chat.v2", c.Subprotocol())
			require.Equal(t, http.StatusSwitchingProtocols, c.Response().StatusCode)
			for _, size := range sizes {
				if path == "/fragments" && size == 0 {
					continue // has no fragments
				}
				for _, typ := range types {
					p := payload(size, typ)
					if path == "/fragments" && typ == websocket.MessageText {
						p = []byte(strings.Repeat("t", size)) // the peers cut text anywhere
					}
					exchange(t, c, typ, p)
				}
			}
			require.NoError(t, c.Close(websocket.StatusNormalClosure, "bye"))
			require.Equal(t, answer{Code: 1000, Reason: "bye"}, ended())
		})
	}
	for _, echo := range echoes {
		t.Run(echo.name, func(t *testing.T) {
			// The peer sends a batch and counts its echo; then we close, while it is read.
			c, ended := p.dial(t, "/batch", url.Values{"n": {"1000"}}, nil)
			done := make(chan error, 1)
			go func() { done <- echo.run(within(t), c) }()
			rtt, err := c.Ping(within(t)) // its pong comes behind the batch
			require.NoError(t, err)
			require.Positive(t, rtt)
			require.NoError(t, c.Flush(within(t)))
			closeAndWait(t, c, 4000, "enough")
			<-done
			require.Equal(t, answer{Code: 4000, Reason: "enough", Echoes: 1000}, ended())
			requireClosed(t, c.Err(), 4000, "enough", false)
		})
	}
	t.Run("batch", func(t *testing.T) {
		c, ended := p.dial(t, "/batch", url.Values{"n": {"5000"}}, nil)
		for i := range 5000 {
			_, m, err := c.Read(within(t))
			require.NoError(t, err)
			require.Equal(t, "message "+strconv.Itoa(i), string(m))
		}
		require.NoError(t, c.Close(websocket.StatusGoingAway, ""))
		require.Equal(t, answer{Code: 1001}, ended())
	})
	t.Run("our batch and fragments", func(t *testing.T) { testOurBatch(t, p) })
	t.Run("ping from the peer", func(t *testing.T) {
		c, ended := p.dial(t, "/ping", url.Values{"payload": {"are you there? é"}}, nil)
		_, m, err := c.Read(within(t))
		require.NoError(t, err)
		require.Equal(t, "are you there? é", string(m))
		require.NoError(t, c.Close(1000, ""))
		ended()
	})
	t.Run("ping to the peer", func(t *testing.T) { testOurPing(t, p) })
	t.Run("we close", func(t *testing.T) {
		for _, closing := range closings {
			c, ended := p.dial(t, "/echo", nil, nil)
			require.NoError(t, c.Close(closing.code, closing.reason))
			require.Equal(t, answer{Code: closing.code, Reason: closing.reason}, ended())
			requireClosed(t, c.Err(), closing.code, closing.reason, false)
		}
	})
	t.Run("the peer closes", func(t *testing.T) {
		for _, closing := range closings {
			query := url.Values{}
			if closing.code != websocket.StatusNoStatusReceived {
				query = url.Values{"code": {strconv.Itoa(int(closing.code))}, "reason": {closing.reason}}
			}
			c, ended := p.dial(t, "/close", query, nil)
			_, _, err := c.Read(within(t))
			requireClosed(t, err, closing.code, closing.reason, true)
			require.Equal(t, closing.code, ended().Code)
		}
	})
	t.Run("the peer goes without a close frame", func(t *testing.T) {
		c, ended := p.dial(t, "/terminate", nil, nil)
		require.NoError(t, c.WriteText(within(t), "go"))
		_, _, err := c.Read(within(t))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		ended()
	})
	t.Run("we go without a close frame", func(t *testing.T) {
		c, ended := p.dial(t, "/echo", nil, nil)
		require.NoError(t, c.CloseNow())
		require.EqualValues(t, 1006, ended().Code)
	})
}

// closeAndWait closes a connection that somebody else reads.
func closeAndWait(t *testing.T, c *websocket.Conn, code websocket.StatusCode, reason string) {
	t.Helper()
	require.NoError(t, c.Close(code, reason))
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the connection does not end")
	}
}

// testOurBatch sends many messages, in every way of writing, before it reads.
func testOurBatch(t *testing.T, p *peer) {
	c, ended := p.dial(t, "/echo", nil, nil)
	prepared, err := websocket.NewPreparedMessage(websocket.MessageText, []byte("prepared"))
	require.NoError(t, err)
	ctx := within(t)
	sent := make(chan error, 1)
	go func() {
		sent <- func() error {
			for i := range 500 {
				text := "message " + strconv.Itoa(i)
				if err := c.WriteText(ctx, text); err != nil {
					return err
				}
				if err := c.Send(websocket.MessageBinary, []byte(text)); err != nil {
					return err
				}
				if err := c.WritePrepared(ctx, prepared); err != nil {
					return err
				}
				w, err := c.Writer(ctx, websocket.MessageText)
				if err != nil {
					return err
				}
				for _, piece := range []string{"", text[:3], "é", text[3:], ""} {
					if _, err := w.WriteString(piece); err != nil {
						return err
					}
				}
				if err := w.Close(); err != nil {
					return err
				}
			}
			return c.Flush(ctx)
		}()
	}()
	expect := func(wantTyp websocket.MessageType, want string) {
		t.Helper()
		typ, m, err := c.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, want, string(m))
		require.Equal(t, wantTyp, typ)
	}
	for i := range 500 {
		text := "message " + strconv.Itoa(i)
		expect(websocket.MessageText, text)
		expect(websocket.MessageBinary, text)
		expect(websocket.MessageText, "prepared")
		expect(websocket.MessageText, text[:3]+"é"+text[3:])
	}
	require.NoError(t, <-sent)
	require.NoError(t, c.Close(1000, ""))
	require.Equal(t, answer{Code: 1000}, ended())
}

// testOurPing sends pings whose pongs must have the same payload.
func testOurPing(t *testing.T, p *peer) {
	c, ended := p.dial(t, "/echo", nil, nil)
	payloads := []string{"", "x", strings.Repeat("p", 125)}
	var got []string
	ev := &websocket.Events{
		Open: func(c *websocket.Conn) {
			for _, payload := range payloads {
				_ = c.SendPing([]byte(payload))
			}
			_ = c.Send(websocket.MessageText, []byte("after the pings"))
		},
		Pong: func(_ *websocket.Conn, p []byte) { got = append(got, string(p)) },
		Message: func(c *websocket.Conn, _ websocket.MessageType, _ []byte) {
			_ = c.Close(websocket.StatusNormalClosure, "")
		},
	}
	require.NoError(t, ev.Serve(within(t), c))
	require.Equal(t, payloads, got)
	require.Equal(t, answer{Code: 1000}, ended())
}
