package main

import (
	"fmt"
	"strings"
)

// A manner is one of the ways in which a connection ends.
type manner int

// The manners. What a server sees of byLost is what it sees of bySilence.
const (
	byClose   manner = iota // a closing handshake
	byReset                 // RST
	byHalf                  // the client's FIN without a close frame
	bySilence               // the client answers nothing any more
	byLost                  // what the server sends does not even reach the client's TCP
	byServer                // the server closes
	manners
	deaths = byServer // the manners that a wave chooses from
)

var mannerNames = [manners]string{"close", "reset", "half-open", "silent", "lost", "server"}

// A tally counts by manner.
type tally [manners]uint64

func (t *tally) add(u *tally) {
	for i, n := range u {
		t[i] += n
	}
}

func (t *tally) sum() (n uint64) {
	for _, m := range t {
		n += m
	}
	return n
}

// seen returns what a server can tell apart.
func (t tally) seen() tally {
	t[bySilence] += t[byLost]
	t[byLost] = 0
	return t
}

func (t tally) String() string {
	var b strings.Builder
	for i, n := range t {
		if n > 0 {
			fmt.Fprintf(&b, " %s %d", mannerNames[i], n)
		}
	}
	return strings.TrimSpace(b.String())
}
