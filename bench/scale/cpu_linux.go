package main

import (
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

// runCPU measures the server's processor time per message, with as many messages
// under way on ever more connections.
func runCPU(s *settings, sizes []int, rounds int, measure time.Duration, out io.Writer) error {
	serverCore, clientCore := -1, -1
	if cores := proc.Cores(); len(cores) > 1 {
		serverCore, clientCore = cores[0], cores[1]
	}
	all := make([][]float64, len(sizes))
	for range rounds {
		for i, n := range sizes {
			one := *s
			one.Conns, one.Servers, one.Clients = n, 1, 1
			v, err := cpuPerMessage(&one, serverCore, clientCore, measure)
			if err != nil {
				return fmt.Errorf("%d connections: %w", n, err)
			}
			all[i] = append(all[i], v)
		}
	}
	least := make([]float64, len(sizes)) // others on the machine can only add to it
	for i, n := range sizes {
		least[i] = slices.Min(all[i])
		fmt.Fprintf(out, "%6d connections: %.0f ns a message, %.2f times (%.0f)\n", n, least[i], least[i]/least[0], all[i])
	}
	if least[len(least)-1] >= steepest*least[0] {
		return errVerdict
	}
	return nil
}

func cpuPerMessage(s *settings, serverCore, clientCore int, measure time.Duration) (float64, error) {
	f, err := openField(s, io.Discard, serverCore, clientCore)
	if err != nil {
		return 0, err
	}
	defer f.close()
	if _, err := f.full(); err != nil {
		return 0, err
	}
	if err := f.order(f.clients, order{Do: "fly"}); err != nil {
		return 0, err
	}
	time.Sleep(measure / 3)
	before, err := f.look()
	if err != nil {
		return 0, err
	}
	time.Sleep(measure)
	after, err := f.look()
	if err != nil {
		return 0, err
	}
	messages := after.server.Messages - before.server.Messages
	if messages == 0 || after.client.Errors+after.server.Errors > 0 {
		return 0, fmt.Errorf("%d messages, errors %q %q", messages, after.client.Strange, after.server.Strange)
	}
	return float64(after.usage.cpu-before.usage.cpu) / float64(messages), nil
}
