// Package plan has what the runner, the load generator and the servers tell each
// other.
package plan

import (
	"time"

	"github.com/seed86893212/websocket/bench/internal/wire"
)

// A Mode says what the load generator does.
type Mode string

// The modes.
const (
	Echo      Mode = "echo"      // Depth messages in flight on each connection
	Rate      Mode = "rate"      // Rate messages a second over all connections, whatever comes back; with Depth, the first has so many in flight instead
	Handshake Mode = "handshake" // connect, open, leave; Conns at a time
	Crowd     Mode = "crowd"     // the same, Conns at once
	Idle      Mode = "idle"      // open Conns, look at the server's memory
	Broadcast Mode = "broadcast" // one message in, Conns out
)

// A Workload is what is asked of every server.
type Workload struct {
	Name  string    `json:"name"`
	Mode  Mode      `json:"mode"`
	Conns int       `json:"conns"`
	Size  int       `json:"size,omitempty"`
	Depth int       `json:"depth,omitempty"`
	Kind  wire.Kind `json:"kind,omitempty"`
	Rate  int       `json:"rate,omitempty"`
	TLS   bool      `json:"tls,omitempty"`

	Deflate wire.Deflate `json:"deflate,omitzero"`
}

// A Task is what the load generator is started with.
type Task struct {
	Workload
	Addr    string        `json:"addr"`
	PID     int           `json:"pid"` // the server's, to see what it uses
	Warmup  time.Duration `json:"warmup"`
	Measure time.Duration `json:"measure"`
	Block   bool          `json:"block"` // sleep in epoll_wait instead of asking again and again
}

// A Result is what the load generator reports.
type Result struct {
	Messages  uint64  `json:"messages"`       // or handshakes, or deliveries
	Seconds   float64 `json:"seconds"`        // how long was measured
	CPU       float64 `json:"cpu_ns"`         // server CPU per message
	User      float64 `json:"user_ns"`        // of that, outside the kernel
	Wait      float64 `json:"wait"`           // share of the time in which the server waited for its core
	Spare     float64 `json:"spare"`          // share of the time in which the generator had nothing to do
	P50       int64   `json:"p50_ns"`         // latency
	P99       int64   `json:"p99_ns"`         //
	Max       int64   `json:"max_ns"`         //
	RSS       int64   `json:"rss"`            // bytes at the end of the measurement
	Ratio     float64 `json:"ratio"`          // size of the server's payloads, relative to the messages in them
	Unsent    uint64  `json:"unsent"`         // messages that were due and found no room (Rate)
	Conns     int     `json:"conns"`          // how many connections there really were
	IdleNever float64 `json:"idle_never"`     // bytes per connection that never carried a message
	IdleOnce  float64 `json:"idle_once"`      // bytes per connection after Depth messages, at least one
	NoGC      bool    `json:"no_gc"`          // the server does not know SIGUSR1
	Failure   string  `json:"failure"`        // why there is no result
	Limited   string  `json:"limited_by"`     // why there are fewer connections than asked for
	Load      float64 `json:"loadavg_before"` // of the machine
}

// A Library is what a server binary says of one of the servers in it.
type Library struct {
	Name      string `json:"name"`
	Module    string `json:"module"`
	Version   string `json:"version"`
	UTF8      string `json:"utf8"` // whether received text is checked
	Broadcast bool   `json:"broadcast"`
	TLS       bool   `json:"tls"`
	Deflate   bool   `json:"deflate"`
	Takeover  bool   `json:"takeover"` // with Deflate, in both directions
	Window    bool   `json:"window"`   // with Takeover, of less than 15 bits
	Note      string `json:"note"`     // how it is used
}
