package websocket

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A keepaliveStep is one thing that happens at a second: the reader parks,
// receives or leaves, or the alarm asks, and then wants to hear the answer and
// when to ask again (-1: not checked).
type keepaliveStep struct {
	at    int
	does  string
	want  heartbeat
	again int
}

func TestKeepalive(t *testing.T) {
	const wait, ping, fail = heartbeatWait, heartbeatPing, heartbeatFail
	tests := []struct {
		name              string
		interval, timeout int
		steps             []keepaliveStep
	}{
		{"a silent peer is pinged and given up", 30, 15, []keepaliveStep{
			{1, "park", 0, 0}, {30, "ask", wait, 31}, {31, "ask", ping, 46}, {45, "ask", wait, 46}, {46, "ask", fail, 0},
		}},
		{"no heartbeat", 0, 15, []keepaliveStep{
			{1, "park", 0, 0}, {1000, "ask", wait, 0},
		}},
		{"no time-out: pings for ever", 30, 0, []keepaliveStep{
			{1, "park", 0, 0}, {31, "ask", ping, 61}, {61, "ask", ping, 91}, {90, "ask", wait, 91}, {5000, "ask", ping, 5030},
		}},
		{"the time-out is longer than the interval", 10, 60, []keepaliveStep{
			{1, "park", 0, 0}, {11, "ask", ping, 21}, {21, "ask", wait, 31}, {65, "ask", wait, 71}, {71, "ask", fail, 0},
		}},
		{"after an answer the next ping is not late", 10, 60, []keepaliveStep{
			{1, "park", 0, 0},
			{11, "ask", ping, 21},
			{21, "ask", wait, 31},
			{22, "receive", 0, 0},
			{22, "park", 0, 0},
			{31, "ask", wait, 32},
			{32, "ask", ping, 42},
		}},
		{"any traffic is life", 30, 15, []keepaliveStep{
			{1, "park", 0, 0},
			{31, "ask", ping, 46},
			{45, "receive", 0, 0},
			{45, "park", 0, 0},
			{46, "ask", wait, 75},
			{75, "ask", ping, 90},
			{89, "ask", wait, 90},
			{90, "ask", fail, 0},
		}},
		{"traffic before the ping puts it off", 30, 15, []keepaliveStep{
			{1, "park", 0, 0}, {20, "receive", 0, 0}, {21, "park", 0, 0}, {31, "ask", wait, 51}, {51, "ask", ping, 66},
		}},
		{"a busy reader is not a dead peer", 30, 15, []keepaliveStep{
			{1, "park", 0, 0},
			{2, "receive", 0, 0},
			{31, "ask", wait, 61},
			{61, "ask", ping, 76},
			{76, "ask", wait, 91},
			{91, "ask", ping, 106},
			{500, "ask", ping, 515},
			{500, "park", 0, 0},
			{514, "ask", wait, 515},
			{515, "ask", fail, 0},
		}},
		{"who never reads pings and never fails", 30, 15, []keepaliveStep{
			{31, "ask", ping, 46}, {46, "ask", wait, 61}, {61, "ask", ping, 76}, {100000, "ask", ping, 100015},
		}},
		{"a ping sent while busy is waited for in full", 30, 15, []keepaliveStep{
			{31, "ask", ping, 46}, {45, "park", 0, 0}, {46, "ask", wait, 60}, {59, "ask", wait, 60}, {60, "ask", fail, 0},
		}},
		{"canceled and repeated reads still time out", 30, 15, []keepaliveStep{
			{1, "park", 0, 0},
			{11, "leave", 0, 0},
			{11, "park", 0, 0},
			{21, "leave", 0, 0},
			{21, "park", 0, 0},
			{31, "ask", ping, 46},
			{36, "leave", 0, 0},
			{36, "park", 0, 0},
			{41, "leave", 0, 0},
			{41, "park", 0, 0},
			{45, "ask", wait, 46},
			{46, "ask", fail, 0},
		}},
		{"a pause does not count", 30, 15, []keepaliveStep{
			{1, "park", 0, 0},
			{31, "ask", ping, 46},
			{32, "leave", 0, 0},
			{46, "ask", wait, 61},
			{61, "ask", ping, 76},
			{76, "ask", wait, 91},
			{90, "park", 0, 0},
			{91, "ask", wait, 104},
			{103, "ask", wait, 104},
			{104, "ask", fail, 0},
		}},
		{"reads in step with the checks still time out", 30, 15, []keepaliveStep{
			{1, "park", 0, 0},
			{31, "ask", ping, 46},
			{41, "leave", 0, 0},
			{46, "ask", wait, 61},
			{47, "park", 0, 0},
			{57, "leave", 0, 0},
			{61, "ask", fail, 0},
		}},
		{"traffic after a pause", 30, 15, []keepaliveStep{
			{1, "park", 0, 0},
			{31, "ask", ping, 46},
			{40, "leave", 0, 0},
			{60, "park", 0, 0},
			{60, "receive", 0, 0},
			{60, "park", 0, 0},
			{65, "ask", wait, 90},
			{90, "ask", ping, 105},
		}},
		{"a wait that begins again is a whole one", 30, 15, []keepaliveStep{
			{1, "again", 0, 0},
			{1, "park", 0, 0},
			{31, "ask", ping, 46},
			{40, "leave", 0, 0},
			{40, "park", 0, 0},
			{45, "again", 0, 0},
			{46, "ask", wait, 60},
			{59, "leave", 0, 0},
			{59, "again", 0, 0},
			{60, "ask", wait, 61},
			{60, "park", 0, 0},
			{74, "ask", wait, 75},
			{75, "ask", fail, 0},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			second := func(n int) time.Duration { return time.Duration(n) * time.Second }
			k := keepalive{heard: second(1)}
			parked := false
			for _, s := range tt.steps {
				switch s.does {
				case "park":
					k.park(second(s.at))
					parked = true
				case "leave":
					k.leave(second(s.at))
					parked = false
				case "receive":
					k.received()
					parked = false
				case "again":
					k.again(second(s.at))
				case "ask":
					got, again := k.next(second(s.at), second(tt.interval), second(tt.timeout), parked)
					require.Equal(t, s.want, got, "at %d", s.at)
					require.Equal(t, second(s.again), again, "at %d", s.at)
				}
			}
		})
	}
}

