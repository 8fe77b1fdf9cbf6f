// Masking keys, from a cryptographic source.

package websocket

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// keyBlock is a stock of random bytes for masking keys. Each is used once: "The
// masking key is a 32-bit value chosen at random by the client. When preparing
// a masked frame, the client MUST pick a fresh masking key" (RFC 6455, section
// 5.3).
type keyBlock struct {
	at    int
	bytes [512]byte
}

// keySource makes masking keys. It is safe for concurrent use.
type keySource struct {
	read   func([]byte) (int, error) // random bytes; never fails
	blocks sync.Pool                 // of *keyBlock
}

// maskingKeys is the source of every connection's keys: "The masking key needs
// to be unpredictable" (RFC 6455, section 5.3).
var maskingKeys = keySource{read: rand.Read}

// newMaskingKey returns a fresh masking key. It is safe for concurrent use.
func newMaskingKey() uint32 { return maskingKeys.next() }

func (s *keySource) next() uint32 {
	b, ok := s.blocks.Get().(*keyBlock)
	if !ok {
		b = &keyBlock{at: len(b.bytes)}
	}
	if b.at == len(b.bytes) {
		_, _ = s.read(b.bytes[:]) // never fails
		b.at = 0
	}
	key := binary.LittleEndian.Uint32(b.bytes[b.at:])
	b.at += 4
	s.blocks.Put(b)
	return key
}
