// Command peers compares internal/flate with klauspost/compress, used as gws does, and with the standard library: the time to
// compress and to inflate a JSON message, and how small it gets.
//
// The contenders take turns in each of many rounds; the figures are medians.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/seed86893212/websocket/internal/flate/samples"
)

func main() {
	rounds := flag.Int("rounds", 15, "rounds to measure")
	only := flag.Int("size", 0, "measure messages of this size alone")
	turn := flag.Duration("turn", 4*time.Millisecond, "what a turn lasts, about")
	flag.Parse()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, size := range []int{128, 1024, 16384} {
		if *only != 0 && *only != size {
			continue
		}
		messages := samples.JSON(rand.New(rand.NewPCG(uint64(size), 1)), max(64, 400_000/size), size)
		for _, takeover := range []bool{false, true} {
			fmt.Fprintf(w, "%d B, takeover %t\tcompress ns\tinflate ns\tsum\tratio\t\n", size, takeover)
			for _, r := range compare(messages, takeover, *rounds, *turn) {
				fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.3f\t\n", r.name, r.compress, r.inflate, r.compress+r.inflate, r.ratio)
			}
			fmt.Fprintln(w, "\t\t\t\t\t")
		}
	}
	w.Flush()
}

// A codec is one side of a connection. Compress returns what the next call overwrites; so does inflate.
type codec interface {
	compress(p []byte) []byte
	inflate(p []byte) []byte
}

type result struct {
	name              string
	compress, inflate int64 // ns a message
	ratio             float64
}

// compare measures all contenders.
func compare(messages [][]byte, takeover bool, rounds int, turn time.Duration) []result {
	all := contenders(takeover)
	results := make([]result, len(all))
	times := make([][2][]int64, len(all))
	for round := range rounds + 1 {
		for i, c := range all {
			if round == 0 {
				results[i] = check(c, messages)
			}
			n := max(1, int(turn.Nanoseconds()/max(1, (results[i].compress+results[i].inflate)*int64(len(messages)))))
			compress, inflate := measure(c.new, messages, n)
			times[i][0] = append(times[i][0], compress)
			times[i][1] = append(times[i][1], inflate)
		}
	}
	for i := range all {
		results[i].compress, results[i].inflate = median(times[i][0][1:]), median(times[i][1][1:])
	}
	return results
}

func median(v []int64) int64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// check sees that every message comes back, and finds the ratio.
func check(c contender, messages [][]byte) result {
	side := c.new()
	var in, out int
	for _, p := range messages {
		packed := side.compress(p)
		in, out = in+len(p), out+len(packed)
		if got := side.inflate(packed); string(got) != string(p) {
			log.Fatalf("%s: a message of %d bytes came back as one of %d", c.name, len(p), len(got))
		}
	}
	compress, inflate := measure(c.new, messages, 1)
	return result{c.name, compress, inflate, float64(in) / float64(out)}
}

// measure returns the time that each message takes, after all have been seen once.
func measure(newCodec func() codec, messages [][]byte, n int) (compress, inflate int64) {
	side := newCodec()
	packed := make([][]byte, len(messages))
	for k := range n + 1 {
		begin := time.Now()
		for i, p := range messages {
			packed[i] = append(packed[i][:0], side.compress(p)...)
		}
		middle := time.Now()
		for _, p := range packed {
			side.inflate(p)
		}
		if k > 0 {
			compress += middle.Sub(begin).Nanoseconds()
			inflate += time.Since(middle).Nanoseconds()
		}
	}
	count := int64(n * len(messages))
	return compress / count, inflate / count
}
