package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed86893212/websocket/bench/internal/proc"
)

// steepest is how much more processor time a message may take with the most
// connections than with the fewest.
const steepest = 1.5

// parseSizes takes numbers of connections apart.
func parseSizes(text string) (sizes []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%q is no number of connections", word)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// A cost is what a message costs.
type cost struct {
	ns      float64 // of the server's processor time
	user    float64 // of that, outside the kernel
	packets float64 // sent by either side
}

// runCPU measures the server's processor time per message, with as many messages
// under way on ever more connections.
func runCPU(s *settings, sizes []int, rounds int, measure time.Duration, out io.Writer) error {
	serverCore, clientCore := -1, -1
	if cores := proc.Cores(); len(cores) > 1 {
		serverCore, clientCore = cores[0], cores[1]
	}
	all := make([][]cost, len(sizes))
	for range rounds {
		for i, n := range sizes {
			one := *s
			one.Conns, one.Servers, one.Clients = n, 1, 1
			v, err := perMessage(&one, serverCore, clientCore, measure)
			if err != nil {
				return fmt.Errorf("%d connections: %w", n, err)
			}
			all[i] = append(all[i], v)
		}
	}
	least := make([]cost, len(sizes)) // others on the machine can only add to it
	for i, n := range sizes {
		least[i] = slices.MinFunc(all[i], func(a, b cost) int { return cmp.Compare(a.ns, b.ns) })
		fmt.Fprintf(out, "%6d connections: %.0f ns a message, %.2f times, %.0f outside the kernel; %.1f packets; %.0f ns a packet, %.2f times; all: %v\n", n,
			least[i].ns, least[i].ns/least[0].ns, least[i].user, least[i].packets, least[i].perPacket(), least[i].perPacket()/least[0].perPacket(), all[i])
	}
	if least[len(least)-1].ns >= steepest*least[0].ns {
		return errVerdict
	}
	return nil
}

func (c cost) String() string { return fmt.Sprintf("%.0f", c.ns) }

func (c cost) perPacket() float64 { return c.ns / c.packets }

func perMessage(s *settings, serverCore, clientCore int, measure time.Duration) (c cost, err error) {
	f, err := openField(s, io.Discard, serverCore, clientCore)
	if err != nil {
		return c, err
	}
	defer f.close()
	if _, err := f.full(); err != nil {
		return c, err
	}
	if err := f.order(f.clients, order{Do: "fly"}); err != nil {
		return c, err
	}
	time.Sleep(measure / 3)
	sent, err := proc.Segments()
	if err != nil {
		return c, err
	}
	before, err := f.look()
	if err != nil {
		return c, err
	}
	time.Sleep(measure)
	after, err := f.look()
	if err != nil {
		return c, err
	}
	now, err := proc.Segments()
	if err != nil {
		return c, err
	}
	messages := after.server.Messages - before.server.Messages
	if messages == 0 || after.client.Errors+after.server.Errors > 0 {
		return c, fmt.Errorf("%d messages, errors %q %q", messages, after.client.Strange, after.server.Strange)
	}
	c.ns = float64(after.usage.cpu-before.usage.cpu) / float64(messages)
	c.packets = float64(now-sent) / float64(messages)
	if user, kernel := after.usage.user-before.usage.user, after.usage.kernel-before.usage.kernel; user+kernel > 0 {
		c.user = c.ns * float64(user) / float64(user+kernel)
	}
	return c, nil
}
