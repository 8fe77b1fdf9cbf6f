// Masking, RFC 6455 section 5.3. The kernels are in internal/xor.

package websocket

import (
	"encoding/binary"
	"math/bits"

	"github.com/seed86893212/websocket/internal/xor"
)

// Mask masks or unmasks p in place: octet i of p is combined with octet
// (pos+i) mod 4 of key (RFC 6455, section 5.3). pos is where p begins in the
// frame's payload; only its value modulo 4 matters. It returns the position
// after p, modulo 4, for the next piece of the same payload.
func Mask(p []byte, key [4]byte, pos int) int {
	xor.Mask(p, bits.RotateLeft32(maskingKey(key), -8*(pos&3)))
	return (pos + len(p)) & 3
}

// maskingKey returns a masking key with its first byte lowest, as the kernels
// take it.
func maskingKey(key [4]byte) uint32 { return binary.LittleEndian.Uint32(key[:]) }
