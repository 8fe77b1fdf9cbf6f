// Echo is a WebSocket server that sends every message back, and a client to
// talk to it. It shows the ways of reading a connection (modes.go), a
// server that ends well (server.go) and a client (client.go):
//
//	go run ./examples/echo                                  # the server
//	go run ./examples/echo -dial ws://127.0.0.1:9001        # the client, sends lines
//	go run ./examples/echo -dial ws://127.0.0.1:9001 -text hello -text world
//
// The conformance suite and the benchmarks run the server too, so it does
// nothing besides echoing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/seed86893212/websocket"
)

// config is what the flags say.
type config struct {
	addr         string
	mode         string
	dial         string
	texts        []string
	max          int64
	subprotocols []string
	compress     bool
	takeover     bool
	windowBits   int
}

// compression says what the library shall do about it: nothing, or whatever the
// peer wants, but for the limits in the flags. Every message is compressed that is
// not empty, except that without takeover it has to get smaller by that; a server
// of your own had better leave Threshold alone.
func (c config) compression() *websocket.Compression {
	if !c.compress {
		return nil
	}
	return &websocket.Compression{
		Threshold:         -1,
		SendTakeover:      c.takeover,
		ReceiveTakeover:   c.takeover,
		SendWindowBits:    c.windowBits,
		ReceiveWindowBits: c.windowBits,
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("echo: ")
	cfg, err := parseFlags(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2) // parseFlags has told why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cfg.dial != "" {
		err = runClient(ctx, cfg)
	} else {
		freeMemoryOnSignal()
		err = runServer(ctx, cfg)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func parseFlags(args []string) (config, error) {
	var cfg config
	names := modeNames()
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	flags.StringVar(&cfg.addr, "addr", "127.0.0.1:9001", "`address` to listen on")
	flags.StringVar(&cfg.dial, "dial", "", "be a client of this `URL`, and send the arguments or the lines of the input")
	flags.Int64Var(&cfg.max, "max", 0, "largest message in `bytes` (0: the library's default, negative: no limit)")
	flags.BoolVar(&cfg.compress, "compress", false, "compress, if the peer wants to")
	flags.BoolVar(&cfg.takeover, "takeover", true, "with -compress, keep windows from one message to the next")
	flags.IntVar(&cfg.windowBits, "window-bits", 0, "with -compress, `size` of the windows, 8 to 15 (0: the library's default)")
	flags.Func("mode", "how to read: "+strings.Join(names, ", ")+" (default messages)", func(s string) error {
		if !slices.Contains(names, s) {
			return fmt.Errorf("must be one of %s", strings.Join(names, ", "))
		}
		cfg.mode = s
		return nil
	})
	flags.Func("subprotocols", "subprotocols to speak, the preferred one first: `a,b`", func(s string) error {
		cfg.subprotocols = strings.Split(s, ",")
		return nil
	})
	flags.Func("text", "with -dial, send this `text`; may be repeated", func(s string) error {
		cfg.texts = append(cfg.texts, s)
		return nil
	})
	cfg.mode = "messages"
	err := flags.Parse(args)
	cfg.texts = append(cfg.texts, flags.Args()...)
	if err == nil && cfg.dial == "" && len(cfg.texts) > 0 {
		err = fmt.Errorf("to send %q needs -dial", cfg.texts[0])
		fmt.Fprintln(flags.Output(), err)
		flags.Usage()
	}
	return cfg, err
}
