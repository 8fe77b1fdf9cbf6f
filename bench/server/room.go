package main

import (
	"slices"
	"sync"
)

// A room has the connections that a broadcast goes to.
type room[C comparable] struct {
	mu      sync.RWMutex
	members []C
}

func (r *room[C]) join(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = append(r.members, c)
}

func (r *room[C]) leave(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.members, c); i >= 0 {
		r.members = slices.Delete(r.members, i, i+1)
	}
}

// each calls f for every member. f's errors are the member's business: whoever
// reads its connection finds out.
func (r *room[C]) each(f func(c C)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, c := range r.members {
		f(c)
	}
}

// locked is a connection that several goroutines write to, for libraries that
// allow one writer at a time.
type locked[C any] struct {
	mu   sync.Mutex
	conn C
}
