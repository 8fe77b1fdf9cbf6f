// Cases X.2 to X.5 and X.7: what the published cases do not ask, in frames.
// They are ours, and reported apart.

package main

import (
	"fmt"
	"slices"
	"time"
)

func extraCases() []*testCase {
	return slices.Concat(windowCases(), maskCases(), lengthCases(), memoryCases(),
		earlyCases(), refusalCases(), lateCodeCases())
}

// maskCases are X.2: who masks (section 5.1).
func maskCases() []*testCase {
	unmasked := brokenAtOnce("Sends a text message as the other role would: unmasked from a client, masked from a server.",
		frame{op: opText, payload: []byte(hello), flipMask: true})
	control := brokenAtOnce("Sends a ping as the other role would: unmasked from a client, masked from a server.",
		frame{op: opPing, payload: []byte(hello), flipMask: true})
	later := &testCase{
		does: "Sends a first fragment as it should be, and the second as the other role would.", wants: "Fails the connection.",
		close: failedWith(1002), outcomes: []outcome{ok()},
		steps: []step{send(twoParts[0], frame{op: opContinuation, payload: []byte("fragment2"), flipMask: true})},
	}
	zero := &testCase{
		does: "Sends a text message with a masking key of zeros.", wants: "Sends the message back.", role: clientOnly,
		close: cleanClose(), outcomes: []outcome{ok(textEvent(hello))},
		steps: []step{send(frame{op: opText, payload: []byte(hello), zeroKey: true})},
	}
	cases := []*testCase{unmasked, control, later, zero}
	for i, c := range cases {
		c.id = fmt.Sprintf("X.2.%d", i+1)
	}
	return cases
}

// lengthCases are X.3: lengths in more bytes than needed, which section 5.2
// forbids though many accept it.
func lengthCases() []*testCase {
	var cases []*testCase
	for i, form := range []struct{ length, bytes int }{{5, 2}, {5, 8}, {200, 8}, {125, 2}} {
		text := filler(256)[:form.length]
		clean := cleanClose()
		cases = append(cases, &testCase{
			id:    fmt.Sprintf("X.3.%d", i+1),
			does:  fmt.Sprintf("Sends a text message of %d bytes whose length is written in %d bytes, more than needed.", form.length, form.bytes),
			wants: "Fails the connection; accepting it is common, and not strict.",
			close: closeWish{codes: []int{1002}},
			outcomes: []outcome{
				ok(),
				{verdict: verdictNonStrict, events: []event{textEvent(text)}, close: &clean},
			},
			steps: []step{send(frame{op: opText, payload: []byte(text), lengthBytes: form.bytes})},
		})
	}
	top := brokenAtOnce("Sends the header of a binary message whose length has its highest bit set.",
		frame{op: opBinary, lengthBytes: 8, declared: 1 << 63})
	top.id = "X.3.5"
	top.close.codes = []int{1002, 1009}
	return append(cases, top)
}

// memoryCases are X.4: messages that are announced and never sent.
func memoryCases() []*testCase {
	announce := func(id, does string, n uint64) *testCase {
		return &testCase{
			id: id, does: does,
			wants: "Fails the connection with 1009, or waits; goes on serving others.", role: clientOnly,
			close: closeWish{codes: []int{1002, 1009, 1001, 1000}},
			drive: func(r *run) { r.announce(n) },
		}
	}
	return []*testCase{
		announce("X.4.1", "Announces, on 20 connections, a message of 1 GiB, sends a few bytes of each, and looks whether the server still serves.", 1<<30),
		announce("X.4.2", "Announces, on 20 connections, a message of 2⁶² bytes, sends a few bytes of each, and looks whether the server still serves.", 1<<62),
	}
}

