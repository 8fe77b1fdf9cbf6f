// Cases 12 and 13: a thousand compressed messages, in many sizes and with many
// parameters.

package main

import (
	"fmt"
	"strings"
	"time"
)

// deflateSizes are the messages of each group: their length, and the length of
// the fragments, 0 meaning one frame.
var deflateSizes = []struct{ length, fragment int }{
	{16, 0},
	{64, 0},
	{256, 0},
	{1024, 0},
	{4096, 0},
	{8192, 0},
	{16384, 0},
	{32768, 0},
	{65536, 0},
	{131072, 0},
	{8192, 256},
	{16384, 256},
	{32768, 256},
	{65536, 256},
	{131072, 256},
	{131072, 1024},
	{131072, 4096},
	{131072, 32768},
}

// A wish is what one side asks of the other's compressor.
type deflateWish struct {
	fresh bool // no context takeover
	bits  int  // 0: any
}

// deflateWishes are those of cases 13, the preferred first.
var deflateWishes = [][]deflateWish{
	{{false, 0}},
	{{true, 0}},
	{{false, 9}},
	{{false, 15}},
	{{true, 9}},
	{{true, 15}},
	{{true, 9}, {true, 0}, {false, 0}},
}

func deflateCases() []*testCase {
	var cases []*testCase
	for i, c := range corpora {
		cases = append(cases, deflateGroup(fmt.Sprintf("12.%d", i+1), c, deflateWishes[0], "")...)
	}
	for i, wishes := range deflateWishes {
		cases = append(cases, deflateGroup(fmt.Sprintf("13.%d", i+1), corpora[0], wishes, ", asking the peer for "+wishWords(wishes))...)
	}
	return cases
}

func wishWords(wishes []deflateWish) string {
	var s []string
	for _, w := range wishes {
		words := "any context"
		if w.fresh {
			words = "no context takeover"
		}
		if w.bits != 0 {
			words += fmt.Sprintf(" and a window of %d bits", w.bits)
		}
		s = append(s, words)
	}
	return strings.Join(s, ", or else ")
}

func deflateGroup(group string, data *corpus, wishes []deflateWish, asking string) []*testCase {
	var cases []*testCase
	for i, s := range deflateSizes {
		c := &testCase{
			id:    fmt.Sprintf("%s.%d", group, i+1),
			does:  fmt.Sprintf("Sends 1000 compressed messages of %s of %s%s, each when the one before has come back.", size(s.length), data.name, asking),
			wants: "Sends all of them back.", close: cleanClose(), limit: largeLimit, quiet: true,
			offers: offersFor(wishes), accept: acceptFor(wishes),
		}
		if s.fragment > 0 {
			c.does = strings.Replace(c.does, asking+", each", fmt.Sprintf(" in fragments of %s%s, each", size(s.fragment), asking), 1)
		}
		c.drive = func(r *run) { r.deflateEcho(data, s.length, s.fragment) }
		cases = append(cases, c)
	}
	return cases
}

// offersFor is what the runner as a client offers for its wishes.
func offersFor(wishes []deflateWish) []deflateParams {
	var offers []deflateParams
	for _, w := range wishes {
		offers = append(offers, deflateParams{serverNoTakeover: w.fresh, serverBits: w.bits, clientBitsHint: true})
	}
	return offers
}

// acceptFor is what the runner as a server makes of offers: for its first wish
// that the client has said it can fulfil, it agrees.
func acceptFor(wishes []deflateWish) func([]deflateParams) *deflateParams {
	return func(offers []deflateParams) *deflateParams {
		for _, w := range wishes {
			for _, o := range offers {
				canBits := o.clientBitsHint || o.clientBits >= w.bits
				if w.bits != 0 && !canBits || w.fresh && !o.clientNoTakeover {
					continue
				}
				return &deflateParams{
					serverNoTakeover: o.serverNoTakeover, serverBits: o.serverBits,
					clientNoTakeover: w.fresh, clientBits: w.bits,
				}
			}
		}
		return nil
	}
}

// measured is how many of the messages are measured against the window that
// was agreed on, if it is not the largest. That is slow, and these are enough.
const measured = 20

// keepsWindow measures an answer.
func (r *run) keepsWindow(e event) bool {
	in := r.peer.deflate.in
	if in.bits == maxWindow || e.raw == nil {
		return true
	}
	if in.fresh {
		r.reach.history = nil
	}
	if _, err := r.reach.measure(e.raw); err != nil {
		r.behavior, r.result = verdictFailed, "The runner could not measure an answer: "+err.Error()+"."
		return false
	}
	if r.reach.longest > 1<<in.bits {
		r.behavior = verdictFailed
		r.result = fmt.Sprintf("The peer reached back %d bytes, in a window of %d.", r.reach.longest, 1<<in.bits)
		return false
	}
	return true
}

// deflateEcho is the whole of a case.
func (r *run) deflateEcho(data *corpus, length, fragment int) {
	defer r.sendClose(closePayload(1000, ""))
	if r.peer.deflate == nil {
		r.behavior, r.result = verdictUnimplemented, "The peer did not agree on permessage-deflate."
		return
	}
	const count = 1000
	payloads, err := streams.get(data, length, count, r.peer.deflate.out)
	if err != nil {
		r.result = "The runner could not compress: " + err.Error()
		return
	}
	var msg []byte
	at := 0
	start := time.Now()
	for i, p := range payloads {
		msg, at = data.cut(msg, at, length)
		e, ok := r.echoPayload(p, msg, data.binary, fragment)
		if !ok || i < measured && !r.keepsWindow(e) {
			return
		}
	}
	r.result = fmt.Sprintf("All %d messages came back, each after %d µs on average.", count, time.Since(start).Microseconds()/count)
}

// echoCompressed sends a compressed message and expects it back.
func (r *run) echoCompressed(msg []byte) (event, bool) {
	p, err := r.peer.deflate.out.compress(msg)
	if err != nil {
		r.result = "The runner could not compress: " + err.Error()
		return event{}, false
	}
	return r.echoPayload(p, msg, true, 0)
}

func (r *run) echoPayload(p, msg []byte, binary bool, fragment int) (event, bool) {
	frames := cut(p, binary, fragment)
	frames[0].rsv = 4
	if !r.write(r.peer.send(0, false, frames...)) {
		return event{}, false
	}
	return r.expectEcho(msg, binary, r.c.patience(r.env))
}
