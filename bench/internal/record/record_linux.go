// Package record is the record layer of TLS 1.3 (RFC 8446, section 5) for a load
// generator that reads and writes sockets without waiting, which crypto/tls
// cannot. crypto/tls performs the handshake; the keys come from its key log.
package record

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"
)

const (
	header      = 5
	maxPlain    = 16 << 10
	maxRecord   = header + maxPlain + 256
	application = 23
	overhead    = 16 + 1 // tag, content type
)

// A Session encrypts and decrypts the bytes of one connection.
type Session struct {
	seal, open half
	cut        []byte // the beginning of a record
	plain      []byte // what Open returned last
}

// Client performs a TLS handshake on a socket that waits. Certificates are not
// checked.
func Client(fd int) (*Session, error) {
	var secrets bytes.Buffer
	conn := tls.Client(&socket{fd}, &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // the server is ours
		MinVersion:         tls.VersionTLS13,
		KeyLogWriter:       &secrets,
	})
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	suite := conn.ConnectionState().CipherSuite
	return session(suite, &secrets)
}

// session takes the keys from a key log.
func session(suite uint16, secrets io.Reader) (*Session, error) {
	s := &Session{}
	for lines := bufio.NewScanner(secrets); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue
		}
		secret, err := hex.DecodeString(fields[2])
		if err != nil {
			return nil, err
		}
		switch fields[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			s.seal, err = newHalf(suite, secret)
		case "SERVER_TRAFFIC_SECRET_0":
			s.open, err = newHalf(suite, secret)
		}
		if err != nil {
			return nil, err
		}
	}
	if s.seal.aead == nil || s.open.aead == nil {
		return nil, errors.New("the key log has no traffic secrets")
	}
	return s, nil
}

// Seal appends p in records to dst.
func (s *Session) Seal(dst, p []byte) []byte {
	for len(p) > 0 {
		part := p[:min(len(p), maxPlain)]
		p = p[len(part):]
		at := len(dst)
		dst = append(dst, application, 3, 3, 0, 0)
		binary.BigEndian.PutUint16(dst[at+3:], uint16(len(part)+overhead))
		dst = append(append(dst, part...), application)
		body := dst[at+header:]
		sealed := s.seal.aead.Seal(body[:0], s.seal.nonce(), body, dst[at:at+header])
		dst = append(dst[:at+header], sealed...)
	}
	return dst
}

// Open takes in bytes of the connection and returns what they hold, which is
// valid until the next call. p is overwritten.
func (s *Session) Open(p []byte) ([]byte, error) {
	s.plain = s.plain[:0]
	if len(s.cut) > 0 {
		s.cut = append(s.cut, p...)
		p = s.cut
	}
	for len(p) >= header {
		n := header + int(binary.BigEndian.Uint16(p[3:]))
		if n > maxRecord || p[0] != application {
			return nil, fmt.Errorf("a record of type %d and %d bytes", p[0], n)
		}
		if len(p) < n {
			break
		}
		body, err := s.open.aead.Open(p[header:header], s.open.nonce(), p[header:n], p[:header])
		if err != nil {
			return nil, err
		}
		p = p[n:]
		body = bytes.TrimRight(body, "\x00")
		if len(body) == 0 || body[len(body)-1] != application {
			continue // a session ticket, an alert
		}
		s.plain = append(s.plain, body[:len(body)-1]...)
	}
	s.cut = append(s.cut[:0], p...)
	return s.plain, nil
}

// A half is one direction of a connection.
type half struct {
	aead cipher.AEAD
	iv   [12]byte
	seq  uint64
	n    [12]byte
}

// newHalf knows the suites that crypto/tls offers and that hash with SHA-256.
func newHalf(suite uint16, secret []byte) (h half, err error) {
	switch suite {
	case tls.TLS_AES_128_GCM_SHA256:
		var block cipher.Block
		if block, err = aes.NewCipher(expand(secret, "key", 16)); err == nil {
			h.aead, err = cipher.NewGCM(block)
		}
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		h.aead, err = chacha20poly1305.New(expand(secret, "key", chacha20poly1305.KeySize))
	default:
		err = fmt.Errorf("the server chose %s", tls.CipherSuiteName(suite))
	}
	copy(h.iv[:], expand(secret, "iv", 12))
	return h, err
}

// nonce returns the next one (RFC 8446, section 5.3).
func (h *half) nonce() []byte {
	h.n = h.iv
	tail := h.n[4:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^h.seq)
	h.seq++
	return h.n[:]
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446, section 7.1).
func expand(secret []byte, label string, length int) []byte {
	label = "tls13 " + label
	info := append([]byte{0, byte(length), byte(len(label))}, label...)
	key, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), length)
	if err != nil {
		panic(err) // only for absurd lengths
	}
	return key
}

// socket is a descriptor as a net.Conn, for the handshake.
type socket struct{ fd int }

func (s *socket) Read(p []byte) (int, error) {
	n, err := unix.Read(s.fd, p)
	if err == nil && n == 0 {
		return 0, errors.New("the server has closed the connection")
	}
	return max(n, 0), err
}

func (s *socket) Write(p []byte) (n int, err error) {
	for n < len(p) {
		m, err := unix.Write(s.fd, p[n:])
		if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

func (s *socket) Close() error                     { return nil }
func (s *socket) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *socket) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *socket) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (s *socket) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (s *socket) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
