// The client: sends lines and prints the answers.

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed86893212/websocket"
)

// runClient sends the texts of the command line, or the lines of the standard
// input if there are none.
func runClient(ctx context.Context, cfg config) error {
	c, err := websocket.Dial(ctx, cfg.dial, &websocket.DialOptions{
		MaxMessageSize: cfg.max,
		Subprotocols:   cfg.subprotocols,
		Compression:    cfg.compression(),
	})
	if err != nil {
		return err
	}
	if p := c.Subprotocol(); p != "" {
		fmt.Fprintln(os.Stderr, "subprotocol:", p)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		if len(cfg.texts) == 0 {
			readLines(os.Stdin, lines)
		}
		for _, text := range cfg.texts {
			lines <- text
		}
	}()
	return talk(ctx, c, lines, os.Stdout)
}

func readLines(r io.Reader, lines chan<- string) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		lines <- scanner.Text()
	}
	if err := scanner.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "reading the input:", err)
	}
}

// talk sends the lines one by one and prints the answer to each. It closes c
// when there are no more lines or ctx ends.
func talk(ctx context.Context, c *websocket.Conn, lines <-chan string, out io.Writer) error {
	answers := make(chan websocket.Message)
	// Somebody reads all the time: that is what answers the server's pings and
	// sees it close while this side waits for a line.
	go func() {
		for {
			typ, data, err := c.Read(context.Background())
			if err != nil {
				return
			}
			select {
			case answers <- websocket.Message{Type: typ, Data: data}:
			case <-c.Done():
			case <-ctx.Done():
			}
		}
	}()
	for {
		var sent time.Time
		select {
		case line, more := <-lines:
			if !more {
				return c.Close(websocket.StatusNormalClosure, "")
			}
			sent = time.Now()
			if err := c.WriteText(ctx, line); err != nil {
				_ = c.Close(websocket.StatusGoingAway, "")
				return err
			}
		case m := <-answers: // the server speaks unasked
			show(out, m, "")
			continue
		case <-c.Done():
			return c.Err()
		case <-ctx.Done():
			return c.Close(websocket.StatusGoingAway, "")
		}
		select {
		case m := <-answers:
			show(out, m, fmt.Sprintf("  (%v)", time.Since(sent).Round(time.Microsecond)))
		case <-c.Done():
			return c.Err()
		case <-ctx.Done():
			return c.Close(websocket.StatusGoingAway, "")
		}
	}
}

func show(out io.Writer, m websocket.Message, note string) {
	if m.Type == websocket.MessageText {
		fmt.Fprintf(out, "%s%s\n", m.Data, note)
	} else {
		fmt.Fprintf(out, "[%d bytes]%s\n", len(m.Data), note)
	}
}
