package websocket

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// firstBad returns how many bytes of p can begin a valid text: the index of the
// first byte that cannot be continued, or len(p).
func firstBad(p []byte) int {
	for i := 0; i < len(p); {
		if r, n := utf8.DecodeRune(p[i:]); r != utf8.RuneError || n > 1 {
			i += n
			continue
		}
		for n := i + 1; n <= len(p); n++ {
			if !begins(p[i:n]) {
				return n - 1
			}
		}
		return len(p)
	}
	return len(p)
}

// begins reports whether p can be continued to one character, by trying.
func begins(p []byte) bool {
	for _, rest := range []string{"", "\x80", "\xbf", "\x80\x80", "\xbf\xbf", "\x80\x80\x80", "\xbf\xbf\xbf"} {
		if r, n := utf8.DecodeRune(append(p[:len(p):len(p)], rest...)); (r != utf8.RuneError || n > 1) && n >= len(p) {
			return true
		}
	}
	return false
}

// checkText writes p to a textCheck at every split in two and byte by byte, and
// holds the result against the standard library's.
func checkText(t testing.TB, p []byte) {
	bad := firstBad(p)
	valid := utf8.Valid(p)
	for cut := range len(p) + 1 {
		var tc textCheck
		first := tc.write(p[:cut])
		if first != (bad >= cut) {
			t.Fatalf("%x: the first %d bytes are called possible: %v", p, cut, first)
		}
		if !first {
			continue
		}
		if second := tc.write(p[cut:]); second != (bad == len(p)) {
			t.Fatalf("%x cut at %d: called possible: %v", p, cut, second)
		} else if !second {
			continue
		}
		if whole := tc.whole(); whole != valid {
			t.Fatalf("%x cut at %d: called whole: %v", p, cut, whole)
		}
	}
	var tc textCheck
	for i, b := range p {
		if ok := tc.write([]byte{b}); ok != (i < bad) {
			t.Fatalf("%x: byte %d is called possible: %v", p, i, ok)
		} else if !ok {
			return
		}
	}
	if tc.whole() != valid {
		t.Fatalf("%x byte by byte: not as the standard library", p)
	}
}

// CHECKLIST 12: every sequence of one and two bytes, and those of three and four
// bytes that begin with every pair and go on with every boundary.
func TestRFC6455_8_1_ShortSequences(t *testing.T) {
	checkText(t, nil)
	p := make([]byte, 4)
	for a := range 256 {
		p[0] = byte(a)
		checkText(t, p[:1])
		for b := range 256 {
			p[1] = byte(b)
			checkText(t, p[:2])
		}
	}
	if testing.Short() {
		return
	}
	edges := []byte{0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff}
	for a := 0x7f; a < 256; a++ {
		for _, b := range edges {
			for _, c := range edges {
				p[0], p[1], p[2] = byte(a), b, c
				checkText(t, p[:3])
				if a >= 0xef {
					for _, d := range edges {
						p[3] = d
						checkText(t, p)
					}
				}
			}
		}
	}
}

// Longer texts: bad and good bytes at every place among whole characters.
func TestRFC6455_8_1_LongerTexts(t *testing.T) {
	around := []string{"", "a", "ab", "κόσμε", "日本", "😀", strings.Repeat("long ", 20)}
	inside := []string{"é", "€", "😀", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "\xff", "\x80"}
	for _, before := range around {
		for _, what := range inside {
			for _, after := range around {
				checkText(t, []byte(before+what+after))
			}
		}
	}
}

func TestRFC6455_8_1_FirstBadIsRight(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "\x80": 0, "a\xff": 1, "\xc0\x80": 0, "\xc2": 1, "\xc2a": 1, "\xe0\x80": 1, "\xed\xa0": 1,
		"\xf0\x8f": 1, "\xf4\x90": 1, "\xf4\x8f\xbf": 3, "\xf4\x8f\xbf\x7f": 3, "é\xe2\x82x": 4,
	} {
		assert.Equal(t, want, firstBad([]byte(text)), "%x", text)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "κόσμε", "\xf4\x90\x80\x80", "\xed\xa0\x80", "日本語 and more 😀"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 200 {
			p = p[:200]
		}
		checkText(t, p)
	})
}

func TestTextCheckDoesNotAllocate(t *testing.T) {
	p := []byte(strings.Repeat("Grüße, 世界. ", 10))
	var tc textCheck
	require.Zero(t, testing.AllocsPerRun(100, func() { tc.write(p) }))
}

func BenchmarkText(b *testing.B) {
	for _, n := range []int{8, 32, 128, 1024} {
		for name, text := range map[string]string{"ascii": "plain text ", "mixed": "Grüße, 世界. "} {
			p := []byte(strings.ToValidUTF8(strings.Repeat(text, n)[:n], "."))
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				for b.Loop() {
					var tc textCheck
					if !tc.write(p) {
						b.Fatal("not valid")
					}
				}
			})
		}
	}
}
