package main

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An echoClient is a correct client on raw frames, as far as it makes none of
// the mistakes, its own and those that a server can make too.
type echoClient struct {
	echoServer

	agent string // test, if empty

	anyAnswer         bool // takes every answer with status 101
	keepsRefused      bool // does not end the connection that it refuses
	talksAfterRefusal bool // sends a frame on it, and then ends it
}

const clientKey = "AAECAwQFBgcICQoLDA0ODw=="

// run plays one case of a judging server.
func (s *echoClient) run(addr string, number int) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(2 * time.Minute))
	offer := ""
	if s.deflate {
		offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; client_no_context_takeover\r\n"
	}
	fmt.Fprintf(nc, "GET /runCase?case=%d&agent=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n", number, cmp.Or(s.agent, "test"), addr, clientKey, offer)
	c := &echoConn{s: &s.echoServer, client: true, nc: nc, br: bufio.NewReader(nc)}
	answer, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if !s.accepts(answer) {
		_, _ = io.Copy(io.Discard, answer.Body)
		if s.talksAfterRefusal {
			c.write(1, []byte("no"), 0)
		}
		if s.keepsRefused {
			_, _ = io.Copy(io.Discard, nc)
		}
		return nil
	}
	c.agree(answer.Header.Get("Sec-WebSocket-Extensions"))
	c.talk()
	return nil
}

// accepts is what section 4.1 has a client look at.
func (s *echoClient) accepts(answer *http.Response) bool {
	h := answer.Header
	extension, _, _ := strings.Cut(h.Get("Sec-WebSocket-Extensions"), ";")
	return answer.StatusCode == http.StatusSwitchingProtocols && (s.anyAnswer ||
		strings.EqualFold(h.Get("Upgrade"), "websocket") && strings.EqualFold(h.Get("Connection"), "upgrade") &&
			h.Get("Sec-WebSocket-Accept") == base64.StdEncoding.EncodeToString(accepted(clientKey)) &&
			h.Get("Sec-WebSocket-Protocol") == "" && (extension == "" || s.deflate && extension == "permessage-deflate"))
}

// agree takes what the server has made of the offer.
func (c *echoConn) agree(answer string) {
	c.agreed, c.window = strings.HasPrefix(answer, "permessage-deflate"), 15
	c.fresh = strings.Contains(answer, "client_no_context_takeover")
	if _, bits, ok := strings.Cut(answer, "client_max_window_bits="); ok {
		fmt.Sscan(bits, &c.window)
	}
}

// judgeClient runs cases with a client, and groups the ids as judgeServer does.
func judgeClient(t *testing.T, c *echoClient, cases, patience string) map[string][]string {
	t.Helper()
	c.setCodes()
	s, addr := startJudge(t, cases, "", patience)
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range numbers {
				_ = c.run(addr, n) // the server judges
			}
		})
	}
	for n := range s.cases {
		numbers <- n + 1
	}
	close(numbers)
	workers.Wait()
	s.wait("test")
	groups := map[string][]string{}
	for id, e := range s.reports.agents["test"] {
		verdict := e.Behavior + "/" + e.BehaviorClose
		groups[verdict] = append(groups[verdict], id)
	}
	require.Len(t, s.reports.agents["test"], len(s.cases))
	return onlyBad(groups)
}

const (
	clientCases = "1.1.1,1.1.6,1.2.2,2.2,2.5,3.2,4.1.3,5.3,5.18,6.2.3,6.3.1,6.6.1,7.1.1,7.1.3,7.3.1,7.3.2,7.7.4,7.9.1,9.1.1,9.7.2,X.2.1,X.5.3,X.6.*"
	refusals    = "1.1.1,X.6.*"
	packed      = "12.1.1,13.2.3,13.3.4,X.1.1,X.1.4,X.1.8,X.1.10"
)

