// Cases 5: messages in fragments, with and without mistakes.

package main

import "fmt"

// fragments makes the frames of a text message.
func fragments(parts ...string) []frame {
	var frames []frame
	for i, part := range parts {
		f := frame{op: opContinuation, more: i < len(parts)-1, payload: []byte(part)}
		if i == 0 {
			f.op = opText
		}
		frames = append(frames, f)
	}
	return frames
}

var (
	twoParts     = fragments("fragment1", "fragment2")
	twoJoined    = textEvent("fragment1fragment2")
	continuation = frame{op: opContinuation, payload: []byte("continues nothing")}
)

const nothingToContinue = "Fails the connection: there is no message to continue."

// fragmentHow are the three ways that several cases come in.
var fragmentHow = []struct {
	words string
	send  func(...frame) step
}{
	{"in one write", send},
	{"in one write per frame", sendEach},
	{"byte by byte", byteByByte},
}

func fragmentCases() []*testCase {
	var cases []*testCase
	add := func(c *testCase) {
		c.id = fmt.Sprintf("5.%d", len(cases)+1)
		cases = append(cases, c)
	}
	fails := func(does, wants string, outcomes []outcome, s ...step) {
		add(&testCase{does: does, wants: wants, close: failedWith(1002), outcomes: outcomes, steps: s})
	}
	const control = "Fails the connection: a control frame must not be fragmented."
	fails("Sends a ping in two fragments.", control, []outcome{ok()},
		send(pingFrame("fragment1").fragment(), frame{op: opContinuation, payload: []byte("fragment2")}))
	fails("Sends a pong in two fragments.", control, []outcome{ok()},
		send(frame{op: opPong, payload: []byte("fragment1"), more: true}, frame{op: opContinuation, payload: []byte("fragment2")}))
	for _, how := range fragmentHow {
		add(&testCase{
			does: "Sends a text message in two fragments, " + how.words + ".", wants: "Sends the message back.",
			close: cleanClose(), outcomes: []outcome{ok(twoJoined)}, steps: []step{how.send(twoParts...)},
		})
	}
	for _, how := range fragmentHow {
		add(&testCase{
			does:  "Sends a text message in two fragments and a ping between them, " + how.words + ".",
			wants: "Answers the ping, then sends the message back.", close: cleanClose(),
			outcomes: []outcome{ok(pongEvent("ping payload"), twoJoined)},
			steps:    []step{how.send(twoParts[0], pingFrame("ping payload"), twoParts[1])},
		})
	}
	for _, final := range []bool{true, false} {
		lead := continuation
		lead.more = !final
		for _, how := range fragmentHow {
			fails(fmt.Sprintf("Sends a continuation frame (FIN is %d) that continues nothing, then a text message, %s.", b2i(final), how.words),
				nothingToContinue, []outcome{ok()}, how.send(lead, textFrame(hello)))
		}
	}
	fails("Sends a text message in two fragments, a continuation frame that continues nothing, and another text message, in one write.",
		"Sends the first message back, then fails the connection.", []outcome{ok(twoJoined), nonStrict()},
		send(twoParts[0], twoParts[1], continuation.fragment(), textFrame("fragment4")))
	for _, final := range []bool{false, true} {
		lead := continuation
		lead.more = !final
		fails(fmt.Sprintf("Sends, twice, a continuation frame (FIN is %d) that continues nothing and a text message in two fragments.", b2i(final)),
			nothingToContinue, []outcome{ok()}, send(lead, twoParts[0], twoParts[1], lead, twoParts[0], twoParts[1]))
	}
	fails("Sends a text message in two fragments, both with the opcode for text.",
		"Fails the connection: after the first, fragments have opcode 0.", []outcome{ok()},
		send(twoParts[0], textFrame("fragment2")))
	for _, how := range fragmentHow[:2] {
		add(slowFragments(how.words, how.send))
	}
	return cases
}

func slowFragments(words string, send func(...frame) step) *testCase {
	f := fragments("fragment1", "fragment2", "fragment3", "fragment4", "fragment5")
	return &testCase{
		does:  "Sends two fragments of a text message and a ping, waits, then sends two more fragments, another ping and the last fragment, " + words + ".",
		wants: "Answers each ping at once, and sends the message back.", close: cleanClose(),
		outcomes: []outcome{ok(pongEvent("pongme 1!"), pongEvent("pongme 2!"), textEvent("fragment1fragment2fragment3fragment4fragment5"))},
		steps: []step{
			send(f[0], f[1], pingFrame("pongme 1!")),
			pause(""),
			send(f[2], f[3], pingFrame("pongme 2!"), f[4]),
		},
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
