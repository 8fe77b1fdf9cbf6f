package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// An echoServer is a correct server on raw frames, as far as it makes none of
// the mistakes. It shares no code with the runner or the library.
type echoServer struct {
	// What it does not check.
	anyMask, anyRSV, anyOpcode, anyText, lateText, anyCloseText, anyCloseCode, anyCloseSize bool
	longPing, fragmentedPing, anyContinuation, anyNesting, longLengths, anyRequest          bool

	// What it does wrong to messages.
	dropFirstFragment, swapFragments, eachFragment, corrupt, alwaysBinary, alwaysText bool
	masked, longReply, twice                                                          bool
	limit                                                                             int

	// What it does wrong to pings and to the close.
	dropPingPayload, cutPing, pongLate, pongLast, answerPong, noPong  bool
	noCloseReply, dropOnClose, keepTCP, talkAfterClose, dropOnFailure bool
	protocolCode, textCode, replyCode                                 int
	beforeClose, afterClose                                           string // bytes around its answer to a close frame

	// Compression.
	deflate, cutDeflate, anyWindow, anyTakeover, sloppyRSV, deafToOffer bool

	// It opens connections, says so if there is somebody to tell, and never reads.
	neverReads bool
	opened     func()
	stop       chan struct{}
}

var errEnd = errors.New("over")

// A failure fails the connection with a status code.
type failure int

func (f failure) Error() string { return fmt.Sprint("failed with ", int(f)) }

// startEcho starts the server and returns its address.
func startEcho(t *testing.T, s *echoServer) string {
	t.Helper()
	s.setCodes()
	s.stop = make(chan struct{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				c := &echoConn{s: s, nc: nc, br: bufio.NewReader(nc)}
				c.serve()
				nc.Close()
			})
		}
	})
	t.Cleanup(func() { ln.Close(); close(s.stop); open.Wait() })
	return ln.Addr().String()
}

// setCodes sets the close codes for failures, where they are not wrong.
func (s *echoServer) setCodes() {
	s.protocolCode, s.textCode = cmp.Or(s.protocolCode, 1002), cmp.Or(s.textCode, 1007)
}

type echoConn struct {
	s      *echoServer
	client bool
	nc     net.Conn
	br     *bufio.Reader

	op        byte // of the message in progress; 0: none
	packed    bool
	fragments [][]byte
	half      []byte   // of a character
	pings     [][]byte // to be answered late
	closing   bool

	// Compression, if agreed.
	agreed, fresh bool
	window        int
	history       []byte
	r             io.Reader
	w             *flate.Writer
	out           bytes.Buffer
	used          int // since the last reset
}

