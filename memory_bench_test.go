package websocket

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// memoryTransport hands out the same received bytes again and again and takes
// whatever is sent: what is left is the cost of our own code.
type memoryTransport struct {
	frames []byte
	left   int // how often
	empty  bool
}

func (t *memoryTransport) read(*input, []byte) (int, error) { return 0, io.EOF }

func (t *memoryTransport) stands() bool { return true }

func (t *memoryTransport) stand(s stepper) error {
	for {
		t.empty = false
		if s.step() {
			return nil
		}
	}
}

func (t *memoryTransport) recv(in *input, _ []byte) (int, error) {
	switch {
	case t.empty:
		return 0, nil
	case t.left == 0:
		return 0, io.EOF
	}
	t.left--
	t.empty = true
	in.fill(chunkSize)
	in.w = copy(in.buf, t.frames)
	return in.w, nil
}

func (t *memoryTransport) probes() bool { return false }

func (t *memoryTransport) flush(s stepper) error {
	for !s.step() {
	}
	return nil
}

func (t *memoryTransport) try(s *sending) (int, error)         { return len(s.p) + len(s.q), nil }
func (t *memoryTransport) send(p, q []byte) (int, error)       { return len(p) + len(q), nil }
func (t *memoryTransport) sendWaits() bool                     { return false }
func (t *memoryTransport) wakeRead(bool)                       {}
func (t *memoryTransport) wakeReadAt(time.Time)                {}
func (t *memoryTransport) wakeWrite(bool)                      {}
func (t *memoryTransport) closeWrite()                         {}
func (t *memoryTransport) hangUp()                             {}
func (t *memoryTransport) close() error                        { return nil }
func (t *memoryTransport) abort() error                        { return nil }
func (t *memoryTransport) needRoom() bool                      { return false }
func (t *memoryTransport) queue(joint, *sending) bool          { return false }
func (t *memoryTransport) queued(joint, *sending) (int, error) { return 0, errors.ErrUnsupported }
func (t *memoryTransport) localAddr() net.Addr                 { return nil }
func (t *memoryTransport) remoteAddr() net.Addr                { return nil }
func (t *memoryTransport) rawConn() (syscall.RawConn, error) {
	return nil, errors.ErrUnsupported
}

// BenchmarkEchoInMemory is what one echo of 128 bytes costs in user space, with
// one message or sixteen in each receipt.
func BenchmarkEchoInMemory(b *testing.B) {
	client := sender{masks: true}
	for _, depth := range []int{1, 16} {
		for _, typ := range []MessageType{MessageBinary, MessageText} {
			for _, mode := range []string{"messages", "serve"} {
				b.Run(mode+"/"+typ.String()+"/"+map[int]string{1: "1", 16: "16"}[depth], func(b *testing.B) {
					var frames []byte
					for range depth {
						frames = client.appendFrame(frames, Opcode(typ), true, make([]byte, 128), newMaskingKey)
					}
					c := &Conn{agreed: &nothingAgreed}
					t := &memoryTransport{frames: frames, left: b.N/depth + 1}
					c.l.init(t, RoleServer, (&ConnConfig{Heartbeat: -1}).settings(), deflation{}, nil)
					b.ReportAllocs()
					b.ResetTimer()
					echo(c, mode)
				})
			}
		}
	}
}
