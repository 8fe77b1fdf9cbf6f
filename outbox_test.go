package websocket

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A boxModel is an outbox as a plain list of bytes, driven beside a real one.
type boxModel struct {
	t       testing.TB
	box     outbox
	waiting []byte // accepted and not written
	lent    int    // of them, at the front
	held    []byte
	added   int64
	tickets []ticket // frames that may be taken back
	ref     []byte   // the caller's payload that the box refers to
	p, q    []byte   // lent
	sum     []byte   // a copy of them
	next    byte
}

// fresh returns n bytes that differ from those around them.
func (m *boxModel) fresh(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		m.next++
		p[i] = m.next
	}
	return p
}

// add adds a frame as the writer does: with its payload referred to or copied.
func (m *boxModel) add(header, payload int, refer bool) {
	m.room(header + payload)
	from := m.added
	h, p := m.fresh(header), m.fresh(payload)
	m.box.set(append(m.box.buf, h...))
	if refer && payload > 0 && m.box.refer(p) {
		m.ref = p
	} else {
		m.box.set(append(m.box.buf, p...))
	}
	m.waiting = append(append(m.waiting, h...), p...)
	m.added += int64(header + payload)
	m.tickets = append(m.tickets, ticket{from: from, to: m.added})
}

// room moves the buffer as the writer does, and spoils the old one unless a
// write reads it.
func (m *boxModel) room(n int) {
	m.box.compact()
	if cap(m.box.buf)-len(m.box.buf) >= n {
		return
	}
	old := m.box.buf
	m.box.buf = append(make([]byte, 0, 2*len(old)+n), old...)
	if m.box.lent == 0 {
		clear(old)
	}
}

func (m *boxModel) lend() {
	m.p, m.q = m.box.lend(math.MaxInt)
	m.sum = slices.Concat(m.p, m.q)
	m.lent = len(m.sum)
	require.Equal(m.t, string(m.waiting[:m.lent]), string(m.sum), "lent are the next bytes")
	require.True(m.t, m.lent > 0 || len(m.waiting) == 0, "something is lent if something waits")
}

func (m *boxModel) done(n int) {
	require.Equal(m.t, string(m.sum), string(slices.Concat(m.p, m.q)), "lent bytes have not changed")
	m.box.done(n)
	m.waiting, m.lent, m.p, m.q, m.sum = m.waiting[n:], 0, nil, nil, nil
}

// remove takes a frame back, which must work if none of it was lent or written.
func (m *boxModel) remove(which int) {
	tk := m.tickets[which]
	written := m.added - int64(len(m.waiting))
	may := tk.from >= written+int64(m.lent)
	require.Equal(m.t, may, m.box.remove(tk.from, tk.to), "remove %v, written %d, lent %d", tk, written, m.lent)
	if !may {
		return
	}
	n := tk.to - tk.from
	at := tk.from - written
	m.waiting = slices.Delete(m.waiting, int(at), int(at+n))
	m.added -= n
	m.tickets = slices.Delete(m.tickets, which, which+1)
	for i := range m.tickets {
		if m.tickets[i].from >= tk.to {
			m.tickets[i].from -= n
			m.tickets[i].to -= n
		}
	}
}

// check holds the box against the model.
func (m *boxModel) check() {
	o := &m.box
	require.Equal(m.t, len(m.waiting), o.pending())
	require.Equal(m.t, int64(len(m.waiting)+len(m.held)), o.size())
	require.Equal(m.t, m.added, o.added)
	require.Equal(m.t, m.added-int64(len(m.waiting)), o.written())
	require.Equal(m.t, m.lent, o.lent)
	got := []byte{}
	if len(o.ref) > 0 {
		got = slices.Concat(o.buf[o.off:o.refAt], o.ref, o.buf[o.refAt:])
	} else {
		got = append(got, o.buf[o.off:]...)
	}
	require.Equal(m.t, string(m.waiting), string(got))
	if len(m.waiting) == 0 {
		require.Zero(m.t, o.off, "an empty box begins anew")
		require.Empty(m.t, o.buf)
		require.Nil(m.t, o.ref)
	}
}

