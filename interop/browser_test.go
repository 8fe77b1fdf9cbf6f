//go:build linux

package interop

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// A browser is a headless Chromium. It is driven by its DevTools protocol,
// over a connection that Dial has opened: one more server to get on with.
type browser struct {
	t    testing.TB
	conn *websocket.Conn

	mu      sync.Mutex
	last    int
	answers map[int]chan devAnswer
	loaded  map[string]chan struct{} // by session
}

// devAnswer is what DevTools send: the answer to a command, or an event.
type devAnswer struct {
	ID        int
	SessionID string
	Method    string
	Result    json.RawMessage
	Error     struct{ Message string }
}

func startBrowser(t *testing.T) *browser {
	need(t, "chromium")
	profile, err := os.MkdirTemp("", "interop")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	p := start(t, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-extensions", "--log-level=3", "--disable-features=BackForwardCache", "--disable-background-timer-throttling",
		"--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
		"--no-proxy-server", "--ignore-certificate-errors", // of a root that it can't be told of
		"--host-resolver-rules=MAP *.example 127.0.0.1",
		"--user-data-dir="+profile, "--remote-debugging-port=0", "about:blank")
	_, url, _ := strings.Cut(p.await("DevTools listening on ws://"), "listening on ")
	opts := direct()
	opts.MaxMessageSize = 64 << 20
	b := &browser{
		t:       t,
		conn:    dial(t, url, opts),
		answers: map[int]chan devAnswer{},
		loaded:  map[string]chan struct{}{},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.listen()
	}()
	t.Cleanup(func() {
		_ = b.conn.CloseNow()
		<-done
	})
	return b
}

// listen hands out what the browser says.
func (b *browser) listen() {
	for m, err := range b.conn.Messages(context.Background()) {
		if err != nil {
			return // who waits notices
		}
		var a devAnswer
		if err := json.Unmarshal(m.Data, &a); err != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case a.ID != 0:
			b.answers[a.ID] <- a
			delete(b.answers, a.ID)
		case a.Method == "Page.loadEventFired":
			select {
			case b.loaded[a.SessionID] <- struct{}{}:
			default:
			}
		}
		b.mu.Unlock()
	}
}

// call has the browser do something; session is "" for the browser as a whole.
func (b *browser) call(t *testing.T, session, method string, params, result any) {
	t.Helper()
	answered := make(chan devAnswer, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.answers[id] = answered
	b.mu.Unlock()
	command := map[string]any{"id": id, "method": method, "params": params}
	if session != "" {
		command["sessionId"] = session
	}
	bytes, err := json.Marshal(command)
	require.NoError(t, err)
	require.NoError(t, b.conn.Write(within(t), websocket.MessageText, bytes))
	select {
	case a := <-answered:
		require.Empty(t, a.Error.Message, method)
		if result != nil {
			require.NoError(t, json.Unmarshal(a.Result, result))
		}
	case <-b.conn.Done():
		t.Fatalf("the browser has gone: %v", b.conn.Err())
	case <-time.After(patience):
		t.Fatalf("the browser does not answer to %s", method)
	}
}

// A page is a tab with a profile of its own.
type page struct {
	b       *browser
	session string
	loaded  chan struct{}
}

// open opens a page and waits until it is loaded.
func (b *browser) open(t *testing.T, url string) *page {
	t.Helper()
	var profile struct{ BrowserContextID string }
	b.call(t, "", "Target.createBrowserContext", args{}, &profile)
	var target struct{ TargetID string }
	b.call(t, "", "Target.createTarget",
		args{"url": "about:blank", "browserContextId": profile.BrowserContextID}, &target)
	var attached struct{ SessionID string }
	b.call(t, "", "Target.attachToTarget", args{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &page{b: b, session: attached.SessionID, loaded: make(chan struct{}, 1)}
	b.mu.Lock()
	b.loaded[p.session] = p.loaded
	b.mu.Unlock()
	b.call(t, p.session, "Page.enable", args{}, nil)
	b.call(t, p.session, "DOM.enable", args{}, nil)
	p.navigate(t, url)
	t.Cleanup(func() {
		if b.conn.State() == websocket.StateOpen {
			b.call(t, "", "Target.disposeBrowserContext", args{"browserContextId": profile.BrowserContextID}, nil)
		}
	})
	return p
}

// navigate leads to another page and waits until it is loaded.
func (p *page) navigate(t *testing.T, url string) {
	t.Helper()
	select {
	case <-p.loaded: // about:blank
	default:
	}
	var got struct{ ErrorText string }
	p.b.call(t, p.session, "Page.navigate", args{"url": url}, &got)
	require.Empty(t, got.ErrorText, url)
	select {
	case <-p.loaded:
	case <-time.After(patience):
		t.Fatalf("%s is not loaded", url)
	}
}

// run runs the body of an async function in the page and stores what it
// returns.
func (p *page) run(t *testing.T, body string, result any) {
	t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	p.b.call(t, p.session, "Runtime.evaluate", args{
		"expression":    "(async () => {" + body + "})()",
		"awaitPromise":  true,
		"returnByValue": true,
	}, &got)
	if e := got.ExceptionDetails; e != nil {
		t.Fatalf("in the page: %s %s\n%s", e.Text, e.Exception.Description, body)
	}
	if result != nil {
		require.NoError(t, json.Unmarshal(got.Result.Value, result))
	}
}

// choose has the user choose a file in a file input.
func (p *page) choose(t *testing.T, selector, file string) {
	t.Helper()
	var document struct{ Root struct{ NodeID int } }
	p.b.call(t, p.session, "DOM.getDocument", args{}, &document)
	var node struct{ NodeID int }
	p.b.call(t, p.session, "DOM.querySelector", args{"nodeId": document.Root.NodeID, "selector": selector}, &node)
	require.NotZero(t, node.NodeID, selector)
	p.b.call(t, p.session, "DOM.setFileInputFiles", args{"nodeId": node.NodeID, "files": []string{file}}, nil)
}
