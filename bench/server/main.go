// Command server is an echo server of a WebSocket library, one of many. What
// comes on / goes back; what comes on /broadcast goes to everybody there.
//
//	server -list
//	server -lib gorilla -addr 127.0.0.1:9001 [-tls] [-deflate 15 [-takeover]]
//
// SIGUSR1 makes it collect its garbage and give free memory back.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"log"
	"maps"
	"net"
	"net/http"
	_ "net/http/pprof" // for -pprof
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/seed86893212/websocket/bench/internal/plan"
	"github.com/seed86893212/websocket/bench/internal/wire"
)

// maxMessage is the largest message every server must take.
const maxMessage = 32 << 20

// A server is one way of using one library.
type server struct {
	plan.Library
	run func(cfg config) error // serves until it fails
}

type config struct {
	addr string
	tls  *tls.Config // nil without TLS

	deflate wire.Deflate // compress every message, however short, if the peer offers it
}

var servers = map[string]server{}

func register(s server) { servers[s.Name] = s }

func main() {
	log.SetFlags(0)
	log.SetPrefix("server: ")
	list := flag.Bool("list", false, "print the servers as JSON")
	lib := flag.String("lib", "", "which server to be")
	addr := flag.String("addr", "127.0.0.1:9001", "where to listen")
	overTLS := flag.Bool("tls", false, "listen with TLS")
	bits := flag.Int("deflate", 0, "compress, with windows of so many bits")
	takeover := flag.Bool("takeover", false, "keep the windows between messages, with -deflate")
	profile := flag.String("pprof", "", "where to serve profiles")
	flag.Parse()
	if *list {
		printList()
		return
	}
	s, ok := servers[*lib]
	if !ok {
		log.Fatalf("no server %q; there are %s", *lib, strings.Join(slices.Sorted(maps.Keys(servers)), ", "))
	}
	go collectOnSignal()
	if *profile != "" {
		go func() { log.Fatal(http.ListenAndServe(*profile, nil)) }()
	}
	cfg := config{addr: *addr, deflate: wire.Deflate{Bits: *bits, Takeover: *takeover}}
	if *overTLS {
		cfg.tls = selfSigned()
	}
	log.Fatal(s.run(cfg))
}

func printList() {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	all := []plan.Library{}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		l := servers[name].Library
		if l.Version = versions[l.Module]; l.Module == ourModule {
			l.Version = "this"
		}
		all = append(all, l)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		log.Fatal(err)
	}
}

func collectOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	for range signals {
		runtime.GC()
		debug.FreeOSMemory()
	}
}

// listen listens as cfg says.
func listen(cfg config) (net.Listener, error) {
	ln, err := net.Listen("tcp", cfg.addr)
	if err != nil || cfg.tls == nil {
		return ln, err
	}
	return tls.NewListener(ln, cfg.tls), nil
}

// serveHTTP is how servers on net/http run.
func serveHTTP(cfg config, echo, broadcast http.Handler) error {
	ln, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", echo)
	if broadcast != nil {
		mux.Handle("/broadcast", broadcast)
	}
	s := &http.Server{Handler: mux, TLSConfig: cfg.tls}
	if cfg.tls != nil {
		return s.ServeTLS(ln, "", "")
	}
	return s.Serve(ln)
}