// step does what one byte says, and some sizes after it.
func (m *boxModel) step(op byte, a, b int) {
	switch op % 12 {
	case 0, 1:
		m.add(2+a%12, b%300, false)
	case 2, 3:
		m.add(2+a%12, b%3000, true)
	case 4:
		m.add(0, 0, false)
	case 5, 6:
		if m.lent == 0 {
			m.lend()
		}
	case 7, 8:
		if m.lent > 0 {
			n := m.lent
			if a%3 > 0 {
				n = b % (m.lent + 1)
			}
			m.done(n)
		}
	case 9:
		if len(m.tickets) > 0 {
			m.remove(len(m.tickets) - 1 - a%min(len(m.tickets), 4))
		}
	case 10:
		if m.lent == 0 && a%2 == 0 {
			m.box.detach()
			clear(m.ref) // the caller's again
			m.ref = nil
		} else {
			m.box.compact()
		}
	case 11:
		if a%2 == 0 {
			p := m.fresh(1 + b%500)
			m.box.hold(append(m.box.held, p...))
			m.held = append(m.held, p...)
			return
		}
		m.box.release()
		m.waiting = append(m.waiting, m.held...)
		m.added += int64(len(m.held))
		m.held = nil
	}
}

// CHECKLIST 17, 27: whatever happens to it in whatever order, an outbox is a
// list of bytes, and what is taken back leaves the others as they are.
func TestOutboxModel(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range rounds {
		m := &boxModel{t: t}
		for range 300 {
			m.step(byte(rnd.IntN(12)), rnd.IntN(1<<16), rnd.IntN(1<<16))
			m.check()
		}
	}
}

func FuzzOutbox(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x02\x03\x04\x05\x00\x00\x07\x00\x00\x09\x00\x00"))
	f.Fuzz(func(t *testing.T, program []byte) {
		m := &boxModel{t: t}
		for ; len(program) >= 3 && len(m.waiting) < 1<<16; program = program[3:] {
			m.step(program[0], int(program[1]), int(program[2])*17)
			m.check()
		}
	})
}

// CHECKLIST 10: short writes: whatever part of what was lent is written, the rest
// comes next.
func TestOutboxShortWrites(t *testing.T) {
	for step := 1; step < 40; step++ {
		var o outbox
		o.set(append(o.buf, "before "...))
		require.True(t, o.refer([]byte("the payload ")))
		require.False(t, o.refer([]byte("x")), "there is room for one")
		o.set(append(o.buf, "after"...))
		sent := ""
		for o.pending() > 0 {
			p, q := o.lend(math.MaxInt)
			both := string(p) + string(q)
			n := min(step, len(both))
			sent += both[:n]
			o.done(n)
			require.Equal(t, int64(len(sent)), o.written())
		}
		require.Equal(t, "before the payload after", sent)
		require.True(t, o.refer([]byte("again")), "there is room again")
	}
}

// Taking back the only bytes that wait, behind others that have been written,
// leaves an empty box: its buffer may be dropped.
func TestOutboxIsEmptyAfterRemove(t *testing.T) {
	var o outbox
	o.set(append(o.buf, "written"...))
	o.set(append(o.buf, "taken back"...))
	o.lend(math.MaxInt)
	o.done(7)
	require.True(t, o.remove(7, 17))
	require.Zero(t, o.pending())
	o.buf = nil // as the flusher does
	require.Zero(t, o.pending())
	o.set(append(o.buf, "next"...))
	p, _ := o.lend(math.MaxInt)
	require.Equal(t, "next", string(p))
}

func TestOutboxCompact(t *testing.T) {
	var o outbox
	o.set(make([]byte, 10000, 20000))
	o.set(append(o.buf, "rest"...))
	o.lend(math.MaxInt)
	o.compact()
	assert.Equal(t, 10004, len(o.buf), "a write is under way")
	o.done(4000)
	o.compact()
	assert.Equal(t, 4000, o.off, "too little was written")
	o.lend(math.MaxInt)
	o.done(6000)
	o.compact()
	assert.Equal(t, "rest", string(o.buf))
	assert.Equal(t, int64(10000), o.written())
}

