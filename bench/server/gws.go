package main

import (
	"bufio"
	"log"
	"net"
	"net/http"

	"github.com/lxzan/gws"
	"github.com/seed86893212/websocket/bench/internal/plan"
)

// gws as its README has it, with and without a check of text.
func init() {
	for _, m := range []struct {
		name, utf8 string
		check      bool
	}{{"gws", "no", false}, {"gws-utf8", "yes", true}} {
		register(server{
			Library: plan.Library{Name: m.name, Module: "github.com/lxzan/gws", UTF8: m.utf8, Broadcast: true, TLS: true, Deflate: true, Takeover: true, Window: true, Note: "gws.Server, ReadLoop, OnMessage"},
			run:     func(cfg config) error { return runGws(cfg, m.check) },
		})
	}
}

func runGws(cfg config, check bool) error {
	option := &gws.ServerOption{CheckUtf8Enabled: check, ReadMaxPayloadSize: maxMessage, WriteMaxPayloadSize: maxMessage}
	if d := cfg.deflate; d.On() {
		option.PermessageDeflate = gws.PermessageDeflate{
			Enabled: true, Threshold: 1,
			ServerContextTakeover: d.Takeover, ClientContextTakeover: d.Takeover,
			ServerMaxWindowBits: d.Bits, ClientMaxWindowBits: d.Bits,
		}
	}
	echo := gws.NewServer(gwsEcho{}, option)
	broadcast := gws.NewUpgrader(&gwsBroadcast{}, option)
	echo.OnRequest = func(c net.Conn, br *bufio.Reader, r *http.Request) {
		upgrader := echo.GetUpgrader()
		if r.URL.Path == "/broadcast" {
			upgrader = broadcast
		}
		socket, err := upgrader.UpgradeFromConn(c, br, r)
		if err != nil {
			return
		}
		socket.ReadLoop()
	}
	echo.OnError = func(c net.Conn, err error) {
		log.Print(err)
		c.Close()
	}
	ln, err := listen(cfg)
	if err != nil {
		return err
	}
	return echo.RunListener(ln)
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(socket *gws.Conn, m *gws.Message) {
	defer m.Close()                              //nolint:errcheck // it never fails
	_ = socket.WriteMessage(m.Opcode, m.Bytes()) // the read loop finds out what is wrong
}

type gwsBroadcast struct {
	gws.BuiltinEventHandler
	room room[*gws.Conn]
}

func (b *gwsBroadcast) OnOpen(socket *gws.Conn)           { b.room.join(socket) }
func (b *gwsBroadcast) OnClose(socket *gws.Conn, _ error) { b.room.leave(socket) }

func (b *gwsBroadcast) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close() //nolint:errcheck // it never fails
	all := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer all.Close() //nolint:errcheck // it never fails
	b.room.each(func(to *gws.Conn) { _ = all.Broadcast(to) })
}
