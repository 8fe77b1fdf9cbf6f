// Cases 7: the closing handshake.

package main

import (
	"fmt"
	"strings"
)

const (
	farewell = "Hello World!"
	saysDone = "Answers with a close frame, and with nothing else."
)

func closeCases() []*testCase {
	cases := append(closeOrderCases(), closePayloadCases()...)
	return append(cases, closeCodeCases()...)
}

// closeOrderCases are about what comes around a close frame.
func closeOrderCases() []*testCase {
	normal := closeWith(closePayload(1000, ""))
	cases := []*testCase{
		{
			does: "Sends a text message, then closes.", wants: "Sends the message back, then answers the close frame.",
			outcomes: []outcome{ok(textEvent(farewell))}, steps: []step{send(textFrame(farewell))},
		},
		{does: "Sends two close frames.", steps: []step{normal, send(closeFrame(closePayload(1000, "")))}},
		{does: "Sends a close frame, then a ping.", steps: []step{normal, send(pingFrame(""))}},
		{does: "Sends a close frame, then a text message.", steps: []step{normal, send(textFrame(farewell))}},
		{does: "Sends a fragment, a close frame, and the last fragment.", steps: []step{send(twoParts[0]), normal, send(twoParts[1])}},
		{
			does:          "Sends a text message of 256 KiB, a short one, a close frame and a ping, without waiting.",
			wants:         "Sends back both messages, one or none before it closes: all are allowed.",
			informational: true,
			outcomes:      []outcome{ok(textEvent(farewell)), nonStrict()},
			steps:         []step{send(textFrame(filler(256 << 10))), send(textFrame(farewell)), normal, send(pingFrame(""))},
		},
	}
	for i, c := range cases {
		c.id = fmt.Sprintf("7.1.%d", i+1)
		c.close = cleanClose()
		c.codeMatters = !c.informational
		c.keepOpen = i > 0
		if c.wants == "" {
			c.wants = saysDone
		}
		if c.outcomes == nil {
			c.outcomes = []outcome{ok()}
		}
	}
	return cases
}

// closeCase is a close frame with some payload.
func closeCase(id, does, wants string, payload []byte, wish closeWish) *testCase {
	wish.byRunner = true
	return &testCase{
		id: id, does: does, wants: wants, close: wish, keepOpen: true, codeMatters: true,
		outcomes: []outcome{ok()}, steps: []step{closeWith(payload)},
	}
}

const closeRefused = "Answers with a close frame that names the mistake, or ends the TCP connection."

func closePayloadCases() []*testCase {
	longest := strings.Repeat("*", 123)
	wrong := closeWish{codes: []int{1002}}
	return []*testCase{
		closeCase("7.3.1", "Sends a close frame without payload.", saysDone, nil, cleanClose()),
		closeCase("7.3.2", "Sends a close frame with a payload of one byte.", closeRefused, []byte("a"), wrong),
		closeCase("7.3.3", "Sends a close frame with a code alone.", saysDone, closePayload(1000, ""), cleanClose()),
		closeCase("7.3.4", "Sends a close frame with a code and a reason.", saysDone, closePayload(1000, farewell), cleanClose()),
		closeCase("7.3.5", "Sends a close frame with a code and the longest reason, 123 bytes.", saysDone, closePayload(1000, longest), cleanClose()),
		closeCase("7.3.6", "Sends a close frame with a reason of 124 bytes, which is too long.", closeRefused, closePayload(1000, longest+"*"), wrong),
		closeCase("7.5.1", "Sends a close frame whose reason is not UTF-8.", closeRefused,
			closePayload(1000, kosme+"\xed\xa0\x80edited"), closeWish{codes: []int{1002, 1007}}),
	}
}

func closeCodeCases() []*testCase {
	var cases []*testCase
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, goodCode(fmt.Sprintf("7.7.%d", i+1), code))
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, badCode(fmt.Sprintf("7.9.%d", i+1), code))
	}
	for i, code := range []int{5000, 65535} {
		c := closeCase(fmt.Sprintf("7.13.%d", i+1), fmt.Sprintf("Sends a close frame with code %d.", code),
			"Anything: the RFC does not say.", closePayload(code, ""), closeWish{codes: []int{1000, code, 1002}})
		c.informational, c.codeMatters = true, false
		cases = append(cases, c)
	}
	return cases
}

func goodCode(id string, code int) *testCase {
	return closeCase(id, fmt.Sprintf("Sends a close frame with code %d, which is valid.", code),
		"Answers with the same code or with 1000.", closePayload(code, ""), closeWish{codes: []int{1000, code}, clean: true})
}

func badCode(id string, code int) *testCase {
	return closeCase(id, fmt.Sprintf("Sends a close frame with code %d, which is not valid.", code),
		closeRefused, closePayload(code, ""), closeWish{codes: []int{1002}})
}
