// Connections that are cut into chunks.

package wstest

import (
	"errors"
	"iter"
	"net"
	"slices"
)

// A Cut says how many of the next n bytes of a stream, which has come to
// position pos, go together. It returns 1 to n; anything else is taken as the
// nearest of these. It is called from one goroutine at a time.
type Cut func(pos int64, n int) int

// OneByte cuts after every byte.
func OneByte(int64, int) int { return 1 }

// Half cuts what is asked for in halves.
func Half(_ int64, n int) int { return (n + 1) / 2 }

// Size cuts into pieces of at most n bytes.
func Size(n int) Cut { return func(int64, int) int { return n } }

// At cuts at these positions of the stream.
func At(positions ...int64) Cut {
	positions = slices.Sorted(slices.Values(positions))
	return func(pos int64, n int) int {
		i, _ := slices.BinarySearch(positions, pos+1)
		if i == len(positions) {
			return n
		}
		return int(min(positions[i]-pos, int64(n)))
	}
}

// Split returns nc with its reads and writes cut; a nil Cut does not cut. A
// Write is done as several of nc, a Read asks for less than its caller does.
func Split(nc net.Conn, reads, writes Cut) net.Conn {
	return &splitConn{Conn: nc, reads: cutter{cut: reads}, writes: cutter{cut: writes}}
}

type splitConn struct {
	net.Conn
	reads, writes cutter
}

func (c *splitConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:c.reads.next(len(p))])
	c.reads.pos += int64(n)
	return n, err
}

func (c *splitConn) Write(p []byte) (int, error) {
	for n := 0; ; {
		k, err := c.Conn.Write(p[n : n+c.writes.next(len(p)-n)])
		n += k
		c.writes.pos += int64(k)
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// CloseWrite shuts the direction of c's writes, if nc can do that.
func (c *splitConn) CloseWrite() error {
	if nc, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return nc.CloseWrite()
	}
	return errors.ErrUnsupported
}

// A cutter is a Cut with the position it has come to.
type cutter struct {
	cut Cut
	pos int64
}

func (c *cutter) next(n int) int {
	if c.cut == nil || n == 0 {
		return n
	}
	return min(max(c.cut(c.pos, n), 1), n)
}

// Splits yields p in two pieces, for every point where it can be cut, the ends
// included. The pieces are copies: whoever gets them may change them.
func Splits(p []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(front, rest []byte) bool) {
		for i := range len(p) + 1 {
			if !yield(slices.Clone(p[:i]), slices.Clone(p[i:])) {
				return
			}
		}
	}
}
