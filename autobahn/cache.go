// Compressed messages, kept for the cases that send the same ones in other
// fragments or to another peer.

package main

import "sync"

// maxCached is how many bytes are kept in all.
const maxCached = 192 << 20

// A streamKey names a thousand messages of one length from one corpus, as one
// compressor makes them.
type streamKey struct {
	data   *corpus
	length int
	window int
	fresh  bool
}

// A stream is its messages, in the order in which they must be sent.
type stream struct {
	once     sync.Once
	payloads [][]byte
	err      error
	size     int
}

type streamCache struct {
	mu      sync.Mutex
	streams map[streamKey]*stream
	order   []streamKey
	size    int
}

var streams = streamCache{streams: map[streamKey]*stream{}}

// get returns the first n messages of a stream.
func (c *streamCache) get(data *corpus, length, n int, out *compressor) ([][]byte, error) {
	key := streamKey{data, length, out.window, out.fresh}
	c.mu.Lock()
	s := c.streams[key]
	if s == nil {
		s = &stream{}
		c.streams[key] = s
	}
	c.mu.Unlock()
	s.once.Do(func() {
		s.make(data, length, n, out)
		c.trim(key, s.size)
	})
	return s.payloads, s.err
}

func (s *stream) make(data *corpus, length, n int, out *compressor) {
	var msg []byte
	at := 0
	for range n {
		msg, at = data.cut(msg, at, length)
		p, err := out.compress(msg)
		if err != nil {
			s.err = err
			return
		}
		s.payloads = append(s.payloads, append([]byte(nil), p...))
		s.size += len(p)
	}
}

// trim forgets the oldest streams when there is too much.
func (c *streamCache) trim(newest streamKey, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order = append(c.order, newest)
	c.size += size
	for c.size > maxCached && len(c.order) > 1 {
		c.size -= c.streams[c.order[0]].size
		delete(c.streams, c.order[0])
		c.order = c.order[1:]
	}
}
