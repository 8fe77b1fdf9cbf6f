// The reports: index.json and a file per case, in the original's format.

package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Names of files in the folder of the reports.
const (
	indexName = "index.json"
	extraName = "extra.json" // the index of the cases that are ours
)

// An indexEntry is what the index says of one case of one agent.
type indexEntry struct {
	Behavior        string `json:"behavior"`
	BehaviorClose   string `json:"behaviorClose"`
	Duration        int64  `json:"duration"` // in milliseconds
	RemoteCloseCode *int   `json:"remoteCloseCode"`
	ReportFile      string `json:"reportfile"`
}

// An index is by agent and case.
type index map[string]map[string]indexEntry

// reports collects runs, and keeps what earlier runs left of other agents in the
// same folder.
type reports struct {
	dir    string // "": nothing is written
	server bool   // the runner is the server

	mu     sync.Mutex
	agents index
	now    map[string]bool   // the agents of this run
	names  map[string]string // of agents, in the names of files
}

func newReports(dir string, server bool) (*reports, error) {
	r := &reports{dir: dir, server: server, agents: index{}, now: map[string]bool{}, names: map[string]string{}}
	if dir == "" {
		return r, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, name := range []string{indexName, extraName} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		var old index
		if err := json.Unmarshal(text, &old); err != nil {
			return nil, err
		}
		for agent, cases := range old {
			for id, e := range cases {
				r.put(agent, id, e)
				if at := strings.LastIndex(e.ReportFile, "_case_"); at > 0 {
					r.names[agent] = e.ReportFile[:at]
				}
			}
		}
	}
	return r, nil
}

func (rs *reports) put(agent, id string, e indexEntry) {
	if rs.agents[agent] == nil {
		rs.agents[agent] = map[string]indexEntry{}
	}
	rs.agents[agent][id] = e
}

// behavior is the verdict on a case, if this run has one.
func (rs *reports) behavior(agent, id string) string {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if e, ok := rs.agents[agent][id]; ok && rs.now[agent] {
		return e.Behavior
	}
	return "MISSING"
}

// add notes a run, and writes its files. With an agent's first case, what was said
// of it earlier goes.
func (rs *reports) add(r *run) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if !rs.now[r.agent] {
		rs.now[r.agent] = true
		delete(rs.agents, r.agent)
	}
	name := rs.fileName(r.agent, r.c.id)
	rs.put(r.agent, r.c.id, indexEntry{
		Behavior: r.behavior, BehaviorClose: r.behaviorClose, Duration: r.duration.Milliseconds(),
		RemoteCloseCode: r.remoteCode, ReportFile: name + ".json",
	})
	if rs.dir == "" {
		return
	}
	d := rs.detail(r)
	// What goes wrong here goes wrong when the index is written too.
	_ = writeJSON(filepath.Join(rs.dir, name+".json"), d)
	_ = writeCasePage(filepath.Join(rs.dir, name+".html"), r, d)
}

// fileName is the name of a case's files, without extension. Agents have different
// ones. Called with the lock held.
func (rs *reports) fileName(agent, id string) string {
	if rs.names[agent] == "" {
		plain := plainName(agent)
		name := plain
		for n := 2; slices.Contains(slices.Collect(maps.Values(rs.names)), name); n++ {
			name = fmt.Sprintf("%s_%d", plain, n)
		}
		rs.names[agent] = name
	}
	return rs.names[agent] + "_case_" + strings.ReplaceAll(id, ".", "_")
}

// plainName is a name in letters and digits.
func plainName(agent string) string {
	plain := func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}
	return strings.Map(plain, strings.ToLower(agent))
}

// write writes the indexes.
func (rs *reports) write() error {
	if rs.dir == "" {
		return nil
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	published, ours := index{}, index{}
	for agent, cases := range rs.agents {
		for id, e := range cases {
			into := published
			if extra(id) {
				into = ours
			}
			if into[agent] == nil {
				into[agent] = map[string]indexEntry{}
			}
			into[agent][id] = e
		}
	}
	err := writeJSON(filepath.Join(rs.dir, indexName), published)
	extraPath := filepath.Join(rs.dir, extraName)
	switch {
	case err == nil && len(ours) > 0:
		err = writeJSON(extraPath, ours)
	case err == nil:
		if err = os.Remove(extraPath); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = writeIndexPage(filepath.Join(rs.dir, "index.html"), rs.agents)
	}
	return err
}

func writeJSON(name string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

// detail is everything about a run, under the names that the original uses.
func (rs *reports) detail(r *run) map[string]any {
	expected := map[string]any{}
	for _, o := range r.c.outcomes {
		expected[o.verdict] = eventList(o.events)
	}
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return map[string]any{
		"case":        caseNumber(r.c.id),
		"id":          r.c.id,
		"description": r.c.does,
		"expectation": r.c.wants,
		"agent":       r.agent,
		"started":     r.started.UTC().Format(time.RFC3339Nano),
		"duration":    r.duration.Milliseconds(),
		"reportTime":  r.c.quiet,
		"isServer":    rs.server,

		"behavior":      r.behavior,
		"behaviorClose": r.behaviorClose,
		"result":        r.result,
		"resultClose":   r.resultClose,
		"expected":      expected,
		"expectedClose": map[string]any{
			"closeCode": r.c.close.codes, "closedByMe": r.c.close.byRunner, "requireClean": r.c.close.clean,
		},
		"received": eventList(r.received),

		"closedByMe":                     r.closedByMe,
		"failedByMe":                     r.failedByMe,
		"droppedByMe":                    r.droppedByMe,
		"wasClean":                       r.wasClean,
		"wasNotCleanReason":              nullable(r.whyUnclean),
		"wasServerConnectionDropTimeout": r.dropTimeout,
		"wasCloseHandshakeTimeout":       r.closeTimeout,
		"wasOpenHandshakeTimeout":        r.openTimeout,
		"localCloseCode":                 r.localCode,
		"localCloseReason":               showReason(r.localReason),
		"remoteCloseCode":                r.remoteCode,
		"remoteCloseReason":              showReason(r.remoteReason),

		"createStats":   true,
		"createWirelog": !r.c.quiet,
		"wirelog":       slices.Clone(r.log.entries),
		"rxFrameStats":  r.log.rxFrames,
		"txFrameStats":  r.log.txFrames,
		"rxOctetStats":  r.log.rxOctets,
		"txOctetStats":  r.log.txOctets,
		"httpRequest":   r.httpRequest,
		"httpResponse":  r.httpResponse,
	}
}

// eventList shows events as the original does: kind, payload, and for
// messages whether they are binary.
func eventList(events []event) []any {
	list := []any{}
	for _, e := range events {
		entry := []any{e.kind, showPayload(e.payload)}
		if e.kind == gotMessage {
			entry = append(entry, e.binary)
		}
		list = append(list, entry)
	}
	return list
}

func showPayload(p []byte) string {
	return textData(p).([]any)[1].(string)
}

func showReason(reason string) any {
	if !utf8.ValidString(reason) {
		return "0x" + hex.EncodeToString([]byte(reason))
	}
	return nullable(reason)
}