func (c *echoConn) serve() {
	req, err := http.ReadRequest(c.br)
	if err != nil {
		return
	}
	bad := req.Method != "GET" || !req.ProtoAtLeast(1, 1) || !strings.EqualFold(req.Header.Get("Upgrade"), "websocket") ||
		!strings.EqualFold(req.Header.Get("Connection"), "upgrade") || req.Header.Get("Sec-WebSocket-Version") != "13"
	key, err := base64.StdEncoding.DecodeString(req.Header.Get("Sec-WebSocket-Key"))
	if (bad || err != nil || len(key) != 16) && !c.s.anyRequest {
		fmt.Fprint(c.nc, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		return
	}
	extension := c.negotiate(req.Header.Get("Sec-WebSocket-Extensions"))
	fmt.Fprintf(c.nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
		base64.StdEncoding.EncodeToString(accepted(req.Header.Get("Sec-WebSocket-Key"))), extension)
	if c.s.neverReads {
		if c.s.opened != nil {
			c.s.opened()
		}
		<-c.s.stop
		return
	}
	c.talk()
}

// accepted is what a server makes of a key.
func accepted(key string) []byte {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return sum[:]
}

// talk echoes until one of both has closed, and sees TCP to its end.
func (c *echoConn) talk() {
	var err error
	for err == nil {
		err = c.frame()
	}
	var f failure
	if errors.As(err, &f) && !c.s.dropOnFailure && !c.closing {
		c.write(8, binary.BigEndian.AppendUint16(nil, uint16(f)), 0)
		_, _ = io.WriteString(c.nc, c.s.afterClose)
	}
	if c.s.keepTCP {
		_, _ = io.Copy(io.Discard, c.br)
		return
	}
	if !c.client { // which leaves that to the server
		c.nc.(*net.TCPConn).CloseWrite()
	}
	c.nc.SetReadDeadline(time.Now().Add(3 * time.Second))
	_, _ = io.Copy(io.Discard, c.br)
}

// negotiate takes the first offer.
func (c *echoConn) negotiate(offers string) string {
	offer, _, _ := strings.Cut(offers, ",")
	if !c.s.deflate || !strings.Contains(offer, "permessage-deflate") {
		return ""
	}
	c.agreed, c.window = true, 15
	answer := "Sec-WebSocket-Extensions: permessage-deflate"
	if c.s.deafToOffer {
		return answer + "\r\n"
	}
	if strings.Contains(offer, "server_no_context_takeover") {
		c.fresh = true
		answer += "; server_no_context_takeover"
	}
	if _, bits, ok := strings.Cut(offer, "server_max_window_bits="); ok {
		fmt.Sscan(bits, &c.window)
		answer += fmt.Sprint("; server_max_window_bits=", c.window)
	}
	return answer + "\r\n"
}

// frame reads one frame and acts on it.
func (c *echoConn) frame() error {
	var b [8]byte
	if _, err := io.ReadFull(c.br, b[:2]); err != nil {
		return errEnd
	}
	final, rsv, op, masked := b[0]&0x80 != 0, b[0]&0x70, b[0]&15, b[1]&0x80 != 0
	n, minimal := uint64(b[1]&0x7f), true
	switch n {
	case 126:
		_, _ = io.ReadFull(c.br, b[:2])
		n = uint64(binary.BigEndian.Uint16(b[:]))
		minimal = n > 125
	case 127:
		_, _ = io.ReadFull(c.br, b[:8])
		n = binary.BigEndian.Uint64(b[:])
		minimal = n > 65535
	}
	var key [4]byte
	if masked {
		_, _ = io.ReadFull(c.br, key[:])
	}
	limit := cmp.Or(c.s.limit, 64<<20)
	packed := c.agreed && rsv == 0x40 && (op == 1 || op == 2 || c.s.sloppyRSV)
	switch {
	case masked == c.client && !c.s.anyMask, rsv != 0 && !packed && !c.s.anyRSV, !minimal && !c.s.longLengths,
		op&7 > 2 && !c.s.anyOpcode, op >= 8 && n > 125 && !c.s.longPing && (op != 8 || !c.s.anyCloseSize),
		op >= 8 && !final && !c.s.fragmentedPing, op == 0 && c.op == 0 && !c.s.anyContinuation,
		(op == 1 || op == 2) && c.op != 0 && !c.s.anyNesting, n>>63 != 0:
		return failure(c.s.protocolCode)
	case n > uint64(limit):
		return failure(1009)
	}
	if (op == 1 || op == 2) && (!c.closing || c.s.talkAfterClose) {
		c.op, c.fragments, c.packed, c.half = op, nil, packed, nil
	}
	if op == 0 && c.op == 0 {
		c.op = 1
	}
	if op&7 > 2 {
		op, final, c.op = 1, true, 1
	}
	payload, err := c.payload(op, int(n), key)
	switch {
	case err != nil:
		return err
	case c.closing && !c.s.talkAfterClose:
		return nil
	case op == 8:
		return c.closeFrame(payload)
	case op == 9:
		c.ping(payload)
		return nil
	case op == 10:
		if c.s.answerPong {
			c.write(10, payload, 0)
		}
		return nil
	}
	return c.message(payload, final)
}

// payload reads a payload, and text as it comes.
func (c *echoConn) payload(op byte, n int, key [4]byte) ([]byte, error) {
	check := op < 8 && c.op == 1 && !c.packed && !c.s.anyText && !c.s.lateText
	p := make([]byte, n)
	for at := 0; at < n; {
		m, err := c.br.Read(p[at:])
		if err != nil {
			return nil, errEnd
		}
		for i := at; i < at+m; i++ {
			p[i] ^= key[i&3]
		}
		if check && !c.validSoFar(p[at:at+m]) {
			return nil, failure(c.s.textCode)
		}
		at += m
	}
	return p, nil
}

// validSoFar says whether text may still become valid.
func (c *echoConn) validSoFar(p []byte) bool {
	p = append(c.half, p...)
	for len(p) > 0 && utf8.FullRune(p) {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		p = p[n:]
	}
	c.half = slices.Clone(p)
	return true
}

func (c *echoConn) ping(payload []byte) {
	switch {
	case c.s.noPong:
		return
	case c.s.dropPingPayload:
		payload = nil
	case c.s.cutPing:
		payload = payload[:min(len(payload), 124)]
	}
	if c.s.pongLate && c.op != 0 || c.s.pongLast {
		c.pings = append(c.pings, payload)
		if c.br.Buffered() > 0 || !c.s.pongLast {
			return
		}
		c.write(10, payload, 0)
		c.pings = nil
		return
	}
	c.write(10, payload, 0)
}

func (c *echoConn) message(payload []byte, final bool) error {
	if c.s.eachFragment {
		c.write(c.op, payload, 0)
		if final {
			c.op = 0
		}
		return nil
	}
	c.fragments = append(c.fragments, payload)
	if !final {
		return nil
	}
	f := c.fragments
	if c.s.dropFirstFragment && len(f) > 1 {
		f = f[1:]
	}
	if c.s.swapFragments {
		slices.Reverse(f)
	}
	msg, op := slices.Concat(f...), c.op
	c.op, c.fragments = 0, nil
	if c.packed {
		src := io.MultiReader(bytes.NewReader(msg), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
		if c.r == nil {
			c.r = flate.NewReader(src)
		}
		_ = c.r.(flate.Resetter).Reset(src, c.history)
		out, err := io.ReadAll(c.r)
		if err != nil {
			return failure(c.s.protocolCode)
		}
		msg = out
		c.history = append(c.history, msg...)
		c.history = c.history[max(0, len(c.history)-32768):]
	}
	if op == 1 && !c.s.anyText && !utf8.Valid(msg) {
		return failure(c.s.textCode)
	}
	if c.s.corrupt && len(msg) > 40 {
		msg[40] ^= 1
	}
	switch {
	case c.s.alwaysBinary:
		op = 2
	case c.s.alwaysText && utf8.Valid(msg):
		op = 1
	}
	for range b2i(c.s.twice) + 1 {
		if c.agreed {
			c.write(op, c.compress(msg), 0x40)
		} else {
			c.write(op, msg, 0)
		}
	}
	for _, p := range c.pings {
		c.write(10, p, 0)
	}
	c.pings = nil
	return nil
}

// compress forgets everything when a window is full, and at the start of a
// message if so agreed, unless it does not care.
func (c *echoConn) compress(msg []byte) []byte {
	if c.w == nil {
		c.w, _ = flate.NewWriter(&c.out, 6)
	}
	c.out.Reset()
	forget := func() {
		_ = c.w.Flush()
		c.w.Reset(&c.out)
		c.used = 0
	}
	if c.fresh && !c.s.anyTakeover {
		c.w.Reset(&c.out)
		c.used = 0
	}
	for rest := msg; len(rest) > 0; {
		if c.used == 1<<c.window && !c.s.anyWindow {
			forget()
		}
		part := rest
		if !c.s.anyWindow {
			part = rest[:min(len(rest), 1<<c.window-c.used)]
		}
		_, _ = c.w.Write(part)
		c.used += len(part)
		rest = rest[len(part):]
	}
	_ = c.w.Flush()
	p := bytes.TrimSuffix(c.out.Bytes(), []byte{0, 0, 0xff, 0xff})
	if c.s.cutDeflate && len(p) > 12 {
		p = p[:len(p)-4]
	}
	return p
}

func (c *echoConn) closeFrame(p []byte) error {
	switch {
	case c.s.noCloseReply:
		_, _ = io.Copy(io.Discard, c.br)
		return errEnd
	case c.s.dropOnClose:
		return errEnd
	case len(p) == 1 && !c.s.anyCloseSize:
		return failure(c.s.protocolCode)
	case len(p) > 2 && !utf8.Valid(p[2:]) && !c.s.anyCloseText:
		return failure(c.s.textCode)
	}
	if len(p) >= 2 {
		code := binary.BigEndian.Uint16(p)
		known := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || code >= 3000 && code <= 4999
		if !known && !c.s.anyCloseCode {
			return failure(c.s.protocolCode)
		}
		p = p[:2]
	}
	if len(p) == 1 {
		p = nil
	}
	if c.s.replyCode != 0 {
		p = binary.BigEndian.AppendUint16(nil, uint16(c.s.replyCode))
	}
	if c.s.talkAfterClose {
		c.closing = true
		c.nc.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		for c.frame() == nil {
		}
	}
	_, _ = io.WriteString(c.nc, c.s.beforeClose)
	c.write(8, p, 0)
	_, _ = io.WriteString(c.nc, c.s.afterClose)
	c.closing = true
	return errEnd
}

// write writes one frame.
func (c *echoConn) write(op byte, p []byte, rsv byte) {
	var mask byte
	if c.s.masked != c.client {
		mask = 0x80
	}
	b := []byte{0x80 | rsv | op}
	switch n := len(p); {
	case n > 65535 || c.s.longReply && n > 125:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	case n > 125:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = append(b, mask|byte(n))
	}
	if mask != 0 {
		b = append(b, 0, 0, 0, 0)
	}
	_, _ = c.nc.Write(append(b, p...))
}
