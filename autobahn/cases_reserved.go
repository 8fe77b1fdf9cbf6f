// Cases 3 and 4: bits and opcodes that nothing has given a meaning.

package main

import "fmt"

// hello is the message that comes before the frame that breaks a rule.
const hello = "Hello, world!"

const failsAfterEcho = "Sends the first message back, then fails the connection and does not answer the ping."

// brokenAfterEcho is a message, a frame that must fail the connection, a ping.
func brokenAfterEcho(does string, f frame, how func(...frame) step) *testCase {
	return &testCase{
		does: does, wants: failsAfterEcho, close: failedWith(1002),
		outcomes: []outcome{ok(textEvent(hello)), nonStrict()},
		steps:    []step{how(textFrame(hello), f, pingFrame(""))},
	}
}

// brokenAtOnce is a frame that must fail the connection.
func brokenAtOnce(does string, f frame) *testCase {
	return &testCase{
		does: does, wants: "Fails the connection.", close: failedWith(1002),
		outcomes: []outcome{ok()}, steps: []step{send(f)},
	}
}

func byteByByte(frames ...frame) step { return sendChopped(1, frames...) }

func reservedCases() []*testCase {
	text := textFrame(hello)
	cases := []*testCase{
		brokenAtOnce("Sends a text message with RSV3 set.", text.withRSV(1)),
		brokenAfterEcho("Sends a text message, another with RSV2 set, and a ping.", text.withRSV(2), send),
		brokenAfterEcho("Sends a text message, another with RSV2 and RSV3 set, and a ping, in one write per frame.", text.withRSV(3), sendEach),
		brokenAfterEcho("Sends a text message, another with RSV1 set, and a ping, byte by byte.", text.withRSV(4), byteByByte),
		brokenAtOnce("Sends a binary message with RSV1 and RSV3 set.", frame{op: opBinary, rsv: 5, payload: []byte("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}),
		brokenAtOnce("Sends a ping with RSV1 and RSV2 set.", pingFrame(hello).withRSV(6)),
		brokenAtOnce("Sends a close frame with all reserved bits set.", closeFrame(nil).withRSV(7)),
	}
	for i, c := range cases {
		c.id = fmt.Sprintf("3.%d", i+1)
	}
	return cases
}

func opcodeCases() []*testCase {
	var cases []*testCase
	for sub, first := range []byte{3, 11} {
		for n := range 5 {
			op := first + byte(n)
			f := frame{op: op}
			with := "without payload"
			if n == 1 || n == 3 || n == 4 {
				f.payload, with = []byte("reserved"), "with a payload"
			}
			var c *testCase
			switch {
			case n < 2:
				c = brokenAtOnce(fmt.Sprintf("Sends a frame with the reserved opcode %d, %s.", op, with), f)
			default:
				how := send
				if n == 4 {
					how = byteByByte
				}
				c = brokenAfterEcho(fmt.Sprintf("Sends a text message, a frame with the reserved opcode %d, %s, and a ping.", op, with), f, how)
			}
			c.id = fmt.Sprintf("4.%d.%d", sub+1, n+1)
			cases = append(cases, c)
		}
	}
	return cases
}
