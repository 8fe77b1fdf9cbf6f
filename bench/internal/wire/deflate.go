package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A Deflate is what both sides are to agree on of permessage-deflate (RFC 7692).
// The zero value is no compression.
type Deflate struct {
	Bits     int  `json:"bits,omitempty"`     // of both windows; 0: no compression
	Takeover bool `json:"takeover,omitempty"` // both keep them between messages
}

// On reports whether messages may be compressed.
func (d Deflate) On() bool { return d.Bits != 0 }

// offer returns a client's Sec-WebSocket-Extensions.
func (d Deflate) offer() string {
	switch {
	case !d.Takeover:
		return "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	case d.Bits == 15:
		return "permessage-deflate; client_max_window_bits"
	}
	return fmt.Sprintf("permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%[1]d", d.Bits)
}

// Check checks the extensions in a server's answer: they are what d says, not
// less.
func (d Deflate) Check(answer []byte) error {
	got, found := "", 0
	for line := range bytes.SplitSeq(answer, []byte("\r\n")) {
		name, value, _ := strings.Cut(string(line), ":")
		if strings.EqualFold(name, "Sec-WebSocket-Extensions") {
			got = strings.TrimSpace(value)
			found++
		}
	}
	switch {
	case !d.On() && found == 0:
		return nil
	case !d.On() || found != 1:
		return fmt.Errorf("%d extension headers in the answer: %q", found, got)
	}
	params := strings.Split(got, ";")
	if strings.TrimSpace(params[0]) != "permessage-deflate" {
		return fmt.Errorf("the server answers with %q", got)
	}
	server := Deflate{Bits: 15, Takeover: true}
	client := server
	for _, p := range params[1:] {
		switch name, value, _ := strings.Cut(strings.TrimSpace(p), "="); name {
		case "server_no_context_takeover":
			server.Takeover = false
		case "client_no_context_takeover":
			client.Takeover = false
		case "server_max_window_bits":
			server.Bits, _ = strconv.Atoi(value)
		case "client_max_window_bits":
			client.Bits, _ = strconv.Atoi(value)
		default:
			return fmt.Errorf("the server answers with %q", got)
		}
	}
	if server != d || client != d {
		return fmt.Errorf("the server agrees on %q, not on %+v", got, d)
	}
	return nil
}

// tail ends what a message leaves out (RFC 7692, section 7.2.2), and then the
// stream, which flate.Reader wants.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// A compressor makes messages that refer to nothing before them. That is allowed
// whatever was agreed on.
type compressor struct {
	w   *flate.Writer
	out bytes.Buffer
}

func newCompressor() *compressor {
	z := &compressor{}
	z.w, _ = flate.NewWriter(&z.out, flate.DefaultCompression) // that level exists
	return z
}

// message returns p compressed, valid until the next call.
func (z *compressor) message(p []byte) []byte {
	z.out.Reset()
	z.w.Reset(&z.out)
	_, _ = z.w.Write(p) // a bytes.Buffer takes everything
	_ = z.w.Flush()
	return bytes.TrimSuffix(z.out.Bytes(), []byte(tail[:4]))
}

// How many compressed messages are inflated: inflating all would make the
// generator the bottleneck.
const (
	checkedFirst = 64 // of each connection, these
	checkedOf    = 16 // and then one connection of so many with takeover, one message without
)

// An inflater inflates some of the messages of one connection.
type inflater struct {
	takeover bool
	window   int  // a message may refer to so many bytes before it
	all      bool // never stops
	count    int  // messages that began
	raw      []byte
	history  []byte
}

var (
	inflating  = flate.NewReader(nil) // the generator has one thread
	inflated   = make([]byte, 64<<10)
	source     bytes.Reader
	errInflate = errors.New("a message that cannot be inflated")
)

// wants reports whether the message that begins is to be inflated.
func (z *inflater) wants() bool {
	z.raw = z.raw[:0]
	z.count++
	switch {
	case z.all, z.count <= checkedFirst:
		return true
	case z.takeover:
		z.history = nil
		return false
	}
	return z.count%checkedOf == 0
}

// check compares the whole message in z.raw with want.
func (z *inflater) check(want []byte) error {
	z.raw = append(z.raw, tail...)
	source.Reset(z.raw)
	if err := inflating.(flate.Resetter).Reset(&source, z.history[max(0, len(z.history)-z.window):]); err != nil {
		return err
	}
	if len(inflated) <= len(want) {
		inflated = make([]byte, 2*len(want)+1)
	}
	n := 0
	for n <= len(want) {
		m, err := inflating.Read(inflated[n : len(want)+1])
		n += m
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errInflate, err)
		}
	}
	if !bytes.Equal(inflated[:n], want) {
		return errContent
	}
	if z.takeover {
		if len(z.history)+n > 64<<10 {
			z.history = z.history[:copy(z.history, z.history[len(z.history)-32<<10:])]
		}
		z.history = append(z.history, want...)
	}
	return nil
}
