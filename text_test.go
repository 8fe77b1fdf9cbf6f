package websocket

import (
	"bytes"
	"strings"
	"testing"
)

// textFrames returns one text message in three frames with a ping between them,
// as the peer of role sends it, and where each payload byte of the text is.
func textFrames(role Role, text string) (wire []byte, places []int) {
	peer := sender{masks: true}
	if role == RoleClient {
		peer = sender{}
	}
	add := func(op Opcode, final bool, p string) {
		wire = peer.appendFrame(wire, op, final, []byte(p), func() uint32 { return 0xd19be2a7 })
		if !op.Control() {
			for i := range len(p) {
				places = append(places, len(wire)-len(p)+i)
			}
		}
	}
	a, b := len(text)/3, len(text)/2
	add(OpText, false, text[:a])
	add(OpPing, true, "\xff\xfe") // no text, and not checked as such
	add(OpContinuation, false, text[a:b])
	add(OpContinuation, true, text[b:])
	return wire, places
}

// feedText gives wire to a new inbound half in pieces and returns the text that
// came out, and how many bytes it had when it failed, or -1.
func feedText(role Role, wire []byte, cut int, stream bool) (text []byte, failed int) {
	in := inbound{rx: receiver{role: role}, grow: func(b []byte, n int) []byte {
		return append(make([]byte, 0, len(b)+n), b...)
	}}
	wire = bytes.Clone(wire)
	given := 0
	var ev event
	for _, piece := range [][]byte{wire[:cut], wire[cut:]} {
		given += len(piece)
		for {
			n := in.next(piece, stream, &ev)
			piece = piece[n:]
			switch ev.kind {
			case eventMore:
			case eventMessage, eventChunk:
				text = append(text, ev.data...)
			case eventFail:
				return text, given
			}
			if ev.kind == eventMore {
				break
			}
		}
	}
	return text, -1
}

// Text is unmasked and checked in one pass wherever it is cut, and a wrong byte
// fails as soon as it is there.
func TestTextCutAnywhere(t *testing.T) {
	good := strings.Repeat("Grüße, 世界 😀. ", 12)
	for _, role := range []Role{RoleServer, RoleClient} {
		for _, stream := range []bool{false, true} {
			wire, _ := textFrames(role, good)
			for cut := range len(wire) + 1 {
				if text, failed := feedText(role, wire, cut, stream); failed >= 0 || string(text) != good {
					t.Fatalf("role %v, stream %v, cut at %d: failed at %d, got %q", role, stream, cut, failed, text)
				}
			}
			for _, wrong := range []int{5, 60, 100, 200} {
				bad := good[:wrong] + "\xff" + good[wrong+1:]
				wire, places := textFrames(role, bad)
				for cut := range len(wire) + 1 {
					want := len(wire)
					if cut > places[wrong] {
						want = cut
					}
					if _, failed := feedText(role, wire, cut, stream); failed != want {
						t.Fatalf("role %v, stream %v, wrong byte %d, cut at %d: failed at %d, want %d", role, stream, wrong, cut, failed, want)
					}
				}
			}
		}
	}
}
