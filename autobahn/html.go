// The reports as pages to look at: an index of agents by cases, and a page per
// case with its wire log. Each is one file that needs nothing else.

package main

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var (
	//go:embed index.html.tmpl
	indexTemplate string
	//go:embed case.html.tmpl
	caseTemplate string
	//go:embed style.css
	style string

	pages = template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) },
		"class": verdictClass,
	}).Parse(`{{define "index"}}` + indexTemplate + `{{end}}{{define "case"}}` + caseTemplate + `{{end}}`))
)

// categories are the titles of the groups, by the first number of the ids.
var categories = map[string]string{
	"1": "Framing", "2": "Pings and pongs", "3": "Reserved bits", "4": "Reserved opcodes", "5": "Fragments",
	"6": "UTF-8", "7": "Closing", "9": "Limits and speed", "10": "Automatic fragments",
	"12": "Compression of different data", "13": "Compression with different parameters",
	"X": "Beyond the published cases",
}

func category(id string) string {
	first, _, _ := strings.Cut(id, ".")
	return first
}

// verdictClass is the CSS class of a verdict.
func verdictClass(v string) string { return strings.ToLower(strings.ReplaceAll(v, " ", "-")) }

// caseNumber is the position of a case in the suite, from 1.
func caseNumber(id string) int {
	return 1 + slices.IndexFunc(suite(), func(c *testCase) bool { return c.id == id })
}

// A row of the index, for the page's script.
type pageCase struct {
	ID       string `json:"id"`
	Category string `json:"category"`
	Does     string `json:"does"`
}

func writeIndexPage(name string, agents index) error {
	present := map[string]bool{}
	for _, cases := range agents {
		for id := range cases {
			present[id] = true
		}
	}
	var rows []pageCase
	for _, c := range suite() {
		if present[c.id] {
			rows = append(rows, pageCase{c.id, category(c.id), c.does})
		}
	}
	return writePage(name, "index", map[string]any{
		"Agents":     slices.Sorted(maps.Keys(agents)),
		"Cases":      rows,
		"Categories": categories,
		"Index":      agents,
		"Made":       time.Now().UTC().Format("2 January 2006, 15:04 UTC"),
	})
}

func writePage(name, page string, data any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, page, data); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// A logLine is one line of a wire log.
type logLine struct {
	Class string // who: "sent", "received", "note"
	What  string
	Flags string
	Text  string
}

func writeCasePage(name string, r *run, detail map[string]any) error {
	var lines []logLine
	for _, e := range detail["wirelog"].([]any) {
		lines = append(lines, describeEntry(e.([]any)))
	}
	var outcomes []map[string]string
	for _, o := range r.c.outcomes {
		outcomes = append(outcomes, map[string]string{"Verdict": o.verdict, "Events": describeEvents(o.events)})
	}
	return writePage(name, "case", map[string]any{
		"ID": r.c.id, "Category": categories[category(r.c.id)], "Agent": r.agent,
		"Does": r.c.does, "Wants": r.c.wants,
		"Behavior": r.behavior, "BehaviorClose": r.behaviorClose, "Result": r.result, "ResultClose": r.resultClose,
		"Outcomes": outcomes, "Received": describeEvents(r.received),
		"Codes": listCodes(r.c.close.codes), "ByRunner": r.c.close.byRunner, "Clean": r.c.close.clean,
		"RemoteCode": r.remoteCode, "RemoteReason": detail["remoteCloseReason"],
		"LocalCode": r.localCode, "LocalReason": detail["localCloseReason"],
		"Duration": r.duration.Round(10 * time.Microsecond), "Started": r.started.UTC().Format(time.RFC3339),
		"Request": r.httpRequest, "Response": r.httpResponse,
		"Lines": lines, "Raw": strings.TrimSuffix(filepath.Base(name), ".html") + ".json",
		"ClosedByRunner": r.closedByMe, "DroppedByRunner": r.droppedByMe, "WasClean": r.wasClean,
		"Frames": frameCounts(r.log), "Quiet": r.c.quiet,
	})
}

var opcodeNames = map[byte]string{
	opContinuation: "continuation", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong",
}

func opcodeName(op byte) string {
	if name, ok := opcodeNames[op]; ok {
		return name
	}
	return fmt.Sprintf("opcode %d", op)
}

// describeEntry turns an entry of the log into words.
func describeEntry(e []any) logLine {
	switch e[0] {
	case "TO", "RO":
		data := e[1].([]any)
		return logLine{Class: map[any]string{"TO": "sent", "RO": "received"}[e[0]] + " octets", What: fmt.Sprintf("%d bytes", data[0]), Text: data[1].(string)}
	case "TF":
		return frameLine("sent", e, e[5])
	case "RF":
		return frameLine("received", e, e[6])
	case "CT":
		return logLine{Class: "note", What: "pause", Text: fmt.Sprintf("waits %v s", e[1])}
	case "CTE":
		return logLine{Class: "note", What: "pause", Text: "ends, and the connection is still open"}
	case "KL":
		return logLine{Class: "note", What: "limit", Text: fmt.Sprintf("gives the peer %v s", e[1])}
	case "KLE":
		return logLine{Class: "note", What: "limit", Text: "is over: the runner fails the connection"}
	case "WLM":
		return logLine{Class: "note", What: "log", Text: "from here on, frames are counted and not shown"}
	}
	return logLine{Class: "note", What: fmt.Sprint(e[0]), Text: fmt.Sprint(e[1:]...)}
}

func frameLine(class string, e []any, key any) logLine {
	data := e[1].([]any)
	flags := []string{fmt.Sprintf("%d bytes", data[0])}
	if !e[3].(bool) {
		flags = append(flags, "not final")
	}
	if rsv := e[4].(byte); rsv != 0 {
		flags = append(flags, fmt.Sprintf("RSV %03b", rsv))
	}
	if key != nil {
		flags = append(flags, fmt.Sprintf("key %s", key))
	}
	line := logLine{Class: class, What: opcodeName(e[2].(byte)), Flags: strings.Join(flags, ", "), Text: data[1].(string)}
	if payload, err := hex.DecodeString(strings.TrimPrefix(line.Text, "0x")); err == nil && e[2] == opClose {
		if code, reason, ok := closeCode(payload); ok {
			line.Text = fmt.Sprintf("%d %s", code, strings.ToValidUTF8(reason, "\ufffd"))
		}
	}
	return line
}

// frameCounts says how many frames of each kind went each way.
func frameCounts(l *wirelog) string {
	var s []string
	for _, dir := range []struct {
		word   string
		counts map[string]int
	}{{"sent", l.txFrames}, {"received", l.rxFrames}} {
		total := 0
		for _, n := range dir.counts {
			total += n
		}
		s = append(s, fmt.Sprintf("%d %s", total, dir.word))
	}
	return strings.Join(s, ", ")
}
