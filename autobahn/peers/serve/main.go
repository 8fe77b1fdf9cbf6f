// Command serve runs the echo servers of package peers, each on a port of its
// own, for whoever wants to look at one more closely.
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/seed86893212/websocket/autobahn/peers"
)

func main() {
	handlers := []struct {
		name    string
		handler http.Handler
	}{
		{"gorilla/websocket", peers.Gorilla()},
		{"gws", peers.GWS(false)},
		{"coder/websocket", peers.Coder()},
		{"golang.org/x/net/websocket", peers.XNet()},
		{"gws, compressing", peers.GWS(true)},
	}
	for i, h := range handlers[1:] {
		go listen(9102+i, h.name, h.handler)
	}
	listen(9101, handlers[0].name, handlers[0].handler)
}

func listen(port int, name string, h http.Handler) {
	fmt.Printf("ws://127.0.0.1:%d is %s\n", port, name)
	log.Fatal(http.ListenAndServe(fmt.Sprintf("127.0.0.1:%d", port), h))
}
