package wstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/seed86893212/websocket/internal/leak"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestPipe(t *testing.T) {
	a, b := PipeSize(10)
	go func() {
		a.Write(bytes.Repeat([]byte("0123456789"), 100)) // waits for room
		a.CloseWrite()
	}()
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	assert.Len(t, got, 1000)

	_, err = b.Write([]byte("x")) // the other direction is open
	require.NoError(t, err)
	assert.Equal(t, 1, a.Buffered())
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, ErrShut)

	require.NoError(t, b.Close())
	got, err = io.ReadAll(a)
	require.NoError(t, err)
	assert.Equal(t, "x", string(got))
	require.NoError(t, a.Close())
	_, err = a.Read(nil)
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, a.Close(), net.ErrClosed)
	require.ErrorIs(t, a.SetDeadline(time.Time{}), net.ErrClosed)
}

func TestPipeReset(t *testing.T) {
	a, b := Pipe()
	a.Write([]byte("lost"))
	a.Reset()
	_, err := b.Read(make([]byte, 4))
	require.ErrorIs(t, err, ErrReset)
	_, err = b.Write([]byte("x"))
	require.ErrorIs(t, err, ErrReset)
	_, err = a.Read(make([]byte, 4))
	require.ErrorIs(t, err, net.ErrClosed)
	b.Close()
}

// Calls under way end when the other side goes.
func TestPipeWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []func(a, b *Conn){
			func(a, _ *Conn) { a.Close() },
			func(_, b *Conn) { b.Close() },
			func(a, _ *Conn) { a.Reset() },
		} {
			a, b := PipeSize(1)
			read, wrote := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := a.Read(make([]byte, 1))
				read <- err
			}()
			go func() {
				_, err := a.Write(make([]byte, 2))
				wrote <- err
			}()
			synctest.Wait()
			end(a, b)
			require.Error(t, <-read)
			require.Error(t, <-wrote)
		}
	})
}

func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := PipeSize(4)
		began := time.Now()
		b.SetReadDeadline(began.Add(time.Second))
		_, err := b.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var ne net.Error
		require.ErrorAs(t, err, &ne)
		assert.True(t, ne.Timeout())
		assert.Equal(t, time.Second, time.Since(began))

		a.SetDeadline(time.Now().Add(time.Second))
		n, err := a.Write([]byte("012345"))
		assert.Equal(t, 4, n)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		a.SetDeadline(time.Time{}) // taken back

		b.SetReadDeadline(time.Time{})
		got := make([]byte, 6)
		go a.Write([]byte("45"))
		_, err = io.ReadFull(b, got)
		require.NoError(t, err)
		assert.Equal(t, "012345", string(got))

		// A read under way sees a new deadline.
		go func() {
			time.Sleep(time.Minute)
			b.SetReadDeadline(time.Unix(1, 0))
		}()
		_, err = b.Read(got)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		a.Close()
		b.Close()
	})
}

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			nc, brw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			brw.WriteString("hijacked")
			brw.Flush()
			nc.Close()
		}))
		nc, err := ln.Dial(context.Background(), "tcp", "anywhere:80")
		require.NoError(t, err)
		defer nc.Close()
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		got, err := io.ReadAll(nc)
		require.NoError(t, err)
		assert.Equal(t, "hijacked", string(got))
	})
}

