// What a case is: steps to take, and what may come of them.

package main

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The verdicts on behavior, and those on the close.
const (
	verdictOK            = "OK"
	verdictNonStrict     = "NON-STRICT"
	verdictInformational = "INFORMATIONAL"
	verdictUnimplemented = "UNIMPLEMENTED"
	verdictFailed        = "FAILED"

	closeFailedByClient = "FAILED BY CLIENT"
	closeWrongCode      = "WRONG CODE"
	closeUnclean        = "UNCLEAN"
)

// Which role the runner has in a case.
type role int

const (
	anyRole role = iota
	clientOnly
	serverOnly
)

// A testCase is one case of the suite.
type testCase struct {
	id    string
	does  string // one sentence: what the runner does
	wants string // one sentence: what the peer should do
	role  role

	outcomes []outcome // the first that fits what was received gives the verdict
	close    closeWish
	steps    []step
	limit    time.Duration // how long the peer has after the steps; 0: the usual

	keepOpen      bool // the steps close, or nobody does: do not close when done
	codeMatters   bool // a wrong close code fails the behavior too
	informational bool // the verdict is INFORMATIONAL whatever comes
	quiet         bool // keep the traffic out of the log: there is too much of it

	// What a case of its own kind does instead.
	drive   func(r *run)                         // talks after the handshake
	offers  []deflateParams                      // what the client offers
	accept  func([]deflateParams) *deflateParams // what the server makes of offers
	dial    func(r *run) *peer                   // opens the connection as a client; nil: it has judged
	upgrade func(r *run, u *upgrading) *peer     // the same as a server
}

// An outcome is a sequence of events and what it is worth.
type outcome struct {
	verdict string
	events  []event
	close   *closeWish // instead of the case's, if not nil
}

// A closeWish says how the connection should end.
type closeWish struct {
	codes     []int // of the peer's close frame, if it sends any
	byRunner  bool  // the runner starts the closing handshake
	clean     bool  // with a close frame from each side
	fatalSwap bool  // if the wrong side starts it the behavior fails too
}

// A step is one thing the runner does. It returns false if there is no sense
// in going on.
type step func(r *run) bool

func message1(p []byte, binary bool) event {
	return event{kind: gotMessage, payload: p, binary: binary}
}
func textEvent(s string) event { return message1([]byte(s), false) }
func pongEvent(s string) event { return event{kind: gotPong, payload: []byte(s)} }
func timeoutEvent(tag string) event {
	return event{kind: timedOut, payload: []byte(tag)}
}

func ok(events ...event) outcome        { return outcome{verdict: verdictOK, events: events} }
func nonStrict(events ...event) outcome { return outcome{verdict: verdictNonStrict, events: events} }

// The three ways that cases end.
func cleanClose() closeWish {
	return closeWish{codes: []int{1000}, byRunner: true, clean: true}
}
func failedWith(code int) closeWish { return closeWish{codes: []int{code}} }
func failedText() closeWish         { return closeWish{codes: []int{1007}, fatalSwap: true} }

// send writes frames in one go, sendEach one after the other, sendChopped in
// writes of n bytes.
func send(frames ...frame) step { return sendChopped(0, frames...) }

func sendChopped(n int, frames ...frame) step {
	return func(r *run) bool { return r.write(r.peer.send(n, n > 0, frames...)) }
}

func sendEach(frames ...frame) step {
	return func(r *run) bool {
		for _, f := range frames {
			if !r.write(r.peer.send(0, true, f)) {
				return false
			}
		}
		return true
	}
}

// pause waits for a while, and notes the time-out under a tag if there is one
// and the connection is still open.
func pause(tag string) step {
	return func(r *run) bool {
		r.log.add("CT", r.env.pause.Seconds(), nullable(tag))
		if !r.wait(r.env.pause) {
			return false
		}
		r.log.add("CTE", nullable(tag))
		if tag != "" {
			r.received = append(r.received, timeoutEvent(tag))
		}
		return true
	}
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// closeWith sends a close frame with any payload.
func closeWith(payload []byte) step {
	return func(r *run) bool { return r.sendClose(payload) }
}

func equalEvents(a, b event) bool {
	return a.kind == b.kind && a.binary == b.binary && bytes.Equal(a.payload, b.payload)
}

// compareIDs orders cases by the numbers in their ids; ours come last.
func compareIDs(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, errM := strconv.Atoi(x)
		n, errN := strconv.Atoi(y)
		if errM != nil || errN != nil {
			return strings.Compare(x, y)
		}
		return m - n
	})
}

// extra says whether a case is of the category that is ours.
func extra(id string) bool { return strings.HasPrefix(id, "X") }

// match says whether an id fits one of the patterns, in which * stands for
// anything.
func match(patterns []string, id string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		fits, err := path.Match(strings.TrimSpace(pattern), id)
		return err == nil && fits
	})
}
