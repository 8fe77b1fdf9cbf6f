// One case on one connection, from the handshake to the end.

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// An environment is what all cases of a run share.
type environment struct {
	target   target        // of a client
	pause    time.Duration // how long a pause within a case is
	patience time.Duration // how long a peer may take to answer, to close, to let go
}

// A run is a case in progress, and then what came of it.
type run struct {
	c     *testCase
	env   *environment
	agent string
	log   *wirelog
	peer  *peer
	ctx   context.Context // of a client: its connections end with it

	started      time.Time
	duration     time.Duration
	httpRequest  string
	httpResponse string

	rest         []byte // of a frame that goes out in several steps
	reach        reach  // of the peer, where it is measured
	received     []event
	ended        bool // the TCP connection is over
	opened       bool // the handshake succeeded
	closeSent    bool
	closeGot     bool
	closedByMe   bool // the runner sent the first close frame
	failedByMe   bool // because the peer did not do what it should
	droppedByMe  bool // the runner had to end the TCP connection
	wasClean     bool
	dropTimeout  bool // the server did not end the TCP connection
	openTimeout  bool // the peer did not answer the opening handshake
	closeTimeout bool // the peer did not answer the close frame
	whyUnclean   string

	localCode, remoteCode     *int
	localReason, remoteReason string

	violation error     // a rule that the peer broke
	wentOn    bool      // and it did so after its close frame
	judged    bool      // a case of its own kind has given its verdict
	wish      closeWish // how the connection should have ended
	verdict
}

func newRun(c *testCase, env *environment, agent string) *run {
	return &run{c: c, env: env, agent: agent, log: newWirelog(c.quiet), started: time.Now()}
}

// runClient connects to the target and runs the case there.
func runClient(ctx context.Context, c *testCase, env *environment, agent string) *run {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := newRun(c, env, agent)
	r.ctx = ctx
	if c.dial != nil {
		r.peer = c.dial(r)
	} else {
		r.peer = r.dial(nil)
	}
	r.play()
	return r
}

// connect connects to the target, for as long as the context lasts.
func (r *run) connect() (net.Conn, error) {
	nc, err := r.env.target.connect(r.ctx)
	if err == nil {
		context.AfterFunc(r.ctx, func() { nc.Close() })
	}
	return nc, err
}

// dial opens the connection; change may alter the request first.
func (r *run) dial(change func(*request)) *peer {
	nc, err := r.connect()
	if err != nil {
		r.handshakeFailed(err)
		return nil
	}
	req := r.env.target.request(r.c.offers)
	if change != nil {
		change(req)
	}
	return r.shake(nc, req, 0, nil)
}

// shake sends a request in chops, with some bytes right behind it, and waits
// for the answer.
func (r *run) shake(nc net.Conn, req *request, chop int, behind []byte) *peer {
	nc.SetDeadline(time.Now().Add(r.env.target.patience))
	b := append(req.bytes(r.env.target.url), behind...)
	r.httpRequest = string(b)
	if chop <= 0 {
		chop = len(b)
	}
	var err error
	for err == nil && len(b) > 0 {
		n := min(chop, len(b))
		_, err = nc.Write(b[:n])
		b = b[n:]
	}
	var a *answer
	if err == nil {
		a, err = readAnswer(nc)
	}
	var agreed *deflateParams
	if err == nil {
		r.httpResponse = a.raw
		agreed, err = a.check(req.key, r.c.offers)
	}
	if err != nil {
		nc.Close()
		r.handshakeFailed(err)
		return nil
	}
	return r.begin(nc, a.br, false, agreed)
}

// begin ends the handshake: from here on everything is logged, also what came
// together with it.
func (r *run) begin(nc net.Conn, br *bufio.Reader, server bool, agreed *deflateParams) *peer {
	r.opened = true
	nc.SetDeadline(time.Time{})
	early, _ := br.Peek(br.Buffered())
	if early = bytes.Clone(early); len(early) > 0 {
		r.log.received(early)
	}
	logged := io.MultiReader(bytes.NewReader(early), loggingConn{nc, r.log})
	p := newPeer(nc, bufio.NewReaderSize(logged, 64<<10), server, r.log, agreed)
	p.patience = r.c.patience(r.env)
	return p
}

func (r *run) handshakeFailed(err error) {
	r.openTimeout = isTimeout(err)
	r.result = "The opening handshake failed: " + err.Error() + "."
}

// play runs the case on an open connection.
func (r *run) play() {
	defer func() { r.duration = time.Since(r.started) }()
	if r.peer == nil {
		r.judge()
		return
	}
	r.started = time.Now()
	if r.c.drive != nil {
		r.behavior, r.result = verdictFailed, "The peer ended the connection."
		r.c.drive(r)
	} else {
		for _, s := range r.c.steps {
			if !s(r) {
				break
			}
		}
		r.finishWhenDone()
		r.settle()
	}
	r.finish()
	r.judge()
}

// settle waits for the rest of a case.
func (r *run) settle() {
	limit := r.c.limit
	if limit == 0 {
		limit = r.env.patience
	}
	r.log.add("KL", limit.Seconds())
	for !r.ended && !r.closeSent && !r.closeGot {
		if !r.wait(limit) {
			return
		}
		r.log.add("KLE")
		r.failedByMe = true
		r.sendClose(closePayload(1001, "going away"))
	}
}

