// Pings that wait for their pong.

package websocket

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// A pinger knows which pings wait for their pong.
type pinger struct {
	order   sync.Mutex // held from a ping's number to its place in the queue
	mu      sync.Mutex
	before  uint64                   // the first ping says one more: a random number, so that none of the caller's has it
	last    uint64                   // what the last ping said
	waiting map[uint64]chan struct{} // nil while nobody waits
}

// ping sends a new ping, behind those with lower numbers. It returns its number and a channel
// that is closed when its pong has come. forget must be called in the end.
func (p *pinger) ping(send func(payload []byte) error) (n uint64, answer <-chan struct{}, err error) {
	p.order.Lock()
	defer p.order.Unlock()
	n, payload, answer := p.expect()
	return n, answer, send(payload)
}

// expect returns a new ping's number, its payload, and the channel for its pong.
func (p *pinger) expect() (n uint64, payload []byte, answer <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == 0 {
		var random [8]byte
		_, _ = rand.Read(random[:]) // it cannot fail
		p.before = binary.BigEndian.Uint64(random[:]) >> 1
		p.last = p.before
	}
	p.last++
	if p.waiting == nil {
		p.waiting = make(map[uint64]chan struct{})
	}
	ch := make(chan struct{})
	p.waiting[p.last] = ch
	return p.last, binary.BigEndian.AppendUint64(nil, p.last), ch
}

func (p *pinger) forget(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, n)
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

// ponged wakes who waits for this pong, and for those of earlier pings: the peer "MAY elect
// to send a Pong frame for only the most recently processed Ping frame" (RFC 6455, section
// 5.5.3). One that nobody waits for is fine.
func (p *pinger) ponged(payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(payload) != 8 {
		return
	}
	said := binary.BigEndian.Uint64(payload)
	if said <= p.before || said > p.last {
		return
	}
	for n, answer := range p.waiting {
		if n <= said {
			close(answer)
			delete(p.waiting, n)
		}
	}
}
