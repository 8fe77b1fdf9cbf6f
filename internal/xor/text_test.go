package xor

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// oracle tells of text cut off after p: whether more could make it valid, and
// whether it is valid as it is.
func oracle(p []byte) (ok, whole bool) {
	for len(p) > 0 {
		if !utf8.FullRune(p) {
			return true, false
		}
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			return false, false
		}
		p = p[size:]
	}
	return true, true
}

// checkText compares every way of checking p, in two pieces, with the oracle.
func checkText(t *testing.T, p []byte, cut int) {
	t.Helper()
	ok, whole := oracle(p)
	okFirst, _ := oracle(p[:cut])
	if whole != utf8.Valid(p) {
		t.Fatalf("the oracle is wrong about % x", p)
	}
	before := bytes.Clone(p)

	var text Text
	if got := text.Write(p[:cut]); got != okFirst {
		t.Fatalf("Write(% x) = %v", p[:cut], got)
	}
	if got := text.Write(p[cut:]); got != ok || text.Whole() != whole {
		t.Fatalf("Write(% x), then Write(% x) = %v, Whole %v", p[:cut], p[cut:], got, text.Whole())
	}
	if !bytes.Equal(before, p) {
		t.Fatalf("Write changed % x", before)
	}

	const key = 0xc59de13b
	q := bytes.Clone(p)
	Mask(q, key)
	text = Text{}
	next, got := text.MaskWrite(q[:cut], key)
	if got != okFirst || next != rotate(key, cut) {
		t.Fatalf("MaskWrite(% x) = %x, %v", p[:cut], next, got)
	}
	if _, got = text.MaskWrite(q[cut:], next); got != ok || text.Whole() != whole {
		t.Fatalf("MaskWrite(% x), then MaskWrite(% x) = %v, Whole %v", p[:cut], p[cut:], got, text.Whole())
	}
	if !bytes.Equal(before, q) {
		t.Fatalf("MaskWrite made % x of % x", q, before)
	}

	if got := Valid(p); got != whole {
		t.Fatalf("Valid(% x) = %v", p, got)
	}
	Mask(q, key)
	if got := MaskValid(q, key); got != whole || !bytes.Equal(before, q) {
		t.Fatalf("MaskValid(% x) = %v, and made % x of it", p, got, q)
	}
}

// boundary bytes of each range in RFC 3629, section 4.
var boundaries = []byte{
	0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
	0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff,
}

// Many sequences of four bytes at the boundaries, here and there in a text, cut
// here and there.
func TestBoundaries(t *testing.T) {
	lengths, step := []int{4, 40, 64 + 4, 128, 64 + 35, 4*64 + 70}, 3
	if brief() {
		lengths, step = []int{64 + 35}, 7
	}
	onEveryPath(t, func(t *testing.T) {
		turn := 0
		for _, n := range lengths {
			p := bytes.Repeat([]byte{'a'}, n)
			for _, a := range boundaries {
				for _, b := range boundaries {
					for _, c := range boundaries {
						for _, d := range boundaries {
							if turn++; turn%step != 0 && a != 0xf4 {
								continue
							}
							at := turn * 7 % (n - 3)
							copy(p[at:], []byte{a, b, c, d})
							checkText(t, p, turn%(n+1))
							copy(p[at:], "aaaa")
						}
					}
				}
			}
		}
	})
}

// Every pair of bytes, with the text cut between them, at the end of a text
// and before more of it.
func TestEveryPair(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			p := []byte{byte(a), byte(b)}
			checkText(t, p, 1)
			checkText(t, append(p, 0x80), 2)
			checkText(t, append(p, 0x80, 0x80), 2)
		}
	}
}

// pieces are characters, whole, cut off and wrong.
var pieces = []string{
	"\xf4\x90", "\xe2\x82", "\xc2", "\xf0\x9f\x98", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xc0\x80", "\xe0\x9f\xbf",
	"\xf5", "\xff", "\x80", "ä\x80", "€\xbf", "\xf1\x80\x80", "\xf8\x88\x80\x80\x80", "\xe1\x80", "é", "\xee\x80\xc2",
}

// A cut inside every kind of character, before long text at every alignment.
func TestCutBeforeLongText(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, around := range []string{"a", "€"} {
			after := bytes.Repeat([]byte(around), 2100)
			for before := range 70 {
				for _, piece := range pieces {
					p := append(bytes.Repeat([]byte{'a'}, before), piece...)
					p = append(p, after...)
					for inside := range len(piece) + 1 {
						if !brief() || (before+inside)%9 == 0 {
							checkText(t, p, before+inside)
						}
					}
				}
			}
		}
	})
}

// Every wrong or cut character at every place of a text around it, cut at every
// place.
func TestEveryPlaceAndCut(t *testing.T) {
	lengths := []int{70, 128, 3*64 + 1, 4*64 + 64}
	if brief() {
		lengths = []int{70}
	}
	onEveryPath(t, func(t *testing.T) {
		for _, around := range []string{"a", "€", "a€😀ä"} {
			for _, n := range lengths {
				text := []byte{}
				for len(text) < n {
					text = append(text, around...)
				}
				for i, piece := range pieces {
					for at := i % 3; at <= len(text); at += 3 {
						p := append(bytes.Clone(text[:at]), piece...)
						for cut := (at + i) % 5; cut <= len(p); cut += 5 {
							checkText(t, p, cut)
						}
						checkText(t, p, at)
						p = append(p, text[at:]...)
						for cut := at % 29; cut <= len(p); cut += 29 {
							checkText(t, p, cut)
						}
					}
				}
			}
		}
	})
}