// wait handles events for some time. It returns false as soon as the
// connection is closing or closed.
func (r *run) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !r.ended && !r.closeSent && !r.closeGot {
		e, ok := r.peer.next(timer.C)
		if !ok {
			return true
		}
		r.handle(e)
		r.finishWhenDone()
	}
	return false
}

// finish sees the connection to its end, whoever closes it.
func (r *run) finish() {
	timer := time.NewTimer(r.env.patience)
	defer timer.Stop()
	for !r.ended {
		e, ok := r.peer.next(timer.C)
		if ok {
			r.handle(e)
			continue
		}
		r.drop()
		break
	}
	r.peer.nc.Close()
	<-r.peer.done
	if !r.closeGot && r.whyUnclean == "" {
		r.whyUnclean = "the peer ended the TCP connection without a close frame"
	}
}

// drop notes that the peer took too long to let go.
func (r *run) drop() {
	r.droppedByMe = true
	switch {
	case r.closeGot && r.peer.server: // it is the server's part to end
	case r.closeGot:
		r.dropTimeout, r.wasClean = true, false
		r.whyUnclean = "the server did not end the TCP connection in time"
	default:
		r.closeTimeout, r.wasClean = true, false
		r.whyUnclean = "the peer did not answer the close frame in time"
	}
}

// handle takes one event.
func (r *run) handle(e event) {
	switch {
	case e.kind == gotEnd:
		r.ended = true
	case r.closeGot:
		// What comes after a close frame does not count, unless it is forbidden.
		if v := (*violation)(nil); r.violation == nil && errors.As(e.err, &v) {
			r.violation, r.wentOn = v, true
		}
	case e.kind == gotPong, e.kind == gotMessage && r.violation == nil:
		r.received = append(r.received, e)
	case e.kind == gotPing && !r.closeSent:
		r.write(r.peer.send(0, false, frame{op: opPong, payload: e.payload}))
	case e.kind == gotViolation:
		var v *violation
		errors.As(e.err, &v)
		r.violation = v
		r.failedByMe = true
		r.sendClose(closePayload(v.code, v.what))
	case e.kind == gotClose:
		r.handleClose(e.payload)
	}
}

func (r *run) handleClose(payload []byte) {
	r.closeGot, r.wasClean = true, true
	if code, reason, ok := closeCode(payload); ok {
		r.remoteCode, r.remoteReason = &code, reason
		payload = payload[:2]
	}
	if !r.closeSent {
		r.closeSent = true
		r.noteLocalClose(payload)
		r.write(r.peer.send(0, false, closeFrame(payload)))
	}
	r.dropAsServer()
}

// dropAsServer ends the TCP connection if that is the runner's part (RFC 6455,
// section 7.1.1), in a way that lets the client read everything.
func (r *run) dropAsServer() {
	if !r.peer.server {
		return
	}
	if half, ok := r.peer.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the connection may be gone already
	}
}

// sendClose starts the closing handshake, if it has not begun.
func (r *run) sendClose(payload []byte) bool {
	if r.closeSent {
		return false
	}
	r.closeSent, r.closedByMe = true, true
	r.noteLocalClose(payload)
	r.write(r.peer.send(0, false, closeFrame(payload)))
	return true
}

func (r *run) noteLocalClose(payload []byte) {
	if code, reason, ok := closeCode(payload); ok {
		r.localCode, r.localReason = &code, reason
	}
}

// write notes an error of writing: the connection is over, and the reading
// goroutine will say why, unless the peer does not read.
func (r *run) write(err error) bool {
	if err != nil {
		r.log.add("ERR", fmt.Sprint("write: ", err))
	}
	if isTimeout(err) {
		r.failedByMe = true
		r.result = fmt.Sprintf("The peer did not read what was sent to it within %s.", r.peer.patience)
	}
	return err == nil
}

// finishWhenDone closes as soon as everything has come that should, and gives
// up as soon as that can no longer be. Steps that close come before.
func (r *run) finishWhenDone() {
	if r.closeSent || r.closeGot || r.ended || r.c.drive != nil || len(r.c.outcomes) == 0 {
		return
	}
	if !r.hopeful() {
		r.failedByMe = true
		code := 1001
		if r.c.close.byRunner {
			code = 1000
		}
		r.sendClose(closePayload(code, ""))
		return
	}
	for i, o := range r.c.outcomes {
		wish := r.c.close
		if o.close != nil {
			wish = *o.close
		}
		if wish.byRunner && !r.c.keepOpen && (i == 0 || o.close != nil) && sameEvents(r.received, o.events) {
			r.sendClose(closePayload(wish.codes[0], ""))
			return
		}
	}
}

// hopeful says whether what was received can still become one of the outcomes.
func (r *run) hopeful() bool {
	for _, o := range r.c.outcomes {
		if len(r.received) <= len(o.events) && sameEvents(r.received, o.events[:len(r.received)]) {
			return true
		}
	}
	return false
}