// CHECKLIST 11: a flood of pings fills a little of the queue, and then only the
// latest is answered (RFC 6455, section 5.5.3); CHECKLIST 32: also when the box
// never runs empty.
func TestRFC6455_5_5_3_PongFlood(t *testing.T) {
	for _, size := range []int{0, 1, 125} {
		var o outbox
		sent := 0
		frame := func(payload []byte) {
			o.set(FrameHeader{Final: true, Opcode: OpPong, PayloadLength: int64(len(payload))}.Append(o.buf))
			o.set(append(o.buf, payload...))
			sent++
		}
		payload := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, size) }
		for i := range 10000 {
			if o.pongFits(payload(i)) {
				frame(payload(i))
			}
		}
		require.LessOrEqual(t, o.pending(), pongRoom+maxHeader+maxControlPayload, "size %d", size)
		require.GreaterOrEqual(t, sent, pongRoom/(maxHeader+size))
		require.LessOrEqual(t, cap(o.ping), 128+maxControlPayload)
		_, ok := o.latePing()
		require.False(t, ok, "still no room")

		pongs := o.pending()
		o.set(append(o.buf, make([]byte, 100000)...)) // the box never runs empty
		o.lend(math.MaxInt)
		o.done(pongs - 1)
		_, ok = o.latePing()
		require.False(t, ok, "one has not been written")
		o.lend(math.MaxInt)
		o.done(1 + maxHeader)
		late, ok := o.latePing()
		require.True(t, ok)
		require.Equal(t, payload(9999), append([]byte{}, late...), "the latest, exactly")
		_, ok = o.latePing()
		require.False(t, ok, "once")
		require.True(t, o.pongFits(payload(1)))
	}
}

// A pong that is added later than the ping kept for later stands for both.
func TestLatePingIsOvertaken(t *testing.T) {
	var o outbox
	for o.pongFits(make([]byte, 100)) {
		o.set(append(o.buf, make([]byte, 102)...))
	}
	o.lend(math.MaxInt)
	o.done(o.pending())
	require.True(t, o.pongFits([]byte("newer")))
	_, ok := o.latePing()
	assert.False(t, ok)
}

// Positions move down with what is taken back ahead of a pong.
func TestPongsAfterRemove(t *testing.T) {
	var o outbox
	o.set(append(o.buf, make([]byte, 5000)...))
	for o.pongFits(make([]byte, 100)) {
		o.set(append(o.buf, make([]byte, 102)...))
	}
	pongs := o.pending() - 5000
	o.set(append(o.buf, make([]byte, 50)...))
	require.True(t, o.remove(0, 5000))
	o.lend(math.MaxInt)
	o.done(pongs + maxHeader)
	_, ok := o.latePing()
	assert.True(t, ok)
}

// What is dropped has not been written, so that nobody takes it for sent.
func TestOutboxDrop(t *testing.T) {
	var o outbox
	o.set(append(o.buf, "sent and not"...))
	o.refer([]byte("neither"))
	o.hold([]byte("held"))
	o.lend(math.MaxInt)
	o.done(4)
	o.drop()
	assert.Zero(t, o.size())
	assert.Equal(t, int64(4), o.written())
	assert.Equal(t, int64(4), o.added)
}

func TestOutboxHeld(t *testing.T) {
	var o outbox
	o.release()
	assert.Zero(t, o.added)
	o.hold([]byte("later"))
	assert.Equal(t, int64(5), o.size())
	assert.Zero(t, o.pending())
	o.release()
	assert.Equal(t, int64(5), o.size())
	assert.Equal(t, 5, o.pending())
	o.release()
	assert.Equal(t, int64(5), o.added, "once")
}

// A long queue does not move for each frame that is added.
func TestLongQueueRarelyMoves(t *testing.T) {
	for _, lent := range []int{0, 1} {
		g := newOutgoing(0)
		moves, frame := 0, make([]byte, 1000)
		for was := 0; g.pending() < 4<<20; was = cap(g.buf) {
			g.lent = lent
			g.add(&outbound{}, OpBinary, true, frame)
			if cap(g.buf) != was {
				moves++
			}
		}
		assert.Less(t, moves, 40, "lent %d", lent)
	}
}

// A payload that is sent from where it is takes no room in the buffer.
func TestRoomBehindReferred(t *testing.T) {
	for _, lent := range []int{0, 1} {
		g, out := newOutgoing(0), &outbound{}
		g.addReferred(out, OpBinary, true, make([]byte, 64<<20))
		for range 64 {
			g.lent = lent
			g.add(out, OpPong, true, make([]byte, maxControlPayload))
		}
		assert.Less(t, cap(g.buf), 1<<20, "lent %d", lent)
	}
}
