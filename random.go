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

var keyBlocks = sync.Pool{New: func() any { return &keyBlock{at: len(keyBlock{}.bytes)} }}

// newMaskingKey returns a fresh masking key. It is safe for concurrent use.
func newMaskingKey() uint32 {
	b := keyBlocks.Get().(*keyBlock)
	if b.at == len(b.bytes) {
		rand.Read(b.bytes[:]) // never fails
		b.at = 0
	}
	key := binary.LittleEndian.Uint32(b.bytes[b.at:])
	b.at += 4
	keyBlocks.Put(b)
	return key
}
