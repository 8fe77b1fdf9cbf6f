// One HTTP/1.1 request and its answer, bounded in time and size.

package websocket

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswerHead  = 64 << 10    // the head of an answer, with those that come before it
	maxAnswerBody  = 4 << 10     // what is read for the excerpt, with its chunk headers
	maxExcerpt     = 1 << 10     // HandshakeError.Body
	excerptTimeout = time.Second // a body that never ends holds nobody up
	answerBuffer   = 2 << 10
)

var errAnswerTooLong = errors.New("the answer's head is longer than " + strconv.Itoa(maxAnswerHead) + " bytes")

// answer is the head of an HTTP response, with what else has been read.
type answer struct {
	resp  *http.Response
	nc    net.Conn
	buf   *bufio.Reader
	limit *limitedReader
}

// exchange writes a request and reads the head of its answer. It blocks as
// long as nc does: a guard has to be over it.
func exchange(nc net.Conn, request []byte, method string) (*answer, error) {
	if _, err := nc.Write(request); err != nil {
		return nil, err
	}
	a := &answer{nc: nc, limit: &limitedReader{r: nc, left: maxAnswerHead}}
	a.buf = bufio.NewReaderSize(a.limit, answerBuffer)
	for {
		resp, err := http.ReadResponse(a.buf, &http.Request{Method: method})
		if err != nil && a.limit.left <= 0 {
			return nil, errAnswerTooLong // net/http takes the cut line for a bad one
		}
		if err != nil {
			return nil, err
		}
		// RFC 9110, section 15.2: any number of 1xx may come before the answer.
		// Their sizes add up to the limit.
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			a.resp = resp
			return a, nil
		}
	}
}

// buffered returns a copy of what came right after the answer's head.
func (a *answer) buffered() []byte {
	n := a.buf.Buffered()
	if n == 0 {
		return nil
	}
	p, _ := a.buf.Peek(n) // can't fail: it is all there
	return append([]byte(nil), p...)
}

// asError turns an answer that is no good into an error with the start of its
// body. The connection is of no use afterwards.
func (a *answer) asError(reason string) *HandshakeError {
	e := &HandshakeError{StatusCode: a.resp.StatusCode, Header: a.resp.Header, Reason: clipReason(reason)}
	if a.resp.StatusCode == http.StatusSwitchingProtocols {
		return e // what follows is not a body
	}
	a.limit.left = maxAnswerBody
	timer := time.AfterFunc(excerptTimeout, func() { closeHard(a.nc) })
	defer timer.Stop()
	e.Body, _ = io.ReadAll(io.LimitReader(a.resp.Body, maxExcerpt)) // as much as there is
	if line := firstLine(e.Body); line != "" {
		e.Reason += ": " + strconv.Quote(line)
	}
	return e
}

// firstLine returns the start of a body for a person to read.
func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if len(line) > 120 {
		line = strings.ToValidUTF8(line[:120], "") + "…" // the cut may be inside a character
	}
	return strings.TrimSpace(line)
}

// limitedReader is an io.LimitedReader that says so when it has reached its
// limit.
type limitedReader struct {
	r    io.Reader
	left int
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errAnswerTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// guard closes nc when ctx ends, which ends what blocks on it. stop takes the
// guard away; it returns false if nc has been closed or is being closed.
func guard(ctx context.Context, nc net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { closeHard(nc) })
}
