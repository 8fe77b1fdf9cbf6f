// Cases X.1: whether a peer that has agreed to a window, or to start anew with
// each message, keeps to it. The published cases compare only the echo.

package main

import (
	"fmt"
	"slices"
)

func windowCases() []*testCase {
	var cases []*testCase
	for _, bits := range []int{9, 10, 11, 12, 13, 14, 15} {
		cases = append(cases, windowCase(fmt.Sprintf("asks the peer for a window of %d bits", bits), deflateWish{bits: bits}))
	}
	cases = append(cases, windowCase("asks the peer to compress each message on its own", deflateWish{fresh: true}))
	for i, c := range cases {
		c.id = fmt.Sprintf("X.1.%d", i+1)
	}
	bad := brokenDeflate("Sends a compressed message that is no DEFLATE stream.", []int{1002, 1007, 1003, 1011}, frame{op: opText, rsv: 4, payload: []byte("\xff\xff\xff\xff")})
	bad.id = "X.1.9"
	later := brokenDeflate("Sends a compressed message whose second fragment has RSV1 set too.", []int{1002},
		frame{op: opText, rsv: 4, more: true, payload: []byte("\xf2\x48\xcd\xc9")}, frame{op: opContinuation, rsv: 4, payload: []byte("\xc9\x07\x00")})
	later.id = "X.1.10"
	return append(cases, bad, later)
}

func brokenDeflate(does string, codes []int, frames ...frame) *testCase {
	wishes := []deflateWish{{}}
	return &testCase{
		does: does, wants: "Fails the connection.",
		close: closeWish{codes: codes}, offers: offersFor(wishes), accept: acceptFor(wishes),
		drive: func(r *run) {
			if r.peer.deflate == nil {
				r.behavior, r.result = verdictUnimplemented, "The peer did not agree on permessage-deflate."
				r.sendClose(closePayload(1000, ""))
				return
			}
			r.write(r.peer.send(0, false, frames...))
			r.wait(r.env.patience)
			switch {
			case len(r.received) > 0:
				r.result = "The peer answered with " + describeEvents(r.received) + "."
			case !r.ended && !r.closeGot:
				r.result = "The peer did not fail the connection."
			default:
				r.behavior, r.result = verdictOK, "The peer failed the connection."
			}
			r.sendClose(closePayload(1001, ""))
		},
	}
}

func windowCase(asks string, wish deflateWish) *testCase {
	wishes := []deflateWish{wish}
	return &testCase{
		does:  fmt.Sprintf("Opens with permessage-deflate, %s, sends messages that repeat what came long before, and measures how far back the answers reach.", asks),
		wants: "Sends them back, reaching no farther than agreed.", quiet: true,
		limit: largeLimit, close: cleanClose(), offers: offersFor(wishes), accept: acceptFor(wishes),
		drive: func(r *run) { r.measureWindow(wish) },
	}
}

// repeats are messages in which bytes that cannot be compressed come again at
// every distance up to four windows, within a message and from one to another.
func repeats(window int) [][]byte {
	random := fillerBytes(96 * kib)
	var messages [][]byte
	for _, distance := range []int{256, 512, 1 * kib, 2 * kib, 4 * kib, 8 * kib, 16 * kib, 31 * kib} {
		if distance > 4*window {
			break
		}
		token := random[:128]
		between := random[128 : 128+distance]
		random = random[128+distance:]
		messages = append(messages, slices.Concat(token, between, token), token, between, token)
	}
	return messages
}

// measureWindow is the whole of a case.
func (r *run) measureWindow(wish deflateWish) {
	defer r.sendClose(closePayload(1000, ""))
	if r.peer.deflate == nil {
		r.behavior, r.result = verdictUnimplemented, "The peer did not agree on permessage-deflate."
		return
	}
	agreed := r.peer.deflate.agreed
	bits, fresh := agreed.serverBits, agreed.serverNoTakeover
	if r.peer.server {
		bits, fresh = agreed.clientBits, agreed.clientNoTakeover
	}
	if wish.bits != 0 && (bits == 0 || bits > wish.bits) || wish.fresh && !fresh {
		r.behavior, r.result = verdictFailed, "The peer agreed to something other than was asked: "+agreed.String()+"."
		return
	}
	var measured reach
	for i, msg := range repeats(1 << orMax(bits)) {
		e, ok := r.echoCompressed(msg)
		if !ok {
			return
		}
		if e.raw == nil {
			continue // sent uncompressed, which is always allowed
		}
		if fresh {
			measured.history = nil
		}
		out, err := measured.measure(e.raw)
		if err != nil || string(out) != string(msg) {
			r.behavior = verdictFailed
			r.result = fmt.Sprintf("Answer %d needs more of what came before than was agreed.", i+1)
			return
		}
	}
	r.result = fmt.Sprintf("The farthest reach was %d bytes, in a window of %d.", measured.longest, 1<<orMax(bits))
	if measured.longest > 1<<orMax(bits) {
		r.behavior = verdictFailed
	}
}
