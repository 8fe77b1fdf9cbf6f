package xor

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// RFC 6455, section 5.3: "Octet i of the transformed data is the XOR of octet i
// of the original data with octet at index i modulo 4 of the masking key".
func masked(p []byte, key uint32) []byte {
	k := binary.LittleEndian.AppendUint32(nil, key)
	out := make([]byte, len(p))
	for i, b := range p {
		out[i] = b ^ k[i%4]
	}
	return out
}

const (
	longest = 5*64*4 + 9 // several times four vectors
	wide    = 4 << 10    // beyond it, kernels take AVX-512 for masking
	widest  = wide + 4*64 + 9
	margin  = 64 // bytes around, which must stay as they are
)

// guarded returns a copy of p at an offset from an aligned address, and the
// memory around it. intact checks that this is as it was.
func guarded(t *testing.T, p []byte, offset int) (q []byte, intact func(what string, args ...int)) {
	t.Helper()
	memory := make([]byte, margin+offset+len(p)+margin)
	for i := range memory {
		memory[i] = 0xa5
	}
	at := margin + offset
	copy(memory[at:], p)
	return memory[at : at+len(p) : at+len(p)], func(what string, args ...int) {
		t.Helper()
		for i, b := range memory {
			if b != 0xa5 && (i < at || i >= at+len(p)) {
				t.Fatalf("%s %v: wrote %d bytes from the beginning, of %d", what, args, i-at, len(p))
			}
		}
	}
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func TestEveryLengthAndAlignment(t *testing.T) {
	const key = 0x9b37c4d1
	source := noise(widest)
	onEveryPath(t, func(t *testing.T) {
		for n := 0; n <= widest; n++ {
			if n == longest {
				n = wide
			}
			want := masked(source[:n], key)
			for offset := range 65 {
				// Every offset for few bytes, some for many.
				if n > 300 && offset%9 != n%9 || brief() && offset%9 != n%9 {
					continue
				}
				p, intact := guarded(t, source[:n], offset)
				if next := Mask(p, key); next != rotate(key, n) {
					t.Fatalf("Mask of %d bytes: next key %x", n, next)
				}
				if !bytes.Equal(p, want) {
					t.Fatalf("Mask: %d bytes, offset %d: wrong", n, offset)
				}
				intact("Mask", n, offset)

				p, intact = guarded(t, make([]byte, n), offset)
				from, untouched := guarded(t, source[:n], (7*offset+n)%65)
				Copy(p, from, key)
				if !bytes.Equal(p, want) || !bytes.Equal(from, source[:n]) {
					t.Fatalf("Copy: %d bytes, offset %d: wrong", n, offset)
				}
				intact("Copy", n, offset)
				untouched("Copy's source", n, offset)

				p, intact = guarded(t, source[:n], offset)
				var text Text
				if next, _ := text.MaskWrite(p, key); next != rotate(key, n) || !bytes.Equal(p, want) {
					t.Fatalf("MaskWrite: %d bytes, offset %d: wrong", n, offset)
				}
				intact("MaskWrite", n, offset)
			}
		}
	})
}

// Portable masking of long payloads, also where there are vectors.
func TestWords(t *testing.T) {
	source := noise(700)
	for n := shortMax; n <= len(source); n++ {
		p, intact := guarded(t, make([]byte, n), n%9)
		words(p, source[:n], 0x9b37c4d1)
		if !bytes.Equal(p, masked(source[:n], 0x9b37c4d1)) {
			t.Fatalf("%d bytes: wrong", n)
		}
		intact("words", n)
	}
}

func TestEveryKeyRotation(t *testing.T) {
	source := noise(longest)
	want := masked(source, 0x04030201)
	onEveryPath(t, func(t *testing.T) {
		for cut := range longest {
			p := bytes.Clone(source)
			key := Mask(p[:cut], 0x04030201)
			Mask(p[cut:], key)
			if !bytes.Equal(p, want) {
				t.Fatalf("cut at %d: wrong", cut)
			}
		}
	})
}

// Copy to the very same bytes is masking in place, and dst may be longer.
func TestCopyInPlace(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 5, 31, 64, 65, 200, 1000} {
			p := noise(n + 10)
			want := append(masked(p[:n], 77), p[n:]...)
			Copy(p, p[:n], 77)
			if !bytes.Equal(p, want) {
				t.Errorf("%d bytes: wrong", n)
			}
		}
	})
}

func TestCopyToTooFew(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Copy to a shorter slice must panic")
		}
	}()
	Copy(make([]byte, 3), make([]byte, 4, 8), 1)
}

func TestNothingAllocates(t *testing.T) {
	p := bytes.Repeat([]byte("aä"), 1000)
	allocs := testing.AllocsPerRun(10, func() {
		var text Text
		Mask(p, 1)
		Copy(p, p, 1)
		text.Write(p)
		text.MaskWrite(p, 0)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzMask: masking in two pieces, and by Copy, is masking byte by byte.
func FuzzMask(f *testing.F) {
	f.Add([]byte("hello"), uint32(0x04030201), 2)
	f.Add(noise(300), uint32(0xdeadbeef), 131)
	f.Fuzz(func(t *testing.T, p []byte, key uint32, cut int) {
		cut = int(uint(cut) % uint(len(p)+1))
		want := masked(p, key)
		copied := make([]byte, len(p))
		Copy(copied, p, key)
		if !bytes.Equal(copied, want) {
			t.Error("Copy: wrong")
		}
		q := bytes.Clone(p)
		next := Mask(q[:cut], key)
		Copy(q[cut:], q[cut:], next)
		if !bytes.Equal(q, want) {
			t.Error("in pieces: wrong")
		}
	})
}

// brief reports whether to test a part of the cases only.
func brief() bool { return testing.Short() || racing }
