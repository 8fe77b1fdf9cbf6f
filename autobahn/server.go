// The server: clients under test connect to it, ask for cases by number, and
// for what came of them.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A server holds what it has judged until updateReports.
type server struct {
	env     *environment
	cases   []*testCase
	reports *reports
	out     *progress

	reported func(agent string) // called when reports have been written

	mu      sync.Mutex
	running map[string]*sync.WaitGroup // by agent, so that a question about a case waits for it
}

// An upgrading is a connection whose request has been read and not answered.
type upgrading struct {
	nc  net.Conn
	br  *bufio.Reader
	req *http.Request
	raw string
}

// serve accepts connections until the context ends, and then ends them.
func (s *server) serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var open sync.WaitGroup
	defer open.Wait()
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil // it was asked to end
			}
			return err
		}
		open.Go(func() {
			defer nc.Close()
			stop := context.AfterFunc(ctx, func() { nc.Close() })
			defer stop()
			s.connection(ctx, nc)
		})
	}
}

func (s *server) connection(ctx context.Context, nc net.Conn) {
	nc.SetDeadline(time.Now().Add(s.env.target.patience))
	br := bufio.NewReaderSize(nc, 64<<10)
	raw, err := readHead(br)
	if err != nil {
		return // somebody looked whether the port is open
	}
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err == nil {
		err = requestProblem(req)
	}
	if err != nil {
		_, _ = fmt.Fprintf(nc, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nSec-WebSocket-Version: 13\r\nContent-Length: %d\r\n\r\n%s\n", len(err.Error())+1, err)
		return
	}
	u := &upgrading{nc: nc, br: br, req: req, raw: raw}
	query := req.URL.Query()
	agent := query.Get("agent")
	if agent == "" {
		agent = "unknown"
	}
	switch req.URL.Path {
	case "/runCase":
		if c, ok := s.numbered(query.Get("case")); ok {
			s.runCase(ctx, c, agent, u)
			return
		}
		s.answer(u, map[string]string{"error": "there is no such case"})
	case "/getCaseCount":
		s.answer(u, len(s.cases))
	case "/getCaseInfo":
		s.answerCase(u, query.Get("case"), func(c *testCase) any {
			return map[string]string{"id": c.id, "description": c.does}
		})
	case "/getCaseStatus":
		s.wait(agent)
		s.answerCase(u, query.Get("case"), func(c *testCase) any {
			return map[string]string{"behavior": s.reports.behavior(agent, c.id)}
		})
	case "/updateReports":
		s.wait(agent)
		if err := s.reports.write(); err != nil {
			s.out.problem(err)
		}
		s.answer(u, nil)
		s.reported(agent)
	default:
		s.answer(u, map[string]string{"error": "there is nothing at this path"})
	}
}

func (s *server) numbered(number string) (*testCase, bool) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(s.cases) {
		return nil, false
	}
	return s.cases[n-1], true
}

func (s *server) answerCase(u *upgrading, number string, value func(*testCase) any) {
	if c, ok := s.numbered(number); ok {
		s.answer(u, value(c))
		return
	}
	s.answer(u, map[string]string{"error": "there is no such case"})
}

// answer sends a value as JSON, if it is not nil, and closes.
func (s *server) answer(u *upgrading, value any) {
	c := &testCase{close: cleanClose(), outcomes: []outcome{ok()}}
	if value != nil {
		text, err := json.Marshal(value)
		if err != nil {
			text = []byte("null")
		}
		c.steps = []step{send(frame{op: opText, payload: text})}
	}
	s.play(newRun(c, s.env, ""), u)
}

func (s *server) runCase(ctx context.Context, c *testCase, agent string, u *upgrading) {
	s.mu.Lock()
	wg := s.running[agent]
	if wg == nil {
		wg = new(sync.WaitGroup)
		s.running[agent] = wg
	}
	wg.Add(1)
	s.mu.Unlock()
	defer wg.Done()
	r := newRun(c, s.env, agent)
	s.play(r, u)
	if ctx.Err() != nil {
		return // it was cut short
	}
	s.reports.add(r)
	s.out.done(r)
}

// wait waits for the cases of an agent that are not over: a client may ask
// before the server has seen its connection end.
func (s *server) wait(agent string) {
	s.mu.Lock()
	wg := s.running[agent]
	s.mu.Unlock()
	if wg != nil {
		wg.Wait()
	}
}

func (s *server) play(r *run, u *upgrading) {
	r.httpRequest = u.raw
	u.nc.SetDeadline(time.Now().Add(s.env.target.patience))
	if r.c.upgrade != nil {
		r.peer = r.c.upgrade(r, u)
	} else {
		r.peer = r.upgrade(u, nil, nil)
	}
	r.play()
}

// upgrade answers the handshake; change may alter the reply, and bytes may be
// sent right behind it.
func (r *run) upgrade(u *upgrading, change func(*reply), behind []byte) *peer {
	var agreed *deflateParams
	if r.c.accept != nil {
		offers, _, err := parseExtensions(strings.Join(u.req.Header.Values("Sec-WebSocket-Extensions"), ","))
		if err != nil {
			r.handshakeFailed(err)
			return nil
		}
		agreed = r.c.accept(offers)
	}
	rep := newReply(u.req, agreed)
	if change != nil {
		change(rep)
	}
	r.httpResponse = string(rep.bytes())
	if _, err := u.nc.Write(append(rep.bytes(), behind...)); err != nil {
		r.handshakeFailed(err)
		return nil
	}
	return r.begin(u.nc, u.br, true, agreed)
}

// awaitEnd waits for the client to end a connection whose handshake must not
// succeed. It says what the client sent, if anything.
func (u *upgrading) awaitEnd(patience time.Duration) ([]byte, error) {
	u.nc.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(io.LimitReader(u.br, 4096))
	if err == nil || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		return b, nil
	}
	return b, err
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