// Random text of every kind of character, most of it with a fault, at every
// cut.
func TestRandomText(t *testing.T) {
	rounds := 1500
	if brief() {
		rounds = 50
	}
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for range rounds {
			p := randomText(r, r.IntN(3000), []int{r.IntN(4), r.IntN(4), r.IntN(4), 1})
			for range r.IntN(3) {
				if len(p) > 0 {
					p[r.IntN(len(p))] = byte(r.Uint32())
				}
			}
			for range 8 {
				checkText(t, p, r.IntN(len(p)+1))
			}
		}
	})
}

// Long text in many pieces: the state carries over each of them.
func TestManyPieces(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		p := randomText(r, 64<<10, []int{3, 1, 1, 1})
		for _, most := range []int{3, 40, 200, 5000} {
			var text Text
			q := masked(p, 99)
			key := uint32(99)
			for at := 0; at < len(q); {
				n := min(1+r.IntN(most), len(q)-at)
				var ok bool
				if key, ok = text.MaskWrite(q[at:at+n], key); !ok {
					t.Fatalf("valid text fails at %d, in pieces of up to %d bytes", at, most)
				}
				at += n
			}
			if !text.Whole() || !bytes.Equal(p, q) {
				t.Errorf("in pieces of up to %d bytes: wrong", most)
			}
		}
	})
}

// randomText returns about n bytes of valid text. share says how often there
// are characters of one, two, three and four bytes.
func randomText(r *rand.Rand, n int, share []int) []byte {
	sum := 0
	for _, s := range share {
		sum += s
	}
	var p []byte
	for len(p) < n {
		pick, size := r.IntN(sum), 0
		for pick >= share[size] {
			pick -= share[size]
			size++
		}
		c := [][2]rune{{' ', 0x7e}, {0x80, 0x7ff}, {0x800, 0xffff}, {0x10000, utf8.MaxRune}}[size]
		p = utf8.AppendRune(p, c[0]+r.Int32N(c[1]-c[0]+1))
	}
	return p
}

// Once text is wrong it stays so.
func TestBrokenStays(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		var text Text
		text.Write([]byte{0xff})
		for _, n := range []int{0, 1, 100, 1000} {
			p := bytes.Repeat([]byte{'a'}, n)
			if text.Write(p) || text.Whole() {
				t.Errorf("valid again after %d bytes", n)
			}
			if _, ok := text.MaskWrite(p, 5); ok || !bytes.Equal(p, masked(bytes.Repeat([]byte{'a'}, n), 5)) {
				t.Errorf("valid again, or not masked, after %d bytes", n)
			}
		}
	})
}

// The states say what RFC 3629 says, and the first byte that stands for each
// leads to it.
func TestStates(t *testing.T) {
	for i, lead := range leads {
		if got := walk(whole, []byte{lead}); int(got) != 6*i {
			t.Errorf("lead %x of state %d leads to %d", lead, i, got/6)
		}
	}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		if p := utf8.AppendRune(nil, r); walk(whole, p) != whole {
			t.Fatalf("% x is not valid", p)
		}
	}
}

// FuzzText: text in two pieces is what unicode/utf8 says it is.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "hello", "Grüße, 世界 😀", "\xf4\x90", "\xe2\x82", "a\xff"} {
		f.Add([]byte(s), 3, 1)
		f.Add([]byte(s), 70, 60)
	}
	f.Fuzz(func(t *testing.T, p []byte, before, cut int) {
		p = append(bytes.Repeat([]byte{'x'}, int(uint(before)%300)), p...)
		checkText(t, p, int(uint(cut)%uint(len(p)+1)))
	})
}

// FuzzMaskText: masking and checking in one pass, in pieces, is masking and
// then checking.
func FuzzMaskText(f *testing.F) {
	f.Add([]byte("Grüße, 世界 😀"), uint32(0x04030201), 2, 5)
	f.Add(bytes.Repeat([]byte("ä€😀a"), 40), uint32(0xfeedface), 65, 130)
	f.Fuzz(func(t *testing.T, p []byte, key uint32, first, second int) {
		first = int(uint(first) % uint(len(p)+1))
		second = first + int(uint(second)%uint(len(p)-first+1))
		want := masked(p, key)
		wantOK, wantWhole := oracle(want)
		var text Text
		q, next := bytes.Clone(p), key
		var ok bool
		for _, piece := range [][]byte{q[:first], q[first:second], q[second:]} {
			next, ok = text.MaskWrite(piece, next)
		}
		if got := fmt.Sprint(ok, text.Whole()); !bytes.Equal(q, want) || got != fmt.Sprint(wantOK, wantWhole) {
			t.Errorf("got %s, want %v %v", got, wantOK, wantWhole)
		}
		if next != rotate(key, len(p)) {
			t.Errorf("next key %x", next)
		}
	})
}
