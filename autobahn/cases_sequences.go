// Cases 6.5 to 6.23: one short text message each, good or bad.

package main

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// sequences are payloads in hexadecimal, by the second number of their id.
var sequences = []struct {
	sub   int
	words string
	hex   string
}{
	{5, "some text", "68656c6c6f24776f726c64 68656c6c6fc2a2776f726c64 68656c6c6fe282ac776f726c64 68656c6c6ff0a4ada2776f726c64 cebae1bdb9cf83cebcceb5"},
	{6, "a Greek word, cut after each byte", "ce ceba cebae1 cebae1bd cebae1bdb9 cebae1bdb9cf cebae1bdb9cf83 cebae1bdb9cf83ce cebae1bdb9cf83cebc cebae1bdb9cf83cebcce cebae1bdb9cf83cebcceb5"},
	{7, "the first code point of a length", "00 c280 e0a080 f0908080"},
	{8, "five or six bytes, from the bottom", "f888808080 fc8480808080"},
	{9, "the last code point of a length", "7f dfbf efbfbf f48fbfbf"},
	{10, "four to six bytes, from the top", "f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf"},
	{11, "code points at other borders", "ed9fbf ee8080 efbfbd f48fbfbf f4908080"},
	{12, "continuation bytes on their own", "80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf " + bytesFrom(0x80, 0xbe, "")},
	{13, "first bytes on their own", bytesFrom(0xc0, 0xde, "20") + " " + bytesFrom(0xe0, 0xee, "20") + " " + bytesFrom(0xf0, 0xf6, "20") + " " + bytesFrom(0xf8, 0xfa, "20") + " fc20"},
	{14, "a character without its last byte", cutShort},
	{15, "characters without their last bytes, one after the other", strings.ReplaceAll(cutShort, " ", "")},
	{16, "bytes that never occur", "fe ff fefeffff"},
	{17, "a slash in too many bytes", "c0af e080af f08080af f8808080af fc80808080af"},
	{18, "the last code point that fits fewer bytes", "c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf"},
	{19, "a zero in too many bytes", "c080 e08080 f0808080 f880808080 fc8080808080"},
	{20, "one surrogate", "eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf"},
	{21, "two surrogates", "eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf edae80edb080 edae80edbfbf edafbfedb080 edafbfedbfbf"},
	{22, "a noncharacter, which is allowed", noncharacters()},
	{23, "a code point among the specials", "efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf"},
}

const cutShort = "c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf fdbfbfbfbf"

// bytesFrom lists bytes, each with something behind it.
func bytesFrom(first, last int, behind string) string {
	var s strings.Builder
	for b := first; b <= last; b++ {
		fmt.Fprintf(&s, "%02x%s", b, behind)
	}
	return s.String()
}

// noncharacters are the last two code points of each plane.
func noncharacters() string {
	var s []string
	for plane := range rune(17) {
		for _, low := range []rune{0xfffe, 0xffff} {
			s = append(s, hex.EncodeToString([]byte(string(plane<<16|low))))
		}
	}
	return strings.Join(s, " ")
}

func sequenceCases() []*testCase {
	var cases []*testCase
	for _, group := range sequences {
		for i, s := range strings.Fields(group.hex) {
			payload, _ := hex.DecodeString(s) // constants, and a test counts the cases
			c := &testCase{
				id:    fmt.Sprintf("6.%d.%d", group.sub, i+1),
				does:  fmt.Sprintf("Sends a text message of %s: %s.", group.words, s),
				steps: []step{send(textFrame(string(payload)))},
			}
			if utf8.Valid(payload) {
				c.wants, c.close = "Sends the message back.", cleanClose()
				c.outcomes = []outcome{ok(textEvent(string(payload)))}
			} else {
				c.wants, c.close = notText, failedText()
				c.outcomes = []outcome{ok()}
			}
			cases = append(cases, c)
		}
	}
	return cases
}
