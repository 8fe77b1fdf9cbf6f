package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// The key and its answer are those of RFC 6455, section 1.3.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// Request returns a client's opening handshake, as browsers send it less their
// cookies and languages, and offers what d says.
func Request(host, path string, d Deflate) []byte {
	p := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n", path, host, key)
	if d.On() {
		p = fmt.Appendf(p, "Sec-WebSocket-Extensions: %s\r\n", d.offer())
	}
	return append(p, "\r\n"...)
}

// Response checks an answer to Request. n is its length, 0 if more must come.
func Response(p []byte) (n int, err error) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		if len(p) > 4096 {
			return 0, errors.New("an answer without an end")
		}
		return 0, nil
	}
	line, _, _ := bytes.Cut(p, []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 101")) {
		return 0, fmt.Errorf("the server answers %q", line)
	}
	if !bytes.Contains(p[:end], []byte(accept)) {
		return 0, errors.New("an answer with the wrong Sec-WebSocket-Accept")
	}
	return end + 4, nil
}
