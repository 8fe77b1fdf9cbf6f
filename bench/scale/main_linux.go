// Command scale sees what an Engine does with as many connections as the system
// lets it have: several server processes beside each other on one port
// (SO_REUSEPORT), several client processes that connect, chat, die in waves and
// come back. In the end every count must be exact and nothing may be left over;
// otherwise the exit status is 1.
//
//	scale -conns 100000 -duration 10m
//	scale -mode cpu
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/seed86893212/websocket/bench/internal/proc"
)

// settings are those of a run, as its processes need them too.
type settings struct {
	Conns    int           // of all clients together
	Servers  int           // processes
	Clients  int           // processes
	Duration time.Duration // from the first connection to the last wave
	Every    time.Duration // between two lines
	Wave     time.Duration // between two waves
	Share    float64       // of the connections that die in a wave
	Rate     float64       // messages a second on each connection
	Flight   int           // instead, how many messages are under way on all connections together
	Pace     int           // new connections a second of each client

	Heartbeat time.Duration // and as long for its answer
	Blocking  bool          // callbacks on goroutines of their own

	Addr  string // of the servers
	First int    // which of all connections is a client's first
}

// perProcess is how many connections a process gets: 20,000 descriptors are a
// usual limit.
const perProcess = 16_000

func main() {
	log.SetFlags(0)
	log.SetPrefix("scale: ")
	if len(os.Args) > 1 && os.Args[1] == child {
		log.SetPrefix("scale " + os.Args[2] + ": ")
		if err := serveOrders(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	s := settings{}
	mode := flag.String("mode", "waves", "waves, or cpu: processor time per message with ever more connections")
	flag.IntVar(&s.Conns, "conns", 100_000, "`connections` in all")
	flag.IntVar(&s.Servers, "servers", 0, "server `processes`; 0: as many as the connections need")
	flag.IntVar(&s.Clients, "clients", 0, "client `processes`; 0: as many as the connections need")
	flag.DurationVar(&s.Duration, "duration", 10*time.Minute, "how `long`")
	flag.DurationVar(&s.Every, "every", 5*time.Second, "`time` between two lines")
	flag.DurationVar(&s.Wave, "wave", 20*time.Second, "`time` between two waves of deaths")
	flag.Float64Var(&s.Share, "share", 0.2, "`share` of the connections that die in a wave")
	flag.Float64Var(&s.Rate, "rate", 0.1, "`messages` a second on each connection")
	flag.IntVar(&s.Pace, "pace", 2000, "new `connections` a second of each client")
	flag.DurationVar(&s.Heartbeat, "heartbeat", 10*time.Second, "`time` of silence before a ping, and for its answer")
	flag.BoolVar(&s.Blocking, "blocking", false, "set EngineOptions.Blocking")
	flag.IntVar(&s.Flight, "flight", 64, "of -mode cpu: `messages` under way on all connections together")
	rounds := flag.Int("rounds", 3, "of -mode cpu: `rounds`, the best of which counts")
	measure := flag.Duration("measure", 3*time.Second, "of -mode cpu: how `long` each is measured")
	sizes := []int{100, 1000, 5000, 15_000}
	flag.Func("sizes", "of -mode cpu: `connections`, separated by commas (default 100,1000,5000,15000)", func(text string) (err error) {
		sizes, err = parseSizes(text)
		return err
	})
	flag.Parse()
	s.fill(proc.Files() - 200)
	var err error
	switch *mode {
	case "waves":
		err = runWaves(&s, os.Stdout)
	case "cpu":
		err = runCPU(&s, sizes, *rounds, *measure, os.Stdout)
	default:
		err = fmt.Errorf("no mode %q", *mode)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// fill makes as many processes as are needed with room for so many connections
// in each, unless their number is given.
func (s *settings) fill(room int) {
	each := min(perProcess, room)
	need := (s.Conns + each - 1) / each
	if s.Servers <= 0 {
		s.Servers = need
	}
	if s.Clients <= 0 {
		s.Clients = need
	}
}

// serveOrders is a child process: it does what it is told on its standard input
// and answers on its standard output.
func serveOrders(role string) error {
	proc.Files() // raises the limit
	orders, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var s settings
	if err := orders.Decode(&s); err != nil {
		return err
	}
	switch role {
	case "server":
		return serve(&s, orders, answers)
	case "client":
		return generate(&s, orders, answers)
	}
	return fmt.Errorf("no role %q", role)
}
