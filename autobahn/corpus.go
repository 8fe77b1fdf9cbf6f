// What the cases on compression send: data of the published kinds and sizes,
// made here.

package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// A corpus is data that messages are cut from, again and again.
type corpus struct {
	name   string
	binary bool
	size   int
	make   func(*noise, *bytes.Buffer) // appends a little
	once   sync.Once
	data   []byte
}

var corpora = []*corpus{
	{name: "JSON", size: 194056, make: appendJSON},
	{name: "a bitmap", binary: true, size: 263222, make: appendBitmap},
	{name: "prose", binary: true, size: 222218, make: appendProse},
	{name: "HTML", size: 263647, make: appendHTML},
	{name: "a document of text and pictures", binary: true, size: 1042328, make: appendDocument},
}

// bytes returns the corpus. If it is text it is ASCII, since messages are cut
// from it anywhere.
func (c *corpus) bytes() []byte {
	c.once.Do(func() {
		var b bytes.Buffer
		rng := noise(c.size)
		for b.Len() < c.size {
			c.make(&rng, &b)
		}
		c.data = b.Bytes()[:c.size]
	})
	return c.data
}

// cut returns n bytes from a position, going on at the start, and the position
// behind them. dst is written over.
func (c *corpus) cut(dst []byte, at, n int) ([]byte, int) {
	data := c.bytes()
	dst = dst[:0]
	for n > 0 {
		part := data[at:min(len(data), at+n)]
		dst = append(dst, part...)
		n -= len(part)
		at = (at + len(part)) % len(data)
	}
	return dst, at
}

// noise is a source of numbers that is the same on every run.
type noise uint64

func (n *noise) next(below int) int {
	*n = *n*6364136223846793005 + 1442695040888963407
	return int(uint64(*n)>>33) % below
}

var words = strings.Fields(`the a of to and in that was he it with as his on be at by had for not they
	which her she from all my there when so said no one been would their what them who if out up then into
	more some could now than time very man about like over upon house little other water morning never
	garden before window between river answer children evening mountain together beautiful remember`)

func (n *noise) sentence(b *bytes.Buffer, length int) {
	for i := range length {
		word := words[min(n.next(len(words)), n.next(len(words)))]
		if i == 0 {
			word = strings.ToUpper(word[:1]) + word[1:]
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	b.WriteString(". ")
}

func appendJSON(n *noise, b *bytes.Buffer) {
	fmt.Fprintf(b, `{"id": %d, "active": %t, "score": %d.%02d, "tags": ["%s", "%s"], "note": "`,
		n.next(1e6), n.next(2) == 0, n.next(100), n.next(100), words[n.next(len(words))], words[n.next(len(words))])
	n.sentence(b, 3+n.next(6))
	b.WriteString("\"},\n")
}

func appendBitmap(n *noise, b *bytes.Buffer) {
	x, y := b.Len()%512, b.Len()/512
	b.WriteByte(byte(x/3 + y/5 + n.next(6)))
}

func appendProse(n *noise, b *bytes.Buffer) {
	for range 2 + n.next(6) {
		n.sentence(b, 4+n.next(16))
	}
	b.WriteString("\r\n\r\n")
}

func appendHTML(n *noise, b *bytes.Buffer) {
	fmt.Fprintf(b, `<div class="row %s" id="r%d"><a href="/%s/%d">`, words[n.next(8)], n.next(1e5), words[n.next(len(words))], n.next(1e4))
	n.sentence(b, 2+n.next(4))
	b.WriteString("</a>\n  <p>")
	n.sentence(b, 5+n.next(20))
	b.WriteString("</p>\n</div>\n")
}

func appendDocument(n *noise, b *bytes.Buffer) {
	fmt.Fprintf(b, "%d 0 obj\n<< /Length 4096 /Filter /DCTDecode >>\nstream\n", n.next(1e4))
	for range 4096 {
		b.WriteByte(byte(n.next(256)))
	}
	b.WriteString("\nendstream\nendobj\n")
	for range 4 {
		n.sentence(b, 12)
	}
}
