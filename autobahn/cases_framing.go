// Cases 1 and 2: frames of every length form, pings and pongs.

package main

import (
	"bytes"
	"fmt"
	"slices"
)

// allCases is the suite in the order of the ids, and then what is ours.
func allCases() []*testCase {
	cases := slices.Concat(
		framingCases(), pingCases(), reservedCases(), opcodeCases(), fragmentCases(),
		textCases(), sequenceCases(), closeCases(), limitCases(), roundTripCases(),
		deflateCases(), extraCases(),
	)
	slices.SortStableFunc(cases, func(a, b *testCase) int { return compareIDs(a.id, b.id) })
	return cases
}

func framingCases() []*testCase {
	var cases []*testCase
	add := func(sub, n int, kind string, op byte, fill string, length, chop int) {
		payload := bytes.Repeat([]byte(fill), length)
		c := &testCase{
			id:       fmt.Sprintf("1.%d.%d", sub, n),
			does:     fmt.Sprintf("Sends a %s message of %d bytes.", kind, length),
			wants:    "Sends the message back.",
			outcomes: []outcome{ok(message1(payload, op == opBinary))},
			close:    cleanClose(),
			steps:    []step{sendChopped(chop, frame{op: op, payload: payload})},
		}
		if chop > 0 {
			c.does = fmt.Sprintf("Sends a %s message of %d bytes in writes of %d bytes.", kind, length, chop)
		}
		cases = append(cases, c)
	}
	lengths := []int{0, 125, 126, 127, 128, 65535, 65536, 65536}
	for i, length := range lengths {
		chop := 0
		if i == len(lengths)-1 {
			chop = 997
		}
		add(1, i+1, "text", opText, "*", length, chop)
		add(2, i+1, "binary", opBinary, "\xfe", length, chop)
	}
	return cases
}

func pingCases() []*testCase {
	full := string(bytes.Repeat([]byte{0xfe}, maxControl))
	pong := frame{op: opPong, payload: []byte("nobody asked for this pong")}
	var pings []frame
	var pongs []event
	for i := range 10 {
		pings = append(pings, pingFrame(fmt.Sprintf("payload-%d", i)))
		pongs = append(pongs, pongEvent(fmt.Sprintf("payload-%d", i)))
	}
	answered := "Answers each ping with a pong of the same payload."
	cases := []*testCase{
		{does: "Sends a ping without payload.", outcomes: []outcome{ok(pongEvent(""))}, steps: []step{send(pingFrame(""))}},
		{does: "Sends a ping with a short text.", outcomes: []outcome{ok(pongEvent("Hello, world!"))}, steps: []step{send(pingFrame("Hello, world!"))}},
		{does: "Sends a ping whose payload is not text.", outcomes: []outcome{ok(pongEvent("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))}, steps: []step{send(pingFrame("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))}},
		{does: "Sends a ping with the longest payload, 125 bytes.", outcomes: []outcome{ok(pongEvent(full))}, steps: []step{send(pingFrame(full))}},
		{
			does: "Sends a ping of 126 bytes.", wants: "Fails the connection: a control frame has no more than 125 bytes.",
			outcomes: []outcome{ok()}, close: failedWith(1002), steps: []step{send(pingFrame(full + "\xfe"))},
		},
		{does: "Sends a ping of 125 bytes, byte by byte.", outcomes: []outcome{ok(pongEvent(full))}, steps: []step{sendChopped(1, pingFrame(full))}},
		{does: "Sends a pong that nobody asked for, without payload.", wants: "Ignores it.", outcomes: []outcome{ok()}, steps: []step{send(frame{op: opPong})}},
		{does: "Sends a pong that nobody asked for, with a payload.", wants: "Ignores it.", outcomes: []outcome{ok()}, steps: []step{send(pong)}},
		{
			does: "Sends a pong that nobody asked for, then a ping.", wants: "Ignores the pong, and answers the ping.",
			outcomes: []outcome{ok(pongEvent("ping payload"))}, steps: []step{sendEach(pong, pingFrame("ping payload"))},
		},
		{does: "Sends ten pings at once.", outcomes: []outcome{ok(pongs...)}, steps: []step{send(pings...)}},
		{does: "Sends ten pings, byte by byte.", outcomes: []outcome{ok(pongs...)}, steps: []step{sendChopped(1, pings...)}},
	}
	for i, c := range cases {
		c.id = fmt.Sprintf("2.%d", i+1)
		if c.wants == "" {
			c.wants = answered
		}
		if c.close.codes == nil {
			c.close = cleanClose()
		}
	}
	return cases
}