// announce opens more connections like the run's own, and one that must work.
func (r *run) announce(n uint64) {
	f := frame{op: opBinary, payload: []byte("a few"), lengthBytes: 8, declared: n}
	r.write(r.peer.send(0, false, f))
	for range 19 {
		other := newRun(&testCase{}, r.env, r.agent)
		other.ctx = r.ctx
		if other.peer = other.dial(nil); other.peer == nil {
			r.result = "The server stopped accepting connections."
			return
		}
		defer other.peer.nc.Close()
		other.write(other.peer.send(0, false, f))
	}
	r.wait(r.env.pause / 4)
	check := runClient(r.ctx, &testCase{
		id: r.c.id, close: cleanClose(), outcomes: []outcome{ok(textEvent(hello))}, steps: []step{send(textFrame(hello))},
	}, r.env, r.agent)
	r.behavior, r.result = check.behavior, "Other connections were served all the while."
	if check.behavior != verdictOK {
		r.result = "Meanwhile another connection failed: " + check.result
	}
	// Whoever waits for the rest is right too, so that the runner ends it.
	if !r.closeGot && !r.ended {
		r.c = &testCase{id: r.c.id, does: r.c.does, wants: r.c.wants, drive: r.c.drive, close: closeWish{codes: r.c.close.codes, byRunner: true}}
		r.closeSent, r.closedByMe = true, true
		if half, ok := r.peer.nc.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // the connection may be gone already
		}
	}
}

// earlyCases are X.5: frames in the same packet as the handshake, and a
// handshake in many packets.
func earlyCases() []*testCase {
	first := textFrame(hello)
	chopped := &testCase{
		id: "X.5.1", does: "Sends its request byte by byte, then a text message.", wants: "Sends the message back.", role: clientOnly,
		close: cleanClose(), outcomes: []outcome{ok(textEvent(hello))}, steps: []step{send(first)},
		dial: func(r *run) *peer {
			nc, err := r.connect()
			if err != nil {
				r.handshakeFailed(err)
				return nil
			}
			return r.shake(nc, r.env.target.request(nil), 1, nil)
		},
	}
	together := &testCase{
		id: "X.5.2", does: "Sends a text message right behind the request, without waiting for the answer.",
		wants: "Sends the message back; refusing the request is right too. It must not lose the bytes.", role: clientOnly,
		close: cleanClose(), outcomes: []outcome{ok(textEvent(hello))},
		dial: func(r *run) *peer {
			nc, err := r.connect()
			if err != nil {
				r.handshakeFailed(err)
				return nil
			}
			b, _ := first.appendTo(nil, true)
			p := r.shake(nc, r.env.target.request(nil), 0, b)
			if p == nil && r.httpResponse != "" {
				r.settleHandshake(true, "The server refused bytes that came too early.")
			}
			return p
		},
	}
	answer := &testCase{
		id: "X.5.3", does: "Sends a text message right behind its answer to the handshake, in one write.",
		wants: "Sends the message back.", role: serverOnly,
		close: cleanClose(), outcomes: []outcome{ok(textEvent(hello))},
		upgrade: func(r *run, u *upgrading) *peer {
			b, _ := first.appendTo(nil, false)
			return r.upgrade(u, nil, b)
		},
	}
	split := &testCase{
		id: "X.5.4", does: "Sends half a frame right behind its answer to the handshake, and the rest later.",
		wants: "Sends the message back.", role: serverOnly,
		close: cleanClose(), outcomes: []outcome{ok(textEvent(hello))},
	}
	b, _ := first.appendTo(nil, false)
	split.upgrade = func(r *run, u *upgrading) *peer { return r.upgrade(u, nil, b[:7]) }
	split.steps = []step{func(r *run) bool {
		time.Sleep(r.env.pause / 10)
		return r.write(r.peer.write(b[7:], 0, true))
	}}
	return []*testCase{chopped, together, answer, split}
}

// lateCodeCases are X.7: close codes registered after the suite was made.
func lateCodeCases() []*testCase {
	var cases []*testCase
	for i, code := range []int{1012, 1013, 1014} {
		cases = append(cases, goodCode(fmt.Sprintf("X.7.%d", i+1), code))
	}
	return append(cases, badCode("X.7.4", 1015))
}

// settleHandshake is the verdict on a connection that was not to be opened.
func (r *run) settleHandshake(good bool, result string) {
	r.judged = true
	r.behavior, r.behaviorClose = verdictFailed, verdictFailed
	if good {
		r.behavior, r.behaviorClose = verdictOK, verdictOK
	}
	r.result, r.resultClose = result, "There was no WebSocket connection to close."
}