// Whatever readers do: a peer is given up only when reads have waited in vain
// for the whole time-out since an unanswered ping, it is asked again later than
// now, and a peer that nobody hears of is pinged in time.
func TestKeepaliveAtRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	fails := 0
	for range 2000 {
		k := keepalive{heard: 1}
		interval, timeout := time.Duration(1+rnd.IntN(20)), time.Duration(rnd.IntN(20))
		waited, pinged, parked, ask := time.Duration(0), false, false, 1+interval
		var silent, quiet time.Duration // since something came; since then, or since a read noted it
		for now := time.Duration(1); now < 200; now++ {
			if parked && pinged {
				waited++
			}
			silent++
			quiet++
			switch what := rnd.IntN(8); {
			case what == 0 && parked:
				k.received()
				waited, pinged, parked, silent, quiet = 0, false, false, 0, 0
			case what == 1 && parked:
				k.leave(now)
				parked = false
			case what <= 3 && !parked:
				k.park(now)
				parked, quiet = true, 0
			}
			if now < ask {
				continue
			}
			do, again := k.next(now, interval, timeout, parked)
			if do == heartbeatFail {
				require.True(t, pinged && timeout > 0 && waited >= timeout, "at %d, having waited %d of %d", now, waited, timeout)
				fails++
				break
			}
			require.Greater(t, again, now)
			require.False(t, parked && pinged && timeout > 0 && waited >= timeout, "should have given up")
			if do == heartbeatPing {
				require.GreaterOrEqual(t, silent, interval-1)
				pinged = true
			}
			require.True(t, pinged || quiet < 2*interval, "silent for %d, not pinged", quiet)
			ask = again
		}
	}
	assert.Positive(t, fails)
}
