// The testee: this library's client, driven through a server that judges it.
// No other file of the runner knows the library.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seed86893212/websocket"
)

// A testee runs the cases of a judging server, ours or the original.
type testee struct {
	server   string
	agent    string
	parallel int
	timeout  time.Duration // of one case
	progress func(format string, args ...any)
}

// run runs all cases, and then asks for the reports.
func (t *testee) run(ctx context.Context) error {
	var count int
	if err := t.ask(ctx, "/getCaseCount", &count); err != nil {
		return fmt.Errorf("cannot count the cases: %w", err)
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(1, t.parallel) {
		workers.Go(func() {
			for n := range next {
				t.runCase(ctx, n)
			}
		})
	}
	for n := 1; n <= count && ctx.Err() == nil; n++ {
		next <- n
	}
	close(next)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	verdicts := map[string]int{}
	for n := 1; n <= count; n++ {
		var status struct {
			Behavior string `json:"behavior"`
		}
		if err := t.ask(ctx, fmt.Sprintf("/getCaseStatus?case=%d&agent=%s", n, url.QueryEscape(t.agent)), &status); err != nil {
			t.progress("case %d: no verdict: %v\n", n, err)
		}
		verdicts[status.Behavior]++
	}
	t.progress("%d cases: %s\n", count, counts(verdicts))
	return t.ask(ctx, "/updateReports?agent="+url.QueryEscape(t.agent), nil)
}

// runCase echoes until the server ends the connection. What comes of it is the
// server's to judge, so errors are not ours.
func (t *testee) runCase(ctx context.Context, n int) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	var about struct {
		ID string `json:"id"`
	}
	if t.ask(ctx, fmt.Sprintf("/getCaseInfo?case=%d", n), &about) != nil {
		return
	}
	c, err := websocket.Dial(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", strings.TrimRight(t.server, "/"), n, url.QueryEscape(t.agent)),
		&websocket.DialOptions{MaxMessageSize: -1, Compression: &websocket.Compression{
			Threshold: -1, SendTakeover: !startsAnew(about.ID), ReceiveTakeover: true,
		}})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
			return
		}
	}
}

// startsAnew reports whether a case wants the client to compress each message on
// its own. It accepts only a client that has offered to (RFC 7692, section 7.1.1.2),
// which a client that wants takeover does not.
func startsAnew(id string) bool {
	for _, group := range []string{"13.2.", "13.5.", "13.6."} {
		if strings.HasPrefix(id, group) {
			return true
		}
	}
	return id == "X.1.8"
}

// ask gets the answer of the server to a question; nil means that only the
// end of the connection is awaited.
func (t *testee) ask(ctx context.Context, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	c, err := websocket.Dial(ctx, strings.TrimRight(t.server, "/")+path, &websocket.DialOptions{MaxMessageSize: -1})
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseNow() }()
	if answer == nil {
		<-c.CloseRead(ctx).Done()
		return ctx.Err()
	}
	_, text, err := c.Read(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}
