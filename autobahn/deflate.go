// permessage-deflate (RFC 7692) with the standard library: the extension's
// parameters, a compressor that keeps to any window, and a decompressor.

package main

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// deflateName is the extension's token.
const deflateName = "permessage-deflate"

// maxWindow is the largest window in bits, and what holds where none is named.
const maxWindow = 15

// deflateParams are the parameters of one offer, or of one answer.
type deflateParams struct {
	serverNoTakeover bool
	clientNoTakeover bool
	serverBits       int  // 0: not named
	clientBits       int  // 0: not named
	clientBitsHint   bool // client_max_window_bits without a value: an offer only
}

func (d deflateParams) String() string {
	s := deflateName
	if d.serverNoTakeover {
		s += "; server_no_context_takeover"
	}
	if d.clientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if d.serverBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(d.serverBits)
	}
	if d.clientBits != 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(d.clientBits)
	} else if d.clientBitsHint {
		s += "; client_max_window_bits"
	}
	return s
}

// errDeflateParams is what is wrong with a header that breaks RFC 7692,
// section 7.
var errDeflateParams = errors.New("malformed permessage-deflate parameters")

// parseExtensions reads the values of Sec-WebSocket-Extensions. Extensions
// other than permessage-deflate come back by name.
func parseExtensions(header string) (deflate []deflateParams, others []string, err error) {
	for ext := range strings.SplitSeq(header, ",") {
		parts := strings.Split(ext, ";")
		name := strings.TrimSpace(parts[0])
		if name == "" {
			continue
		}
		if name != deflateName {
			others = append(others, name)
			continue
		}
		d, err := parseDeflate(parts[1:])
		if err != nil {
			return nil, nil, err
		}
		deflate = append(deflate, d)
	}
	return deflate, others, nil
}

func parseDeflate(params []string) (d deflateParams, err error) {
	seen := map[string]bool{}
	for _, p := range params {
		name, value, hasValue := strings.Cut(strings.TrimSpace(p), "=")
		bits := windowBits(strings.TrimSpace(value))
		name = strings.TrimSpace(name)
		again := seen[name]
		seen[name] = true
		switch {
		case again:
			return d, fmt.Errorf("%w: %s, a second time", errDeflateParams, name)
		case name == "server_no_context_takeover" && !hasValue:
			d.serverNoTakeover = true
		case name == "client_no_context_takeover" && !hasValue:
			d.clientNoTakeover = true
		case name == "server_max_window_bits" && bits != 0:
			d.serverBits = bits
		case name == "client_max_window_bits" && bits != 0:
			d.clientBits = bits
		case name == "client_max_window_bits" && !hasValue:
			d.clientBitsHint = true
		default:
			return d, fmt.Errorf("%w: %s", errDeflateParams, p)
		}
	}
	return d, nil
}

// windowBits reads a number of bits as section 7.1.2 has it, without leading zeros;
// quotes may stand around it. 0 means that it is none.
func windowBits(value string) int {
	if n := len(value); n > 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	bits, err := strconv.Atoi(value)
	if err != nil || bits < 8 || bits > maxWindow || strconv.Itoa(bits) != value {
		return 0
	}
	return bits
}

// A deflateState is one connection's compression, seen from the runner.
type deflateState struct {
	agreed deflateParams
	out    *compressor
	in     *decompressor
}

func newDeflateState(agreed deflateParams, server bool) *deflateState {
	mine, theirs := agreed.clientBits, agreed.serverBits
	mineFresh, theirsFresh := agreed.clientNoTakeover, agreed.serverNoTakeover
	if server {
		mine, theirs = theirs, mine
		mineFresh, theirsFresh = theirsFresh, mineFresh
	}
	return &deflateState{
		agreed: agreed,
		out:    newCompressor(mine, mineFresh),
		in:     &decompressor{bits: orMax(theirs), fresh: theirsFresh},
	}
}

func orMax(bits int) int {
	if bits == 0 {
		return maxWindow
	}
	return bits
}

// A compressor keeps to a window by starting anew, within the same stream,
// whenever a window is full: nothing reaches back over a start.
type compressor struct {
	window int
	fresh  bool // no context takeover
	used   int  // bytes since the last start
	buf    bytes.Buffer
	w      *flate.Writer
}

func newCompressor(bits int, fresh bool) *compressor {
	c := &compressor{fresh: fresh}
	if bits != 0 && bits < maxWindow {
		c.window = 1 << bits
	}
	c.w, _ = flate.NewWriter(&c.buf, flate.BestSpeed) // the level is valid
	return c
}

// compress returns the payload of a message (section 7.2.1). It is valid until
// the next call.
func (c *compressor) compress(p []byte) ([]byte, error) {
	c.buf.Reset()
	if c.fresh {
		c.w.Reset(&c.buf)
		c.used = 0
	}
	for first := true; first || len(p) > 0; first = false {
		part := p
		if c.window != 0 {
			if c.used >= c.window {
				if err := c.w.Flush(); err != nil {
					return nil, err
				}
				c.w.Reset(&c.buf)
				c.used = 0
			}
			part = p[:min(len(p), c.window-c.used)]
		}
		if _, err := c.w.Write(part); err != nil {
			return nil, err
		}
		c.used += len(part)
		p = p[len(part):]
	}
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(c.buf.Bytes(), []byte{0, 0, 0xff, 0xff}), nil
}

// A decompressor inflates the messages of the peer.
type decompressor struct {
	bits    int
	fresh   bool
	history []byte
	r       io.ReadCloser
	buf     bytes.Buffer
}

// deflateTail ends a message (section 7.2.2), and the stream, so that the
// reader comes to an end.
const deflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// decompress returns the message of a payload; no more than limit bytes of it.
func (d *decompressor) decompress(p []byte, limit int64) ([]byte, error) {
	src := io.MultiReader(bytes.NewReader(p), strings.NewReader(deflateTail))
	dict := d.history
	if d.r == nil {
		d.r = flate.NewReaderDict(src, dict)
	} else if err := d.r.(flate.Resetter).Reset(src, dict); err != nil {
		return nil, err
	}
	d.buf.Reset()
	if _, err := d.buf.ReadFrom(io.LimitReader(d.r, limit+1)); err != nil {
		return nil, fmt.Errorf("cannot inflate: %w", err)
	}
	if int64(d.buf.Len()) > limit {
		return nil, errors.New("the inflated message is too long")
	}
	out := bytes.Clone(d.buf.Bytes())
	if !d.fresh {
		d.history = remember(d.history, out)
	}
	return out, nil
}

// remember keeps the last 32 KiB of what was said.
func remember(history, said []byte) []byte {
	const window = 1 << maxWindow
	if len(said) >= window {
		return append(history[:0], said[len(said)-window:]...)
	}
	if over := len(history) + len(said) - window; over > 0 {
		history = append(history[:0], history[over:]...)
	}
	return append(history, said...)
}