func TestListener(t *testing.T) {
	ln := Listen(func(nc net.Conn) net.Conn { return Split(nc, OneByte, nil) })
	go func() {
		if nc, err := ln.Accept(); err == nil {
			io.Copy(nc, nc)
			nc.Close()
		}
	}()
	nc, err := ln.Dial(context.Background(), "", "")
	require.NoError(t, err)
	go func() {
		io.WriteString(nc, "hello")
		nc.(*Conn).CloseWrite()
	}()
	got, err := io.ReadAll(nc)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(got))
	nc.Close()

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = ln.Dial(ctx, "", "") // nobody accepts
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, ln.Close())
	require.NoError(t, ln.Close())
	_, err = ln.Dial(context.Background(), "", "")
	require.ErrorIs(t, err, ErrRefused)
	_, err = ln.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestFrame(t *testing.T) {
	for _, tc := range []struct {
		frame Frame
		wire  string
	}{
		// The examples of RFC 6455, section 5.7.
		{TextFrame("Hello"), "81 05 48 65 6c 6c 6f"},
		{TextFrame("Hello").Masked(), "81 85 37 fa 21 3d 7f 9f 4d 51 58"},
		{Frame{Part: true, Opcode: Text, Payload: []byte("Hel")}, "01 03 48 65 6c"},
		{Frame{Opcode: Continuation, Payload: []byte("lo")}, "80 02 6c 6f"},
		{PingFrame("Hello"), "89 05 48 65 6c 6c 6f"},
		{PongFrame("Hello").Masked(), "8a 85 37 fa 21 3d 7f 9f 4d 51 58"},
		{BinaryFrame(make([]byte, 256)), "82 7e 01 00" + strings.Repeat("00", 256)},
		{BinaryFrame(make([]byte, 65536)), "82 7f 00 00 00 00 00 01 00 00" + strings.Repeat("00", 65536)},
		// And others.
		{CloseFrame(1000, "ok"), "88 04 03 e8 6f 6b"},
		{CloseFrame(0, ""), "88 00"},
		{Frame{Opcode: 3, RSV: 5, Payload: []byte{}}, "d3 00"},
		{Frame{Opcode: Binary, Wide: 2, Payload: []byte("a")}, "82 7e 00 01 61"},
		{Frame{Opcode: Binary, Wide: 8, Payload: []byte("a")}, "82 7f 00 00 00 00 00 00 00 01 61"},
		{BinaryFrame(make([]byte, 125)), "82 7d" + strings.Repeat("00", 125)},
		{BinaryFrame(make([]byte, 126)), "82 7e 00 7e" + strings.Repeat("00", 126)},
		{BinaryFrame(make([]byte, 65535)), "82 7e ff ff" + strings.Repeat("00", 65535)},
	} {
		wire := Hex(tc.wire)
		require.True(t, bytes.Equal(wire, tc.frame.Append(nil)), "%v", tc.frame)
		got, err := ReadFrame(iotest.HalfReader(bytes.NewReader(wire)))
		require.NoError(t, err)
		want := tc.frame
		if want.Payload == nil {
			want.Payload = []byte{}
		}
		require.Equal(t, want, got)
		if len(wire) > 100 {
			continue
		}
		for n := range len(wire) {
			_, err := ReadFrame(bytes.NewReader(wire[:n]))
			if n == 0 {
				require.Equal(t, io.EOF, err)
			} else {
				require.Equal(t, io.ErrUnexpectedEOF, err, "%v cut at %d", tc.frame, n)
			}
		}
	}
	assert.Equal(t, "82 7f 80 00 00 00 00 00 00 00", fmt.Sprintf("% x", Wire(Frame{Opcode: Binary, Declare: 1 << 63})))
	_, err := ReadFrame(bytes.NewReader(Wire(Frame{Opcode: Binary, Declare: 1 << 63})))
	require.Error(t, err)
	assert.Equal(t, `text, not final, RSV 100, masked, "x"`, Frame{Part: true, RSV: 4, Opcode: Text, Payload: []byte("x")}.Masked().String())
	assert.Panics(t, func() { Hex("8") })
}

func TestSplit(t *testing.T) {
	const text = "0123456789"
	for _, tc := range []struct {
		name string
		cut  Cut
		want string
	}{
		{"none", nil, "0123456789"},
		{"one byte", OneByte, "0 1 2 3 4 5 6 7 8 9"},
		{"half", Half, "01234 567 8 9"},
		{"size", Size(4), "0123 4567 89"},
		{"at", At(7, 2, 7, 10), "01 23456 789"},
		{"out of range", func(_ int64, n int) int { return 3*n - 25 }, "01234 5 6 7 8 9"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &recorder{rest: text}
			nc := Split(r, tc.cut, tc.cut)
			n, err := nc.Write([]byte(text))
			require.NoError(t, err)
			assert.Equal(t, len(text), n)
			assert.Equal(t, tc.want, strings.Join(r.writes, " "))

			var reads []string
			for left := len(text); left > 0; {
				p := make([]byte, left)
				n, err := nc.Read(p)
				require.NoError(t, err)
				reads = append(reads, string(p[:n]))
				left -= n
			}
			assert.Equal(t, tc.want, strings.Join(reads, " "))
		})
	}
	a, b := Pipe()
	nc := Split(a, nil, nil).(interface{ CloseWrite() error })
	require.NoError(t, nc.CloseWrite())
	_, err := b.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	var points []string
	for front, rest := range Splits([]byte("abc")) {
		points = append(points, string(front)+"|"+string(rest))
	}
	assert.Equal(t, []string{"|abc", "a|bc", "ab|c", "abc|"}, points)
}

