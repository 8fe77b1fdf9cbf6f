package flate

import (
	"math/bits"
	"sync"
)

// A Shared is a message that many connections send: it is compressed once for each size of window and level that they
// ask for. The zero Shared is ready. It is safe for concurrent use.
type Shared struct {
	mu    sync.Mutex
	forms map[form][]byte
}

// A form is what a compressed message depends on besides its text.
type form struct{ bits, level int }

// Message returns p, always the same, compressed as AppendMessage does without a window. It must not be changed.
func (s *Shared) Message(p []byte, windowBits, level int) []byte {
	// No distance is longer than the message.
	f := form{min(windowBits, max(bits.Len(uint(len(p))), minBits)), level}
	s.mu.Lock()
	defer s.mu.Unlock()
	z, found := s.forms[f]
	if !found {
		if s.forms == nil {
			s.forms = make(map[form][]byte)
		}
		z = AppendMessage(nil, p, nil, f.bits, level)
		s.forms[f] = z
	}
	return z
}
