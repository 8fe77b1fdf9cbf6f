// What crossed the wire during a case, in the entries that readers of the
// original's reports know.

package main

import (
	"encoding/hex"
	"strconv"
	"sync"
	"unicode/utf8"
)

const (
	maxLogData    = 256 // bytes shown of one frame or of one write
	maxLogEntries = 600
)

// A wirelog is written by the goroutine that reads and by the one that writes.
type wirelog struct {
	mu                 sync.Mutex
	quiet              bool // frames are counted and not shown
	entries            []any
	rxFrames, txFrames map[string]int
	rxOctets, txOctets map[string]int
}

func newWirelog(quiet bool) *wirelog {
	l := &wirelog{
		quiet:    quiet,
		rxFrames: map[string]int{}, txFrames: map[string]int{},
		rxOctets: map[string]int{}, txOctets: map[string]int{},
	}
	if quiet {
		l.entries = append(l.entries, []any{"WLM", false})
	}
	return l
}

// add appends an entry that is shown even in a quiet log. Its first element is
// its kind.
func (l *wirelog) add(entry ...any) {
	l.mu.Lock()
	l.entries = append(l.entries, entry)
	l.mu.Unlock()
}

// traffic appends an entry unless the log is quiet or full. Called with the
// lock held.
func (l *wirelog) traffic(entry ...any) {
	switch {
	case l.quiet || len(l.entries) > maxLogEntries:
	case len(l.entries) == maxLogEntries:
		l.entries = append(l.entries, []any{"WLM", false})
	default:
		l.entries = append(l.entries, entry)
	}
}

func (l *wirelog) received(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rxOctets[strconv.Itoa(len(p))]++
	l.traffic("RO", hexData(p))
}

func (l *wirelog) sent(p []byte, sync bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.txOctets[strconv.Itoa(len(p))]++
	l.traffic("TO", hexData(p), sync)
}

func (l *wirelog) receivedFrame(h header, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rxFrames[strconv.Itoa(int(h.op))]++
	var key any
	if h.masked {
		key = hex.EncodeToString(h.key[:])
	}
	l.traffic("RF", textData(payload), h.op, h.fin, h.rsv, h.masked, key)
}

func (l *wirelog) sentFrame(f frame, key []byte, chop int, sync bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.txFrames[strconv.Itoa(int(f.op))]++
	var shownKey, shownChop any
	if key != nil {
		shownKey = hex.EncodeToString(key)
	}
	if chop > 0 {
		shownChop = chop
	}
	l.traffic("TF", textData(f.payload), f.op, !f.more, f.rsv, shownKey, nil, shownChop, sync)
}

// hexData shows bytes in hexadecimal, cut if long.
func hexData(p []byte) any {
	if len(p) > maxLogData {
		return []any{len(p), hex.EncodeToString(p[:maxLogData])}
	}
	return []any{len(p), hex.EncodeToString(p)}
}

// textData shows a payload as text if it is text, else in hexadecimal.
func textData(p []byte) any {
	cut := ""
	n := len(p)
	if n > maxLogData {
		p, cut = p[:maxLogData], " ..."
		for range utf8.UTFMax { // not in the middle of a character
			if r, size := utf8.DecodeLastRune(p); r != utf8.RuneError || size != 1 {
				break
			}
			p = p[:len(p)-1]
		}
	}
	if utf8.Valid(p) {
		return []any{n, string(p) + cut}
	}
	return []any{n, "0x" + hex.EncodeToString(p) + cut}
}
