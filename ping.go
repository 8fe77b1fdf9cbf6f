// Pings that wait for their pong.

package websocket

import (
	"encoding/binary"
	"sync"
)

// A pinger knows which pings wait for their pong.
type pinger struct {
	mu      sync.Mutex
	last    uint64
	waiting map[string]chan struct{} // nil while nobody waits
}

// expect returns the payload for a new ping and a channel that is closed when
// its pong has come. forget must be called in the end.
func (p *pinger) expect() (payload string, answer <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	payload = string(binary.BigEndian.AppendUint64(nil, p.last))
	if p.waiting == nil {
		p.waiting = make(map[string]chan struct{})
	}
	ch := make(chan struct{})
	p.waiting[payload] = ch
	return payload, ch
}

func (p *pinger) forget(payload string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, payload)
}

// end wakes everybody: no pong will come any more.
func (p *pinger) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, answer := range p.waiting {
		close(answer)
	}
	p.waiting = nil
}

// ponged wakes who waits for this pong. One that nobody waits for is fine (RFC
// 6455, section 5.5.3).
func (p *pinger) ponged(payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer := p.waiting[string(payload)]; answer != nil {
		close(answer)
		delete(p.waiting, string(payload))
	}
}