// brokenClients each make one mistake, and must be red exactly there.
var brokenClients = []struct {
	name   string
	client echoClient
	cases  string // instead of the usual ones
	hangs  bool   // the client leaves the runner waiting
	want   map[string]string
}{
	{name: "no mistake"},
	{name: "no mistake, compressing", client: echoClient{echoServer: echoServer{deflate: true}}, cases: packed},
	{
		name: "any answer taken", client: echoClient{anyAnswer: true}, hangs: true, cases: refusals,
		want: map[string]string{"FAILED/FAILED": "X.6.10 X.6.11 X.6.12 X.6.13 X.6.14 X.6.15 X.6.16"},
	},
	{
		name: "a refused connection kept", client: echoClient{keepsRefused: true}, hangs: true, cases: refusals,
		want: map[string]string{"FAILED/FAILED": "X.6.*"},
	},
	{
		name: "a frame on a refused connection", client: echoClient{talksAfterRefusal: true}, cases: refusals,
		want: map[string]string{"FAILED/FAILED": "X.6.*"},
	},
	{
		name: "close not answered", client: echoClient{echoServer: echoServer{noCloseReply: true}}, hangs: true, cases: "1.1.1,2.2,7.1.1,7.3.1",
		want: map[string]string{"OK/UNCLEAN": "*"},
	},
	{
		name: "close answered with 1001", client: echoClient{echoServer: echoServer{replyCode: 1001}}, cases: "1.1.1,2.2,7.1.1,7.3.1",
		want: map[string]string{"OK/WRONG CODE": "1.1.1 2.2", "FAILED/WRONG CODE": "7.1.1 7.3.1"},
	},
	{
		name: "wrong close code for broken rules", client: echoClient{echoServer: echoServer{protocolCode: 1000}},
		want: map[string]string{"OK/WRONG CODE": "2.5 3.2 4.1.3 5.18 X.2.1", "FAILED/WRONG CODE": "7.3.2 7.9.1"},
	},
	{
		name: "a message behind its close frame", client: echoClient{echoServer: echoServer{afterClose: "\x81\x82\x00\x00\x00\x00no"}}, cases: "1.1.1,2.5,9.7.2",
		want: map[string]string{"FAILED/OK": "*"},
	},
	{
		name: "window not kept", client: echoClient{echoServer: echoServer{deflate: true, anyWindow: true}}, cases: packed,
		want: map[string]string{"FAILED/OK": "13.3.4 X.1.1 X.1.4"},
	},
	{
		name: "context taken over all the same", client: echoClient{echoServer: echoServer{deflate: true, anyTakeover: true}}, cases: packed,
		want: map[string]string{"FAILED/WRONG CODE": "13.2.3 X.1.8"},
	},
	{
		name: "text not checked", client: echoClient{echoServer: echoServer{anyText: true}},
		want: map[string]string{"FAILED/FAILED": "6.3.1 6.6.1"},
	},
	{
		name: "mask not checked", client: echoClient{echoServer: echoServer{anyMask: true}},
		want: map[string]string{"FAILED/FAILED": "X.2.1"},
	},
	{
		name: "its own frames not masked", client: echoClient{echoServer: echoServer{masked: true}}, cases: "1.1.1,2.2,9.7.2",
		want: map[string]string{"FAILED/UNCLEAN": "*"},
	},
	{
		name: "echo sent twice", client: echoClient{echoServer: echoServer{twice: true}}, cases: "1.1.1,2.2,9.1.1,9.7.2,X.5.3",
		want: map[string]string{"FAILED/OK": "* / 2.2"},
	},
}

func TestBrokenClients(t *testing.T) {
	t.Parallel()
	for _, b := range brokenClients {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			cases, patience := cmp.Or(b.cases, clientCases), "10s"
			if b.hangs {
				patience = "1s"
			}
			want := map[string][]string{}
			for verdict, patterns := range b.want {
				want[verdict] = expand(clientOnly, patterns, cases, "none")
			}
			requireGroups(t, want, judgeClient(t, &b.client, cases, patience))
		})
	}
}
