// The verdicts on a run.

package main

import (
	"fmt"
	"slices"
	"strings"
)

// A verdict is what a run is worth.
type verdict struct {
	behavior      string
	behaviorClose string
	result        string // one sentence on the behavior
	resultClose   string // one sentence on the close
}

func sameEvents(a, b []event) bool { return slices.EqualFunc(a, b, equalEvents) }

// judge gives the verdicts when the connection is over.
func (r *run) judge() {
	if r.judged {
		return
	}
	if !r.opened {
		r.behavior, r.behaviorClose = verdictFailed, verdictFailed
		r.resultClose = "There was no WebSocket connection to close."
		return
	}
	r.wish = r.c.close
	if r.c.drive == nil {
		r.judgeEvents()
	} else {
		r.judgeRest()
	}
	if r.violation != nil && (r.c.close.byRunner || r.wentOn || r.behavior == verdictFailed) {
		r.behavior = verdictFailed
		r.result = fmt.Sprintf("The peer broke the protocol: %s.", r.violation)
	}
	r.judgeClose()
	switch {
	case r.c.informational:
		r.behavior, r.behaviorClose = verdictInformational, verdictInformational
	case r.c.close.fatalSwap && r.closedByMe != r.c.close.byRunner:
		r.behavior = verdictFailed
		r.result = "The peer did not notice that the text is not UTF-8."
	case r.c.codeMatters && r.behaviorClose == closeWrongCode:
		r.behavior, r.result = verdictFailed, r.resultClose
	}
}

func (r *run) judgeEvents() {
	for _, o := range r.c.outcomes {
		if sameEvents(r.received, o.events) {
			r.behavior = o.verdict
			if o.close != nil {
				r.wish = *o.close
			}
			r.result = "The peer did what it should."
			if o.verdict == verdictNonStrict {
				r.result = "The peer did what is allowed, though not what is best."
			}
			return
		}
	}
	r.behavior = verdictFailed
	r.result = fmt.Sprintf("The peer should have answered with %s, and answered with %s.",
		describeEvents(r.c.outcomes[0].events), describeEvents(r.received))
}

// judgeRest looks at what came behind the last message that was expected.
func (r *run) judgeRest() {
	sent := func(e event) bool { return e.kind == gotMessage }
	if r.behavior == verdictOK && slices.ContainsFunc(r.received, sent) {
		r.behavior = verdictFailed
		r.result = fmt.Sprintf("The peer should have sent nothing more, and sent %s.", describeEvents(r.received))
	}
}

func (r *run) judgeClose() {
	wish := r.wish
	if r.behavior == verdictUnimplemented {
		wish = cleanClose() // the runner goes when it has nothing to try
	}
	switch {
	case wish.byRunner != r.closedByMe:
		r.behaviorClose = verdictFailed
		r.resultClose = "The wrong side closed the connection."
	case wish.clean && !r.wasClean:
		r.behaviorClose = closeUnclean
		r.resultClose = "The connection should end with close frames from both sides, but " + r.whyUnclean + "."
	case r.remoteCode != nil && !slices.Contains(wish.codes, *r.remoteCode):
		r.behaviorClose = closeWrongCode
		r.resultClose = fmt.Sprintf("The peer closed with %d instead of %s.", *r.remoteCode, listCodes(wish.codes))
	case !r.peer.server && r.droppedByMe:
		r.behaviorClose = closeFailedByClient
		r.resultClose = "The server should end the TCP connection, not leave that to the client."
	default:
		r.behaviorClose = verdictOK
		r.resultClose = "The connection ended as it should."
	}
}

func listCodes(codes []int) string {
	var s []string
	for _, c := range slices.Compact(slices.Sorted(slices.Values(codes))) {
		s = append(s, fmt.Sprint(c))
	}
	return strings.Join(s, " or ")
}

// describeEvents names events in a few words.
func describeEvents(events []event) string {
	if len(events) == 0 {
		return "nothing"
	}
	var s []string
	for i, e := range events {
		if i == 12 {
			s = append(s, fmt.Sprintf("%d more", len(events)-i))
			break
		}
		s = append(s, describeEvent(e))
	}
	return strings.Join(s, ", ")
}

func describeEvent(e event) string {
	switch {
	case e.kind == timedOut:
		return "silence in pause " + string(e.payload)
	case e.kind == gotPong:
		return fmt.Sprintf("a pong of %d bytes", len(e.payload))
	case e.binary:
		return fmt.Sprintf("a binary message of %d bytes", len(e.payload))
	}
	return fmt.Sprintf("a text message of %d bytes", len(e.payload))
}
