// Many is a server with thousands of connections, and a page that shows live
// what they take: their number, messages, memory, goroutines.
//
//	go run ./examples/many               # then press a button of the page
//	go run ./examples/many -open 10000
//
// All connections, the page's own as well, are driven by one Engine (server.go):
// none of them has a goroutine or a buffer while it waits. Those who talk to it
// are in processes of their own (crowd.go), so that the numbers are the
// server's alone; they do without the library's client and show its functions
// for frames.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("many: ")
	if len(os.Args) > 1 && os.Args[1] == crowdArg {
		if err := crowdMain(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	addr := flag.String("addr", "localhost:8081", "`address` to listen on")
	open := flag.Int("open", 0, "how many `connections` to open from the start")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v (elsewhere: -addr localhost:8082)", err)
	}
	fmt.Printf("The page is at http://%s/. Ctrl+C ends it.\n", l.Addr())
	if err := run(ctx, l, *open); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then closes all connections.
func run(ctx context.Context, l net.Listener, open int) error {
	s, err := newServer(l.Addr().String())
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	s.crowd.add(open)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.tell(now)
		case err = <-served:
			_ = s.close()
			return err
		case <-ctx.Done():
			err = s.close()
			_ = srv.Close()
			return err
		}
	}
}
