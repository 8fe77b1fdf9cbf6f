package flate_test

import (
	stdflate "compress/flate"
	"fmt"
	"testing"

	"github.com/seed86893212/websocket/internal/flate"
)

func BenchmarkAppendMessage(b *testing.B) {
	bench(b, func(b *testing.B, messages [][]byte, newWindow func() *flate.Window, level int) {
		w := newWindow()
		var out []byte
		in, packed := 0, 0
		for i := 0; b.Loop(); i++ {
			p := messages[i%len(messages)]
			out = flate.AppendMessage(out[:0], p, w, 15, level)
			in, packed = in+len(p), packed+len(out)
		}
		b.ReportMetric(float64(in)/float64(packed), "ratio")
	})
}

func BenchmarkInflate(b *testing.B) {
	bench(b, func(b *testing.B, messages [][]byte, newWindow func() *flate.Window, level int) {
		w, in := newWindow(), newWindow()
		var packed [][]byte
		for _, p := range messages {
			packed = append(packed, flate.AppendMessage(nil, p, w, 15, level))
		}
		benchInflate(b, packed, in)
	})
}

// What other libraries send, in blocks with codes of their own: for short messages most of the work is to read those.
func BenchmarkInflateForeign(b *testing.B) {
	for _, size := range []int{128, 1024, 16384} {
		for _, level := range []int{stdflate.BestSpeed, stdflate.DefaultCompression} {
			b.Run(fmt.Sprintf("%d/level=%d", size, level), func(b *testing.B) {
				var packed [][]byte
				for _, p := range jsonMessages(uint64(size), 64+200_000/size, size) {
					packed = append(packed, stdMessages(b, level, p)[0])
				}
				b.SetBytes(int64(size))
				benchInflate(b, packed, nil)
			})
		}
	}
}

// What takes the fewest bytes for what comes of it: a megabyte of the same few.
func BenchmarkInflateRepeats(b *testing.B) {
	for _, period := range []int{1, 2, 7, 9, 100} {
		b.Run(fmt.Sprintf("period=%d", period), func(b *testing.B) {
			message := make([]byte, 1<<20)
			for i := range message {
				message[i] = byte(i % period)
			}
			b.SetBytes(int64(len(message)))
			benchInflate(b, stdMessages(b, stdflate.BestCompression, message), nil)
		})
	}
}

// benchInflate inflates messages over and over.
func benchInflate(b *testing.B, packed [][]byte, in *flate.Window) {
	var out []byte
	for i := 0; b.Loop(); i++ {
		if i%len(packed) == 0 && in != nil {
			in.Reset()
		}
		z := flate.GetInflater()
		z.Reset(in, 15)
		var err error
		if out, _, err = z.Inflate(out[:0], packed[i%len(packed)], 2<<20); err != nil {
			b.Fatal(err)
		}
		if out, _, err = z.End(out, 2<<20); err != nil {
			b.Fatal(err)
		}
		flate.PutInflater(z)
	}
}

func bench(b *testing.B, run func(b *testing.B, messages [][]byte, newWindow func() *flate.Window, level int)) {
	for _, size := range []int{128, 1024, 16384} {
		messages := jsonMessages(uint64(size), 64+200_000/size, size)
		total := 0
		for _, p := range messages {
			total += len(p)
		}
		for _, takeover := range []bool{false, true} {
			for _, level := range []int{1, 5, 9} {
				b.Run(fmt.Sprintf("%d/takeover=%t/level=%d", size, takeover, level), func(b *testing.B) {
					b.SetBytes(int64(total / len(messages)))
					run(b, messages, func() *flate.Window {
						if !takeover {
							return nil
						}
						return flate.NewWindow(15)
					}, level)
				})
			}
		}
	}
}
