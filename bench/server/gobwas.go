package main

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/seed86893212/websocket/bench/internal/plan"
)

// gobwas as its README has it, and by hand on its low-level API: streamed
// through one buffer per connection, which is as fast as it gets.
func init() {
	for _, m := range []struct {
		name, utf8, note string
		broadcast        bool
		echo             func(c net.Conn)
	}{
		{"gobwas", "yes", "ws.Upgrade on the listener; wsutil.ReadClientData, WriteServerMessage", true, gobwasSimple},
		{"gobwas-stream", "no", "ws.Upgrade on the listener; ws.ReadHeader, ws.Cipher, one buffer, by hand", true, gobwasStream},
	} {
		register(server{
			Library: plan.Library{Name: m.name, Module: "github.com/gobwas/ws", UTF8: m.utf8, Broadcast: m.broadcast, TLS: true, Note: m.note},
			run:     func(cfg config) error { return runGobwas(cfg, m.echo) },
		})
	}
}

func runGobwas(cfg config, echo func(c net.Conn)) error {
	ln, err := listen(cfg)
	if err != nil {
		return err
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			log.Print(err)
			continue
		}
		go func() {
			defer c.Close()
			serve := echo
			upgrader := ws.Upgrader{OnRequest: func(uri []byte) error {
				if string(uri) == "/broadcast" {
					serve = gobwasBroadcast
				}
				return nil
			}}
			if _, err := upgrader.Upgrade(c); err != nil {
				return
			}
			serve(c)
		}()
	}
}

func gobwasSimple(c net.Conn) {
	for {
		p, op, err := wsutil.ReadClientData(c)
		if err != nil || wsutil.WriteServerMessage(c, op, p) != nil {
			return
		}
	}
}

// gobwasHead is the room for a frame's header in front of its payload.
const gobwasHead = 14

func gobwasStream(c net.Conn) {
	r := bufio.NewReaderSize(c, 4<<10)
	buf := make([]byte, 4<<10)
	for {
		h, err := ws.ReadHeader(r)
		if err != nil {
			return
		}
		if h.OpCode.IsControl() {
			if err := (wsutil.ControlHandler{Src: r, Dst: c, State: ws.StateServerSide}).Handle(h); err != nil {
				return
			}
			continue
		}
		if need := int(min(h.Length, 64<<10)) + gobwasHead; len(buf) < need {
			buf = make([]byte, need)
		}
		if err := gobwasPass(c, r, buf, h); err != nil {
			return
		}
	}
}

// gobwasPass sends a frame back as its bytes come in.
func gobwasPass(c net.Conn, r io.Reader, buf []byte, h ws.Header) error {
	var head bytes.Buffer
	if err := ws.WriteHeader(&head, ws.Header{Fin: h.Fin, OpCode: h.OpCode, Length: h.Length}); err != nil {
		return err
	}
	have := copy(buf, head.Bytes())
	for at := int64(0); ; {
		n := int(min(h.Length-at, int64(len(buf)-have)))
		part := buf[have : have+n]
		if _, err := io.ReadFull(r, part); err != nil {
			return err
		}
		ws.Cipher(part, h.Mask, int(at))
		if _, err := c.Write(buf[:have+n]); err != nil {
			return err
		}
		have = 0
		if at += int64(n); at == h.Length {
			return nil
		}
	}
}

var gobwasRoom room[*locked[net.Conn]]

func gobwasBroadcast(c net.Conn) {
	me := &locked[net.Conn]{conn: c}
	gobwasRoom.join(me)
	defer gobwasRoom.leave(me)
	for {
		p, op, err := wsutil.ReadClientData(c)
		if err != nil {
			return
		}
		frame, err := ws.CompileFrame(ws.NewFrame(op, true, p))
		if err != nil {
			return
		}
		gobwasRoom.each(func(to *locked[net.Conn]) {
			to.mu.Lock()
			defer to.mu.Unlock()
			_, _ = to.conn.Write(frame)
		})
	}
}