// recorder keeps what is written and gives what is read.
type recorder struct {
	net.Conn
	writes []string
	rest   string
}

func (r *recorder) Write(p []byte) (int, error) {
	r.writes = append(r.writes, string(p))
	return len(p), nil
}

func (r *recorder) Read(p []byte) (int, error) {
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Two scripts that fit each other.
func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		wait := Start(
			t, a,
			AcceptHandshake("X-Extra: 1"),
			ExpectFrame("want a masked greeting", TextFrame("hi").Masked()),
			SendFrames(PingFrame("p"), TextFrame("ho")),
			ExpectSilence("want nothing before the pong is due", time.Second),
			ExpectFrame("want the pong", PongFrame("p").MaskedWith([4]byte{1, 2, 3, 4})),
			ShutWrite(),
			Discard(),
		)
		require.NoError(t, Run(
			b,
			AskHandshake("X-Extra: 2"),
			SendChunks(time.Millisecond, []byte{0x81}, []byte{0x82, 0, 0, 0, 0, 'h'}, []byte("i")),
			Expect("want a ping", Hex("89 01 70")),
			Expect("want an answer", Hex("81 02 68 6f")),
			Sleep(2*time.Second),
			SendFrames(PongFrame("p").Masked()),
			ExpectEnd("want the end of the other direction"),
			Send([]byte("the rest")),
			Shut(),
		))
		wait()
	})
}

func TestScriptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			other, step Step
			want        string
		}{
			{Send(Hex("01 02")), Expect("want three bytes", Hex("01 03 05")), "want three bytes: "},
			{Send(Hex("01 02")), Expect("want one two three", Hex("01 02 03")), "want one two three: after 01 02, expected 01 02 03: "},
			{Send(Hex("01 02")), Expect("want five", Hex("05")), "want five: byte 0 is wrong: got 01, expected 05 (step 1 of 1)"},
			{SendFrames(TextFrame("a")), ExpectFrame("want a b", TextFrame("b")), `want a b: got text, "a"; expected text, "b" (step 1 of 1)`},
			{SendFrames(TextFrame("a")), ExpectFrame("want it masked", TextFrame("a").Masked()), `want it masked: got text, "a"; expected text, masked, "a"`},
			{SendFrames(Frame{Opcode: Text, Wide: 2}), ExpectFrame("want it short", TextFrame("")), `want it short: got text, length in 2 bytes, ""`},
			{Shut(), ExpectFrame("want a frame", TextFrame("b")), `want a frame: expected text, "b": EOF`},
			{SendFrames(TextFrame("a")), ExpectEnd("want the end"), "want the end: got 81 01 61; expected the end"},
			{SendFrames(TextFrame("a")), ExpectSilence("want silence", time.Second), "want silence: got 81 01 61; expected silence"},
			{Shut(), ExpectSilence("want silence", time.Second), "want silence: EOF"},
			{Sleep(2 * Patience), ExpectEnd("want the end"), "want the end: "},
			{Sleep(2 * Patience), Discard(), "drop what comes until the end: "},
			{Send([]byte("HTTP/1.1 200 OK\r\n\r\n")), AskHandshake(), "want the server's opening handshake: got 200 OK"},
			{ShutHard(), Send([]byte("x")), "send 1 bytes: "},
		} {
			a, b := Pipe()
			require.NoError(t, Run(a, tc.other), tc.want)
			synctest.Wait()
			err := Run(b, Sleep(0), tc.step)
			require.Error(t, err, tc.want)
			assert.Contains(t, strings.ReplaceAll(err.Error(), "step 2 of 2", "step 1 of 1"), tc.want)
			assert.True(t, strings.HasPrefix(err.Error(), tc.step.does), err)
			a.Close()
		}
	})
}
