// Cases 6.1 to 6.4: text in fragments, and bad text that should be noticed at
// the byte that makes it bad.

package main

import "fmt"

const (
	greeting = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!"
	kosme    = "\u03ba\u1f79\u03c3\u03bc\u03b5" // the Greek word for world, in code points of two and three bytes
)

const notText = "Fails the connection: the text is not UTF-8."

// letters makes a text message in fragments of one byte.
func letters(s string) []frame {
	var parts []string
	for i := range len(s) {
		parts = append(parts, s[i:i+1])
	}
	return fragments(parts...)
}

func textCases() []*testCase {
	echoed := func(id, does, text string, frames ...frame) *testCase {
		return &testCase{
			id: id, does: does, wants: "Sends the message back.", close: cleanClose(),
			outcomes: []outcome{ok(textEvent(text))}, steps: []step{sendEach(frames...)},
		}
	}
	refused := func(id, does string, s ...step) *testCase {
		return &testCase{id: id, does: does, wants: notText, close: failedText(), outcomes: []outcome{ok()}, steps: s}
	}
	bad := kosme + "\xed\xa0\x80edited"
	half := len("Hello-\u00b5@\u00df\u00f6\u00e4")
	return append([]*testCase{
		echoed("6.1.1", "Sends an empty text message.", "", textFrame("")),
		echoed("6.1.2", "Sends a text message in three empty fragments.", "", fragments("", "", "")...),
		echoed("6.1.3", "Sends a text message in three fragments, of which the first and the last are empty.",
			"middle frame payload", fragments("", "middle frame payload", "")...),
		echoed("6.2.1", "Sends a text message with letters beyond ASCII.", greeting, textFrame(greeting)),
		echoed("6.2.2", "Sends a text message in two fragments, cut between two characters.", greeting, fragments(greeting[:half], greeting[half:])...),
		echoed("6.2.3", "Sends a text message in fragments of one byte, cut within characters too.", greeting, letters(greeting)...),
		echoed("6.2.4", "Sends a Greek word in fragments of one byte.", kosme, letters(kosme)...),
		refused("6.3.1", "Sends a text message that has a surrogate in it.", send(textFrame(bad))),
		refused("6.3.2", "Sends a text message that has a surrogate in it, in fragments of one byte.", send(letters(bad)...)),
	}, failFastCases()...)
}

// failFastCases send text that goes bad in the middle, with pauses. Whoever
// looks at each byte as it comes has failed the connection when the second
// pause ends; whoever waits for the whole message has not.
func failFastCases() []*testCase {
	whole := kosme + "\xf4\x90\x80\x80" + "edited"
	cuts := [][2]int{{11, 15}, {12, 13}}
	var cases []*testCase
	for i := range 4 {
		a, b := cuts[i%2][0], cuts[i%2][1]
		parts := []string{whole[:a], whole[a:b], whole[b:]}
		what := []string{"the code point beyond the last", "the byte that makes it bad"}[i%2]
		c := &testCase{
			id:    fmt.Sprintf("6.4.%d", i+1),
			wants: "Fails the connection as soon as the bad byte has come (strictly), or at the end of the message at the latest.",
			close: failedText(),
			outcomes: []outcome{
				ok(timeoutEvent("A")),
				nonStrict(timeoutEvent("A"), timeoutEvent("B")),
			},
		}
		var send3 [3]step
		if i < 2 {
			c.does = fmt.Sprintf("Sends a text message in three fragments with pauses between them; the second is %s.", what)
			for n, f := range fragments(parts...) {
				send3[n] = send(f)
			}
		} else {
			c.does = fmt.Sprintf("Sends a text message in one frame and three writes with pauses between them; the second is %s.", what)
			send3 = inThreeWrites(parts)
		}
		c.steps = []step{send3[0], pause("A"), send3[1], pause("B"), send3[2]}
		cases = append(cases, c)
	}
	return cases
}

// inThreeWrites cuts one frame after its header and the first part, and after
// the second part.
func inThreeWrites(parts []string) [3]step {
	f := textFrame(parts[0] + parts[1] + parts[2])
	write := func(r *run, n int) bool {
		part := r.rest[:n]
		r.rest = r.rest[n:]
		return r.write(r.peer.write(part, 0, true))
	}
	return [3]step{
		func(r *run) bool {
			var key []byte
			r.rest, key = f.appendTo(nil, !r.peer.server)
			r.log.sentFrame(f, key, 0, true)
			return write(r, len(r.rest)-len(parts[1])-len(parts[2]))
		},
		func(r *run) bool { return write(r, len(parts[1])) },
		func(r *run) bool { return write(r, len(parts[2])) },
	}
}
