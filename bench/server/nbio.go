package main

import (
	"net/http"

	"github.com/lesismal/llib/std/crypto/tls"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/seed86893212/websocket/bench/internal/plan"
)

// nbio: its poller with its pool of goroutines as by default, with callbacks
// called by the poller itself, and with a goroutine per connection up to 10,000
// connections (the mixed mode that it recommends).
func init() {
	for _, m := range []struct {
		name, note string
		change     func(c *nbhttp.Config)
	}{
		{"nbio", "non-blocking, default executor; OnMessage, WriteMessage", func(*nbhttp.Config) {}},
		{"nbio-inline", "non-blocking, callbacks on the poller", func(c *nbhttp.Config) {
			c.ServerExecutor = func(f func()) { f() }
		}},
		{"nbio-mixed", "IOModMixed: a goroutine per connection up to 10,000", func(c *nbhttp.Config) {
			c.IOMod = nbhttp.IOModMixed
			c.MaxBlockingOnline = 10_000
		}},
	} {
		register(server{
			Library: plan.Library{Name: m.name, Module: "github.com/lesismal/nbio", UTF8: "yes", Broadcast: true, TLS: true, Deflate: true, Note: m.note},
			run:     func(cfg config) error { return runNbio(cfg, m.change) },
		})
	}
}

func runNbio(cfg config, change func(c *nbhttp.Config)) error {
	logging.SetLevel(logging.LevelNone)
	echo := nbioUpgrader(cfg)
	echo.OnMessage(func(c *websocket.Conn, t websocket.MessageType, p []byte) { _ = c.WriteMessage(t, p) })
	everybody := nbioUpgrader(cfg)
	var all room[*websocket.Conn]
	everybody.OnOpen(all.join)
	everybody.OnClose(func(c *websocket.Conn, _ error) { all.leave(c) })
	everybody.OnMessage(func(_ *websocket.Conn, t websocket.MessageType, p []byte) {
		all.each(func(to *websocket.Conn) { _ = to.WriteMessage(t, p) })
	})
	mux := http.NewServeMux()
	for path, u := range map[string]*websocket.Upgrader{"/": echo, "/broadcast": everybody} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { _, _ = u.Upgrade(w, r, nil) })
	}
	conf := nbhttp.Config{
		Network:                      "tcp",
		Addrs:                        []string{cfg.addr},
		Handler:                      mux,
		NPoller:                      1,
		MaxLoad:                      1 << 20,
		ReleaseWebsocketPayload:      true,
		MaxWebsocketFramePayloadSize: maxMessage,
	}
	if cfg.tls != nil {
		conf.Addrs, conf.AddrsTLS = nil, conf.Addrs
		conf.TLSConfig = nbioTLS(cfg)
	}
	change(&conf)
	engine := nbhttp.NewEngine(conf)
	if err := engine.Start(); err != nil {
		return err
	}
	select {}
}

func nbioUpgrader(cfg config) *websocket.Upgrader {
	u := websocket.NewUpgrader()
	u.MessageLengthLimit = maxMessage
	u.EnableCompression(cfg.deflate.On())
	return u
}

// nbioTLS makes the same configuration for nbio's own TLS.
func nbioTLS(cfg config) *tls.Config {
	cert := cfg.tls.Certificates[0]
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: cert.Certificate, PrivateKey: cert.PrivateKey}},
		SessionTicketsDisabled: true,
	}
}
