// Cases X.6: opening handshakes that must not succeed.

package main

import (
	"fmt"
	"slices"
	"time"
)

func refusalCases() []*testCase {
	cases := append(badRequests(), badReplies()...)
	for i, c := range cases {
		c.id = fmt.Sprintf("X.6.%d", i+1)
		c.close = closeWish{codes: []int{1000}}
	}
	return cases
}

// badRequests are a client's requests, and the status codes that are right.
func badRequests() []*testCase {
	refuse := func(what string, statuses []int, change func(*request)) *testCase {
		return &testCase{
			does: "Sends a request to open " + what + ".", wants: "Refuses it: " + listCodes(statuses) + ".", role: clientOnly,
			dial: func(r *run) *peer { r.expectRefusal(statuses, change); return nil },
		}
	}
	without := func(name string) func(*request) { return func(q *request) { q.set(name, "") } }
	bad := []int{400}
	return []*testCase{
		refuse("without a key", bad, without("Sec-WebSocket-Key")),
		refuse("with a key of 15 bytes", bad, func(q *request) { q.set("Sec-WebSocket-Key", "MTIzNDU2Nzg5MDEyMzQ1") }),
		refuse("with a key that is not base64", bad, func(q *request) { q.set("Sec-WebSocket-Key", "not base64, 24 letters!!") }),
		refuse("in version 12", []int{400, 426}, func(q *request) { q.set("Sec-WebSocket-Version", "12") }),
		refuse("without a version", []int{400, 426}, without("Sec-WebSocket-Version")),
		refuse("without Upgrade", []int{400, 426}, without("Upgrade")),
		refuse("without Connection", []int{400, 426}, without("Connection")),
		refuse("with the method POST", []int{400, 405}, func(q *request) { q.method = "POST" }),
		refuse("in HTTP/1.0", []int{400, 426, 505}, func(q *request) { q.version = "HTTP/1.0" }),
	}
}

func (r *run) expectRefusal(statuses []int, change func(*request)) {
	nc, err := r.connect()
	if err != nil {
		r.handshakeFailed(err)
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(r.env.patience))
	q := r.env.target.request(nil)
	change(q)
	r.httpRequest = string(q.bytes(r.env.target.url))
	if _, err := nc.Write([]byte(r.httpRequest)); err != nil {
		r.handshakeFailed(err)
		return
	}
	a, err := readAnswer(nc)
	if err != nil {
		r.settleHandshake(false, "The server did not answer in HTTP: "+err.Error()+".")
		return
	}
	r.httpResponse = a.raw
	switch {
	case a.status == 101:
		r.settleHandshake(false, "The server opened the connection all the same.")
	case a.status == 426 && !hasToken(a.header, "Sec-WebSocket-Version", "13") && !hasToken(a.header, "Upgrade", "websocket"):
		r.settleHandshake(false, "The server asked for an upgrade and did not say to what.")
	case slices.Contains(statuses, a.status):
		r.settleHandshake(true, fmt.Sprintf("The server answered %d.", a.status))
	default:
		r.settleHandshake(true, fmt.Sprintf("The server answered %d.", a.status))
		r.behavior = verdictNonStrict
	}
}

// badReplies are a server's answers that no client must accept.
func badReplies() []*testCase {
	refuse := func(what string, change func(*reply)) *testCase {
		return &testCase{
			does: "Answers the request to open " + what + ".", wants: "Ends the connection without a frame.", role: serverOnly,
			upgrade: func(r *run, u *upgrading) *peer { r.expectRejection(u, change); return nil },
		}
	}
	set := func(name, value string) func(*reply) { return func(p *reply) { p.set(name, value) } }
	// A client may read the body of an answer that is none to its handshake.
	status := func(s string) func(*reply) {
		return func(p *reply) { p.status = s; p.set("Content-Length", "0") }
	}
	return []*testCase{
		refuse("with the accept value of another key", set("Sec-WebSocket-Accept", acceptKey("another"))),
		refuse("without an accept value", set("Sec-WebSocket-Accept", "")),
		refuse("without Upgrade", set("Upgrade", "")),
		refuse("with Upgrade: http", set("Upgrade", "http")),
		refuse("without Connection: Upgrade", set("Connection", "keep-alive")),
		refuse("with a subprotocol that was not asked for", set("Sec-WebSocket-Protocol", "nobody-asked")),
		refuse("with an extension that was not offered", set("Sec-WebSocket-Extensions", "x-nobody-offered")),
		refuse("with status 200", status("200 OK")),
		refuse("with status 403", status("403 Forbidden")),
	}
}

func (r *run) expectRejection(u *upgrading, change func(*reply)) {
	rep := newReply(u.req, nil)
	change(rep)
	r.httpResponse = string(rep.bytes())
	if _, err := u.nc.Write(rep.bytes()); err != nil {
		r.handshakeFailed(err)
		return
	}
	sent, err := u.awaitEnd(r.env.patience)
	switch {
	case err != nil:
		r.settleHandshake(false, "The client kept the connection open.")
	case len(sent) > 0:
		r.settleHandshake(false, fmt.Sprintf("The client sent %d bytes on a connection that is not one.", len(sent)))
	default:
		r.settleHandshake(true, "The client ended the connection.")
	}
}
