// What the terminal shows: a line that counts, and a summary.

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A progress counts verdicts and decides whether they are good enough.
type progress struct {
	w                  io.Writer
	total              int    // of the cases to come; 0 if nobody knows
	agent              string // whose cases those are; all agents', if empty
	strict             bool
	live               bool // w is a terminal: the counting line may be written over
	all                bool // cases that are not run fail the whole
	unimplementedFails bool

	mu       sync.Mutex
	began    time.Time
	count    int
	missing  map[string]bool // the ids of those that have not come
	worse    []*run
	verdicts map[bool]map[string]int // by whether the case is ours
	closes   map[bool]map[string]int
}

func newProgress(w io.Writer, cases []*testCase, strict bool) *progress {
	p := &progress{
		w: w, total: len(cases), strict: strict, began: time.Now(), missing: map[string]bool{},
		verdicts: map[bool]map[string]int{false: {}, true: {}},
		closes:   map[bool]map[string]int{false: {}, true: {}},
	}
	for _, c := range cases {
		p.missing[c.id] = true
	}
	return p
}

func (p *progress) done(r *run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if p.agent == "" || p.agent == r.agent {
		delete(p.missing, r.c.id)
	}
	p.verdicts[extra(r.c.id)][r.behavior]++
	p.closes[extra(r.c.id)][r.behaviorClose]++
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	if p.tooBad(r) {
		p.worse = append(p.worse, r)
		fmt.Fprintf(p.w, "%-8s %s, close %s: %s\n", r.c.id, r.behavior, r.behaviorClose, p.why(r))
	}
	if p.live {
		fmt.Fprintf(p.w, "%d of %d: %s ", p.count, max(p.total, p.count), r.c.id)
	}
}

func (p *progress) why(r *run) string {
	if r.behavior == verdictOK || r.behavior == verdictUnimplemented && !p.unimplementedFails {
		return r.resultClose
	}
	return r.result
}

// tooBad says whether a run fails the whole: a behavior that is FAILED, a
// close that is not OK, and, if strict, a behavior that is only NON-STRICT. What
// is UNIMPLEMENTED still has to close.
func (p *progress) tooBad(r *run) bool {
	switch r.behavior {
	case verdictOK:
	case verdictInformational:
		return false
	case verdictUnimplemented:
		if p.unimplementedFails {
			return true
		}
	case verdictNonStrict:
		if p.strict {
			return true
		}
	default:
		return true
	}
	return r.behaviorClose != verdictOK && (p.strict || r.behaviorClose != closeFailedByClient && r.behaviorClose != closeWrongCode)
}

func (p *progress) problem(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, "autobahn:", err)
}

// summary writes the counts, and says whether all is well.
func (p *progress) summary() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	took := time.Since(p.began).Round(10 * time.Millisecond)
	fmt.Fprintf(p.w, "%d cases in %s: %s; close %s\n", p.count, took, counts(p.verdicts[false]), counts(p.closes[false]))
	if len(p.verdicts[true]) > 0 {
		fmt.Fprintf(p.w, "of our own: %s; close %s\n", counts(p.verdicts[true]), counts(p.closes[true]))
	}
	if len(p.worse) > 0 {
		fmt.Fprintf(p.w, "%d worse than allowed\n", len(p.worse))
	}
	if len(p.missing) > 0 {
		fmt.Fprintf(p.w, "%d not run\n", len(p.missing))
	}
	return len(p.worse) == 0 && (len(p.missing) == 0 || !p.all)
}

func counts(m map[string]int) string {
	var s []string
	for _, verdict := range slices.Sorted(maps.Keys(m)) {
		s = append(s, fmt.Sprintf("%d %s", m[verdict], verdict))
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, ", ")
}
