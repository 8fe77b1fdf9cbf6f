package main

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"

	kflate "github.com/klauspost/compress/flate"

	"github.com/seed86893212/websocket/internal/flate"
)

const (
	tail      = "\x00\x00\xff\xff"
	finalTail = tail + "\x01\x00\x00\xff\xff"
)

type contender struct {
	name string
	new  func() codec
}

func contenders(takeover bool) []contender {
	all := []contender{}
	for _, level := range []int{3, 6, 7, 9} {
		all = append(all, contender{fmt.Sprintf("ours, level %d", level), func() codec { return newOurs(takeover, level) }})
	}
	for _, level := range []int{1, 5, 9} {
		all = append(all, contender{fmt.Sprintf("klauspost, level %d, as gws", level), func() codec { return newPeer(takeover, level) }})
	}
	all = append(all, contender{"klauspost, stateless", func() codec {
		p := newPeer(takeover, 1)
		p.stateless = true
		return p
	}})
	for _, level := range []int{1, 6} {
		all = append(all, contender{fmt.Sprintf("standard library, level %d", level), func() codec { return newStd(takeover, level) }})
	}
	return all
}

type ours struct {
	out, in     *flate.Window
	level       int
	packed, got []byte
}

func newOurs(takeover bool, level int) codec {
	c := &ours{level: level}
	if takeover {
		c.out, c.in = flate.NewWindow(15), flate.NewWindow(15)
	}
	return c
}

func (c *ours) compress(p []byte) []byte {
	c.packed = flate.AppendMessage(c.packed[:0], p, c.out, 15, c.level)
	return c.packed
}

func (c *ours) inflate(p []byte) []byte {
	z := flate.GetInflater()
	z.Reset(c.in, 15)
	var err error
	if c.got, _, err = z.Inflate(c.got[:0], p, 1<<20); err != nil {
		panic(err)
	}
	var done bool
	if c.got, done, err = z.End(c.got, 1<<20); err != nil || !done {
		panic(err)
	}
	flate.PutInflater(z)
	return c.got
}

// A window slides over a connection's messages.
type window struct {
	on   bool
	dict []byte
}

func (w *window) add(p []byte) {
	if !w.on {
		return
	}
	const size = 1 << 15
	if len(p) >= size {
		w.dict = append(w.dict[:0], p[len(p)-size:]...)
		return
	}
	if drop := len(w.dict) + len(p) - size; drop > 0 {
		w.dict = w.dict[:copy(w.dict, w.dict[drop:])]
	}
	w.dict = append(w.dict, p...)
}

// A peer is klauspost/compress as gws v1.8.9 uses it: the writer is reset with the window as its dictionary.
type peer struct {
	writer    *kflate.Writer
	stateless bool
	reader    io.ReadCloser
	out, in   window
	packed    bytes.Buffer
	got       bytes.Buffer
	src       bytes.Reader
	msg       []byte
}

func newPeer(takeover bool, level int) *peer {
	c := &peer{reader: kflate.NewReader(nil)}
	c.writer, _ = kflate.NewWriter(nil, level)
	c.out.on, c.in.on = takeover, takeover
	return c
}

func (c *peer) compress(p []byte) []byte {
	c.packed.Reset()
	if c.stateless {
		if err := kflate.StatelessDeflate(&c.packed, p, false, c.out.dict); err != nil {
			panic(err)
		}
	} else {
		c.writer.ResetDict(&c.packed, c.out.dict)
		c.writer.Write(p)
		c.writer.Flush()
	}
	c.out.add(p)
	return bytes.TrimSuffix(c.packed.Bytes(), []byte(tail))
}

func (c *peer) inflate(p []byte) []byte {
	c.msg = append(append(c.msg[:0], p...), finalTail...)
	c.src.Reset(c.msg)
	c.reader.(kflate.Resetter).Reset(&c.src, c.in.dict)
	c.got.Reset()
	if _, err := c.reader.(io.WriterTo).WriteTo(&c.got); err != nil {
		panic(err)
	}
	c.in.add(c.got.Bytes())
	return c.got.Bytes()
}

// A std is the standard library: its writer cannot be reset with a dictionary, so with takeover it goes on.
type std struct {
	writer *stdflate.Writer
	reader io.ReadCloser
	on     bool
	in     window
	packed bytes.Buffer
	got    bytes.Buffer
	src    bytes.Reader
	msg    []byte
}

func newStd(takeover bool, level int) codec {
	c := &std{reader: stdflate.NewReader(nil), on: takeover}
	c.writer, _ = stdflate.NewWriter(&c.packed, level)
	c.in.on = takeover
	return c
}

func (c *std) compress(p []byte) []byte {
	c.packed.Reset()
	if !c.on {
		c.writer.Reset(&c.packed)
	}
	c.writer.Write(p)
	c.writer.Flush()
	return bytes.TrimSuffix(c.packed.Bytes(), []byte(tail))
}

func (c *std) inflate(p []byte) []byte {
	c.msg = append(append(c.msg[:0], p...), finalTail...)
	c.src.Reset(c.msg)
	c.reader.(stdflate.Resetter).Reset(&c.src, c.in.dict)
	c.got.Reset()
	if _, err := c.got.ReadFrom(c.reader); err != nil {
		panic(err)
	}
	c.in.add(c.got.Bytes())
	return c.got.Bytes()
}
