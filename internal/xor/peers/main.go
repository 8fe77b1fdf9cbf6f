// Command peers compares the masking and text kernels with those of other
// libraries and with a plain C loop, in interleaved rounds of one run:
//
//	cd internal/xor/peers && go run .
//
// It prints medians in GB/s. The peers' kernels are reached by their public API
// where there is one and otherwise by their name.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
	"unsafe"

	_ "github.com/coder/websocket"
	"github.com/gobwas/ws"
	_ "github.com/gorilla/websocket"
	_ "github.com/lesismal/nbio/nbhttp/websocket"
	_ "github.com/lxzan/gws"

	"github.com/seed86893212/websocket/internal/xor"
	"github.com/seed86893212/websocket/internal/xor/peers/cloop"
)

//go:linkname gorillaMask github.com/gorilla/websocket.maskBytes
func gorillaMask(key [4]byte, pos int, b []byte) int

//go:linkname coderMask github.com/coder/websocket.mask
func coderMask(b []byte, key uint32) uint32

//go:linkname gwsMask github.com/lxzan/gws/internal.MaskXOR
func gwsMask(b, key []byte)

//go:linkname nbioMask github.com/lesismal/nbio/nbhttp/websocket.maskXOR
func nbioMask(b, key []byte)

const key = 0x9b37c4d1

var keyBytes = binary.LittleEndian.AppendUint32(nil, key)

// A contestant does the same work a number of times.
type contestant struct {
	name string
	run  func(p []byte, times int)
}

func masks() []contestant {
	k := [4]byte(keyBytes)
	return []contestant{
		{"xor", func(p []byte, times int) {
			for range times {
				xor.Mask(p, key)
			}
		}},
		{"xor.Copy", func(p []byte, times int) {
			dst := bytes.Clone(p)
			for range times {
				xor.Copy(dst, p, key)
			}
		}},
		{"C -O3", func(p []byte, times int) { cloop.MaskTimes(p, key, times) }},
		{"gobwas", func(p []byte, times int) {
			for range times {
				ws.Cipher(p, k, 0)
			}
		}},
		{"coder", func(p []byte, times int) {
			for range times {
				coderMask(p, key)
			}
		}},
		{"gorilla", func(p []byte, times int) {
			for range times {
				gorillaMask(k, 0, p)
			}
		}},
		{"gws", func(p []byte, times int) {
			for range times {
				gwsMask(p, keyBytes)
			}
		}},
		{"nbio", func(p []byte, times int) {
			for range times {
				nbioMask(p, keyBytes)
			}
		}},
	}
}

// texts mask text and then unmask and check it. The last of them masks only: its
// time is taken off the others'.
func texts() []contestant {
	return []contestant{
		{"MaskWrite", func(p []byte, times int) {
			for range times {
				var t xor.Text
				xor.Mask(p, key)
				t.MaskWrite(p, key)
			}
		}},
		{"Mask, Write", func(p []byte, times int) {
			for range times {
				var t xor.Text
				xor.Mask(p, key)
				xor.Mask(p, key)
				t.Write(p)
			}
		}},
		{"Mask, utf8.Valid", func(p []byte, times int) {
			for range times {
				xor.Mask(p, key)
				xor.Mask(p, key)
				utf8.Valid(p)
			}
		}},
		{"gorilla, utf8.Valid", func(p []byte, times int) {
			for range times {
				xor.Mask(p, key)
				gorillaMask([4]byte(keyBytes), 0, p)
				utf8.Valid(p)
			}
		}},
		{"coder, utf8.Valid", func(p []byte, times int) {
			for range times {
				xor.Mask(p, key)
				coderMask(p, key)
				utf8.Valid(p)
			}
		}},
		{"again", func(p []byte, times int) {
			for range times {
				xor.Mask(p, key)
			}
		}},
	}
}

func main() {
	rounds := flag.Int("rounds", 21, "rounds; the median of each is printed")
	each := flag.Duration("each", 2*time.Millisecond, "time of each contestant in a round")
	offset := flag.Int("offset", 0, "bytes between an aligned address and the payload")
	sizes := flag.String("sizes", "8,32,128,1024,16384,1048576", "payloads, in bytes")
	flag.Parse()

	var ns []int
	for _, s := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			fmt.Fprintln(os.Stderr, "peers:", err)
			os.Exit(2)
		}
		ns = append(ns, n)
	}
	compare := func(title, fill string, cs []contestant) {
		payload := func(n int) []byte {
			p := aligned(n, *offset)
			copy(p, strings.Repeat(fill, n/len(fill)+1))
			for i := 1; i <= 4 && !utf8.Valid(p); i++ { // end it with a whole character
				p[n-i] = '.'
			}
			return p
		}
		table(title, ns, cs, payload, *rounds, *each)
	}
	compare("masking", "a", masks())
	compare("masking and checking ASCII", "Hello, world. ", texts())
	compare("masking and checking mixed text", "Grüße, Welt! Привет, мир. 世界 😀 ", texts())
}

// aligned returns n bytes at an offset from an aligned address.
func aligned(n, offset int) []byte {
	p := make([]byte, n+offset+64)
	at := int(-uintptr(unsafe.Pointer(unsafe.SliceData(p)))&63) + offset
	return p[at : at+n]
}

// table measures and prints.
func table(title string, sizes []int, cs []contestant, payload func(n int) []byte, rounds int, each time.Duration) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, GB/s\t", title)
	for _, n := range sizes {
		fmt.Fprintf(w, "%d\t", n)
	}
	fmt.Fprintln(w)
	speeds := make([][]float64, len(cs)) // of each contestant, for each size
	for _, n := range sizes {
		took := measure(cs, payload(n), rounds, each)
		for i := range cs {
			speeds[i] = append(speeds[i], float64(n)/took[i])
		}
	}
	for i, c := range cs {
		fmt.Fprintf(w, "%s\t", c.name)
		for _, s := range speeds[i] {
			fmt.Fprintf(w, "%.2f\t", s)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	w.Flush()
}

// measure returns the median nanoseconds that each contestant takes for p. The time of a
// contestant called again is taken off the others'.
func measure(cs []contestant, p []byte, rounds int, each time.Duration) []float64 {
	times := make([]int, len(cs))
	for i, c := range cs {
		for times[i] = 2; ; times[i] *= 2 {
			start := time.Now()
			c.run(p, times[i])
			if took := time.Since(start); took > each {
				times[i] = max(2, int(float64(times[i])*float64(each)/float64(took)))
				times[i] += times[i] % 2 // an even number leaves p as it was
				break
			}
		}
	}
	all := make([][]float64, len(cs))
	for range rounds {
		var round []float64
		for i, c := range cs {
			start := time.Now()
			c.run(p, times[i])
			round = append(round, float64(time.Since(start).Nanoseconds())/float64(times[i]))
		}
		last := len(cs) - 1
		for i := range cs {
			if cs[last].name == "again" && i != last {
				round[i] -= round[last]
			}
			all[i] = append(all[i], round[i])
		}
	}
	medians := make([]float64, len(cs))
	for i := range cs {
		slices.Sort(all[i])
		medians[i] = all[i][rounds/2]
	}
	return medians
}
