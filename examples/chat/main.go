// Chat is a room in the browser: one program that serves a page and the
// WebSocket behind it.
//
//	go run ./examples/chat
//
// It shows how a server treats many connections as one room (room.go): nobody
// waits for a slow reader, who is dropped once too much is queued for them; what
// one peer may send (user.go); JSON in text messages and images in binary ones
// (message.go); callbacks, a subprotocol and an end with a closing handshake
// (server.go); and in page/ a client for the browser that comes back by itself.
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
	log.SetPrefix("chat: ")
	addr := flag.String("addr", "localhost:8080", "`address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v (elsewhere: -addr localhost:8082)", err)
	}
	fmt.Printf("The chat is at %s — open it in two windows. Ctrl+C ends it.\n", pageURL(l.Addr(), *addr))
	if err := run(ctx, l); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then sees the connections off.
func run(ctx context.Context, l net.Listener) error {
	chat := newServer(defaults)
	srv := &http.Server{Handler: chat, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	chat.close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return srv.Shutdown(ctx)
}

// pageURL is where a browser on this machine finds the page.
func pageURL(a net.Addr, flag string) string {
	host, _, _ := net.SplitHostPort(flag)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(a.String())
	return "http://" + net.JoinHostPort(host, port) + "/"
}
