package bufpool

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGet(t *testing.T) {
	for want, sizes := range map[int][]int{
		512:           {-1, 0, 1, 511, 512},
		1024:          {513, 1024},
		2048:          {1025, 2048},
		1 << 16:       {1<<15 + 1, 1 << 16},
		1 << 20:       {1<<19 + 1, 1<<20 - 1, 1 << 20},
		1<<20 + 1:     {1<<20 + 1},
		3<<20 + 12345: {3<<20 + 12345},
	} {
		for _, n := range sizes {
			b := Get(n)
			assert.Empty(t, b)
			assert.Equal(t, want, cap(b), "Get(%d)", n)
		}
	}
}

// What is put is what is got, of the right class.
func TestReuse(t *testing.T) {
	reused := 0
	for range 100 { // the race detector makes sync.Pool forget at random
		b := Get(5000)
		at := unsafe.SliceData(b)
		Put(b[:17])
		again := Get(4097)
		require.Equal(t, 8192, cap(again))
		require.Empty(t, again)
		if unsafe.SliceData(again) == at {
			reused++
		}
	}
	assert.Positive(t, reused)
}

func TestPutForeign(t *testing.T) {
	for _, n := range []int{0, 1, 256, 511, 513, 768, 1<<20 + 1, 1 << 21} {
		b := make([]byte, 0, n)
		at := unsafe.SliceData(b)
		Put(b)
		for range 4 {
			if got := Get(n); n > 0 {
				require.NotSame(t, at, unsafe.SliceData(got), "capacity %d", n)
			}
		}
		runtime.KeepAlive(b)
	}
	Put(nil)
}

func TestGrow(t *testing.T) {
	b := append(Get(512), "begin"...)
	same := Grow(b, 512-5)
	assert.Same(t, unsafe.SliceData(b), unsafe.SliceData(same), "it had room")
	assert.Equal(t, "begin", string(same))
	bigger := Grow(same, 512-4)
	assert.Equal(t, 1024, cap(bigger))
	assert.Equal(t, "begin", string(bigger))
	assert.NotSame(t, unsafe.SliceData(b), unsafe.SliceData(bigger))
	assert.Equal(t, 512, cap(Grow(nil, 1)))
}

// CHECKLIST 5: no buffer is ever with two owners. Each of them marks the
// whole buffer and finds its mark untouched when it gives it back.
func TestNeverHandedOutTwice(t *testing.T) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	owned := map[*byte]bool{}
	take := func(b []byte) error {
		mu.Lock()
		defer mu.Unlock()
		at := unsafe.SliceData(b)
		if owned[at] {
			return fmt.Errorf("a buffer of %d bytes has two owners", cap(b))
		}
		owned[at] = true
		return nil
	}
	drop := func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		delete(owned, unsafe.SliceData(b))
	}
	for worker := range byte(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(worker)))
			mine := [][]byte{}
			for i := range 3000 {
				if len(mine) > 0 && rnd.IntN(2) == 0 {
					at := rnd.IntN(len(mine))
					b := mine[at]
					mine = append(mine[:at], mine[at+1:]...)
					for _, mark := range b {
						if mark != worker {
							t.Errorf("a buffer of %d bytes was written to by another owner", cap(b))
							return
						}
					}
					drop(b)
					Put(b)
					continue
				}
				b := Get(1 << rnd.IntN(13))
				if err := take(b); err != nil {
					t.Errorf("round %d: %v", i, err)
					return
				}
				b = b[:cap(b)]
				for j := range b {
					b[j] = worker
				}
				mine = append(mine, b)
			}
		})
	}
	wg.Wait()
}

func TestDoesNotAllocate(t *testing.T) {
	Put(Get(1000))
	if n := testing.AllocsPerRun(1000, func() { Put(Get(1000)) }); n > 0.5 {
		assert.Zero(t, n)
	}
}

func BenchmarkGetPut(b *testing.B) {
	for b.Loop() {
		Put(Get(4096))
	}
}
