// Cases 9 and 10: large messages in every cut, and many small ones.

package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// fillerText has characters of one to four bytes, so that cuts at any power of
// two fall into some of them in turn. It is 64 bytes long.
const fillerText = "Sphinx of black quartz, judge my vow. \u00bfQu\u00e9? \u20ac \U0001f980 \u4e16\u754c 01"

// filler is n bytes of text, n being a multiple of 64.
func filler(n int) string { return strings.Repeat(fillerText, n/len(fillerText)) }

// fillerBytes is n bytes of anything.
func fillerBytes(n int) []byte {
	p := make([]byte, n)
	x := uint32(2463534242)
	for i := range p {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		p[i] = byte(x)
	}
	return p
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// largeLimit is how long a peer has for one large message.
const largeLimit = 60 * time.Second

// size writes a number of bytes as people do.
func size(n int) string {
	switch {
	case n >= mib && n%mib == 0:
		return fmt.Sprintf("%d MiB", n/mib)
	case n >= kib && n%kib == 0:
		return fmt.Sprintf("%d KiB", n/kib)
	}
	return fmt.Sprintf("%d bytes", n)
}

func limitCases() []*testCase {
	var cases []*testCase
	for kind := range 2 { // text, binary
		name := []string{"text", "binary"}[kind]
		for i, n := range []int{64 * kib, 256 * kib, 1 * mib, 4 * mib, 8 * mib, 16 * mib} {
			cases = append(cases, largeCase(fmt.Sprintf("9.%d.%d", 1+kind, i+1),
				fmt.Sprintf("Sends a %s message of %s.", name, size(n)), kind == 1, n, 0, 0))
		}
		for i, fragment := range []int{64, 256, 1 * kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, 1 * mib, 4 * mib} {
			cases = append(cases, largeCase(fmt.Sprintf("9.%d.%d", 3+kind, i+1),
				fmt.Sprintf("Sends a %s message of 4 MiB in fragments of %s.", name, size(fragment)), kind == 1, 4*mib, fragment, 0))
		}
		for i, chop := range []int{64, 128, 256, 512, 1024, 2048} {
			cases = append(cases, largeCase(fmt.Sprintf("9.%d.%d", 5+kind, i+1),
				fmt.Sprintf("Sends a %s message of 1 MiB in writes of %s.", name, size(chop)), kind == 1, 1*mib, 0, chop))
		}
	}
	auto := largeCase("10.1.1", "Sends a text message of 64 KiB in fragments of 1300 bytes.", false, 64*kib, 1300, 0)
	auto.limit = 0
	auto.quiet = false
	return append(cases, auto)
}

// largeCase is one message that must come back, made when the case is run.
func largeCase(id, does string, binary bool, n, fragment, chop int) *testCase {
	c := &testCase{
		id: id, does: does, wants: "Sends the message back.", close: cleanClose(),
		limit: largeLimit, quiet: true,
	}
	c.drive = func(r *run) {
		payload := largePayload(binary, n)
		start := time.Now()
		if r.write(r.peer.send(chop, false, cut(payload, binary, fragment)...)) {
			r.expectEcho(payload, binary, c.patience(r.env))
		}
		if r.behavior == verdictOK {
			r.result = fmt.Sprintf("The message came back after %d ms.", time.Since(start).Milliseconds())
		}
		r.sendClose(closePayload(1000, ""))
	}
	return c
}

func (c *testCase) patience(e *environment) time.Duration { return max(c.limit, e.patience) }

func largePayload(binary bool, n int) []byte {
	if binary {
		return fillerBytes(n)
	}
	return []byte(filler(n))
}

// cut makes the frames of a message; 0 means one frame.
func cut(payload []byte, binary bool, fragment int) []frame {
	op := opText
	if binary {
		op = opBinary
	}
	if fragment <= 0 {
		fragment = max(1, len(payload))
	}
	frames := make([]frame, 0, 1+len(payload)/fragment)
	for first := true; first || len(payload) > 0; first = false {
		n := min(fragment, len(payload))
		frames = append(frames, frame{op: op, payload: payload[:n], more: n < len(payload)})
		payload, op = payload[n:], opContinuation
	}
	return frames
}

// expectEcho waits for one message and compares it. It sets the behavior, and
// returns the event.
func (r *run) expectEcho(payload []byte, binary bool, limit time.Duration) (event, bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	r.behavior = verdictFailed
	for {
		e, ok := r.peer.next(timer.C)
		if !ok {
			r.failedByMe = true
			r.result = fmt.Sprintf("The message did not come back within %s.", limit)
			return e, false
		}
		r.handle(e)
		switch {
		case r.ended || r.closeGot || r.violation != nil:
			r.result = "The peer ended the connection before the message came back."
			return e, false
		case e.kind != gotMessage:
			continue
		}
		r.received = nil // there may be many, and large ones
		switch {
		case e.binary != binary:
			r.result = "The message came back with the wrong type."
		case len(e.payload) != len(payload):
			r.result = fmt.Sprintf("The message came back with %d bytes instead of %d.", len(e.payload), len(payload))
		case !bytes.Equal(e.payload, payload):
			r.result = "The message came back with other bytes than were sent."
		default:
			r.behavior, r.result = verdictOK, "The message came back as it was sent."
			return e, true
		}
		return e, false
	}
}

// roundTripCases send a thousand messages, one after the other.
func roundTripCases() []*testCase {
	var cases []*testCase
	for kind, name := range []string{"text", "binary"} {
		for i, n := range []int{0, 16, 64, 256, 1024, 4096} {
			c := &testCase{
				id:    fmt.Sprintf("9.%d.%d", 7+kind, i+1),
				does:  fmt.Sprintf("Sends 1000 %s messages of %s, each when the one before has come back.", name, size(n)),
				wants: "Sends all of them back.", close: cleanClose(), limit: largeLimit, quiet: true,
			}
			payload := []byte(filler(4096)[:n])
			c.drive = func(r *run) {
				start := time.Now()
				for range 1000 {
					if !r.write(r.peer.send(0, false, cut(payload, kind == 1, 0)...)) {
						break
					}
					if _, ok := r.expectEcho(payload, kind == 1, c.patience(r.env)); !ok {
						break
					}
				}
				if r.behavior == verdictOK {
					r.result = fmt.Sprintf("All 1000 messages came back, each after %d µs on average.", time.Since(start).Microseconds()/1000)
				}
				r.sendClose(closePayload(1000, ""))
			}
			cases = append(cases, c)
		}
	}
	return cases
}
