package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/seed86893212/websocket"
)

// serve starts a server for an example and connects to it.
func serve(serve func(c *websocket.Conn, r *http.Request)) (c *websocket.Conn, end func()) {
	srv := httptest.NewServer(websocket.Handler(serve, nil))
	c, err := websocket.Dial(context.Background(), srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	return c, func() {
		_ = c.Close(websocket.StatusNormalClosure, "")
		srv.Close()
	}
}

// echoes is a server that sends back what it gets.
func echoes(c *websocket.Conn, r *http.Request) {
	for m, err := range c.Messages(r.Context()) {
		if err != nil {
			return
		}
		_ = c.Write(r.Context(), m.Type, m.Data)
	}
}

// says returns a server that sends some messages and says goodbye.
func says(messages ...string) func(c *websocket.Conn, r *http.Request) {
	return func(c *websocket.Conn, r *http.Request) {
		for _, m := range messages {
			_ = c.WriteText(r.Context(), m)
		}
	}
}

// A server and a client.
func Example() {
	handler := websocket.Handler(func(c *websocket.Conn, r *http.Request) {
		for m, err := range c.Messages(r.Context()) {
			if err != nil {
				log.Print(err)
				return
			}
			_ = c.Write(r.Context(), m.Type, bytes.ToUpper(m.Data))
		}
	}, nil)
	srv := httptest.NewServer(handler)
	defer srv.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	if err := c.WriteText(ctx, "hello"); err != nil {
		log.Fatal(err)
	}
	_, p, err := c.Read(ctx)
	fmt.Println(string(p), err)
	// Output: HELLO <nil>
}

// The request's context ends with the connection.
func ExampleHandler() {
	gone := make(chan error)
	handler := websocket.Handler(func(c *websocket.Conn, r *http.Request) {
		_ = c.WriteText(r.Context(), "hello "+r.URL.Query().Get("name"))
		_, _, err := c.Read(r.Context())
		gone <- err
	}, &websocket.UpgradeOptions{
		OriginPatterns: []string{"example.com", "*.example.com"},
		MaxMessageSize: 4 << 10,
	})
	srv := httptest.NewServer(handler)
	defer srv.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, srv.URL+"/?name=Ada", nil)
	if err != nil {
		log.Fatal(err)
	}
	_, p, _ := c.Read(ctx)
	fmt.Println(string(p))
	go c.Close(websocket.StatusNormalClosure, "bye")
	fmt.Println(<-gone)
	// Output:
	// hello Ada
	// websocket: closed by the peer: 1000 (normal closure): bye
}

// The server ends: it closes all connections, and waits for the functions that Handler
// runs. One of them may begin when http.Server.Shutdown has already returned.
func ExampleHandler_shutdown() {
	ending, end := context.WithCancel(context.Background())
	var mu sync.Mutex // nobody begins once ending has ended
	var running sync.WaitGroup
	begin := func() bool {
		mu.Lock()
		defer mu.Unlock()
		if ending.Err() != nil {
			return false
		}
		running.Add(1)
		return true
	}
	srv := &http.Server{Handler: websocket.Handler(func(c *websocket.Conn, _ *http.Request) {
		if !begin() {
			_ = c.Close(websocket.StatusGoingAway, "")
			return
		}
		defer running.Done()
		defer c.Close(websocket.StatusGoingAway, "") // which does nothing if the client has closed
		for m, err := range c.Messages(ending) {
			if err != nil {
				return
			}
			_ = c.Write(ending, m.Type, m.Data)
		}
	}, nil), ReadHeaderTimeout: 10 * time.Second}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	go srv.Serve(l)

	ctx := context.Background()
	c, err := websocket.Dial(ctx, "ws://"+l.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = c.WriteText(ctx, "hello")
	_, p, err := c.Read(ctx)
	fmt.Println(string(p), err)
	gone := c.CloseRead(ctx) // somebody has to answer the close frame

	fmt.Println(srv.Shutdown(ctx))
	mu.Lock()
	end()
	mu.Unlock()
	running.Wait()
	<-gone.Done()
	fmt.Println(c.Err())
	// Output:
	// hello <nil>
	// <nil>
	// websocket: closed by the peer: 1001 (going away)
}

// Headers that are set before go out with the answer.
func ExampleUpgrade() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Server", "example")
		c, err := websocket.Upgrade(w, r, nil)
		if err != nil {
			return // the client has its answer
		}
		defer c.Close(websocket.StatusNormalClosure, "")
		_ = c.WriteText(context.Background(), "hello")
	}))
	defer srv.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	_, p, _ := c.Read(ctx)
	fmt.Println(string(p), "from", c.Response().Header.Get("X-Server"))

	resp, err := http.Get(srv.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// hello from example
	// 426 Upgrade Required
}

func ExampleDial() {
	srv := httptest.NewServer(websocket.Handler(says("ok"), &websocket.UpgradeOptions{
		Subprotocols: []string{"chat.v2", "chat.v1"},
	}))
	defer srv.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel() // bounds the handshake only
	c, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{
		Header:         http.Header{"Authorization": {"Bearer secret"}},
		Subprotocols:   []string{"chat.v1", "chat.v2"},
		MaxMessageSize: 64 << 10,
		Heartbeat:      time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	fmt.Println(c.Subprotocol(), c.State())
	// Output: chat.v2 open
}

func ExampleHandshakeError() {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	_, err := websocket.Dial(context.Background(), srv.URL, nil)
	var he *websocket.HandshakeError
	if errors.As(err, &he) {
		fmt.Println(he.StatusCode, strings.TrimSpace(string(he.Body)))
	}
	// Output: 404 404 page not found
}

// A read that ran out of time can be repeated.
func ExampleConn_Read() {
	c, end := serve(echoes)
	defer end()

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, _, err := c.Read(ctx)
	fmt.Println(err)

	_ = c.WriteText(context.Background(), "still here")
	t, p, err := c.Read(context.Background())
	fmt.Println(t, string(p), err)
	// Output:
	// context deadline exceeded
	// text still here <nil>
}

func ExampleConn_ReadInto() {
	c, end := serve(says("one", "two", "three"))
	defer end()

	buf := make([]byte, 0, 512)
	for {
		_, p, err := c.ReadInto(context.Background(), buf)
		if err != nil {
			fmt.Println(websocket.CloseStatus(err))
			break
		}
		fmt.Println(string(p))
		buf = p // it may have grown
	}
	// Output:
	// one
	// two
	// three
	// normal closure
}

// The loop ends when the peer closes in order.
func ExampleConn_Messages() {
	c, end := serve(says("one", "two", "three"))
	defer end()

	var keep []websocket.Message
	for m, err := range c.Messages(context.Background()) {
		if err != nil {
			fmt.Println(err)
			break
		}
		keep = append(keep, m.Clone()) // m.Data is valid in here only
	}
	fmt.Printf("%d messages, the last one is %q\n", len(keep), keep[2].Data)
	// Output: 3 messages, the last one is "three"
}

func ExampleConn_Reader() {
	c, end := serve(says(strings.Repeat("word ", 10_000)))
	defer end()

	t, r, err := c.Reader(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	fmt.Println(t, n, err)
	// Output: text 50000 <nil>
}

func ExampleConn_Writer() {
	c, end := serve(echoes)
	defer end()

	ctx := context.Background()
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	_, p, _ := c.Read(ctx)
	fmt.Printf("%q\n", p)
	// Output: "line 0\nline 1\nline 2\n"
}

// Send never waits. What to do when the queue is full is up to the application.
func ExampleConn_Send() {
	c, end := serve(echoes)
	defer end()

	err := c.Send(websocket.MessageText, []byte("small"))
	fmt.Println(err)
	err = c.Send(websocket.MessageBinary, make([]byte, 2*websocket.DefaultSendLimit))
	fmt.Println(errors.Is(err, websocket.ErrSendLimit))
	// Output:
	// <nil>
	// true
}

// A broadcast: the message is built once.
func ExamplePreparedMessage() {
	joined := make(chan *websocket.Conn)
	srv := httptest.NewServer(websocket.Handler(func(c *websocket.Conn, r *http.Request) {
		joined <- c
		<-c.CloseRead(r.Context()).Done()
	}, nil))
	defer srv.Close()

	ctx := context.Background()
	var clients, members []*websocket.Conn
	for range 3 {
		c, err := websocket.Dial(ctx, srv.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close(websocket.StatusNormalClosure, "")
		clients, members = append(clients, c), append(members, <-joined)
	}

	m, err := websocket.NewPreparedMessage(websocket.MessageText, []byte("news"))
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range members {
		if err := c.SendPrepared(m); errors.Is(err, websocket.ErrSendLimit) {
			_ = c.CloseNow() // too slow
		}
	}
	for i, c := range clients {
		_, p, _ := c.Read(ctx)
		fmt.Println(i, string(p))
	}
	// Output:
	// 0 news
	// 1 news
	// 2 news
}

// A ping needs somebody who reads its pong.
func ExampleConn_Ping() {
	c, end := serve(echoes)
	defer end()

	ctx := c.CloseRead(context.Background())
	roundTrip, err := c.Ping(ctx)
	fmt.Println(roundTrip > 0, err)
	// Output: true <nil>
}

func ExampleConn_Close() {
	c, end := serve(func(c *websocket.Conn, _ *http.Request) {
		_ = c.Close(4001, "session expired") // 4000 to 4999 are the application's
	})
	defer end()

	_, _, err := c.Read(context.Background())
	var ce *websocket.CloseError
	if errors.As(err, &ce) {
		fmt.Println(uint16(ce.Code), ce.Reason, ce.Remote)
	}
	_, _, err = c.Read(context.Background())
	fmt.Println(errors.Is(err, net.ErrClosed), uint16(websocket.CloseStatus(err)))
	// Output:
	// 4001 session expired true
	// true 4001
}

func ExampleCloseStatus() {
	c, end := serve(func(c *websocket.Conn, _ *http.Request) {
		_ = c.Close(websocket.StatusTryAgainLater, "")
	})
	defer end()

	_, _, err := c.Read(context.Background())
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway:
		fmt.Println("done")
	case websocket.StatusTryAgainLater, websocket.StatusServiceRestart:
		fmt.Println("connect again")
	default:
		fmt.Println(err)
	}
	// Output: connect again
}

// A server that only sends.
func ExampleConn_CloseRead() {
	c, end := serve(func(c *websocket.Conn, r *http.Request) {
		ctx := c.CloseRead(r.Context()) // ends when the client goes
		for i := 0; ctx.Err() == nil; i++ {
			if err := c.WriteText(ctx, fmt.Sprint("tick ", i)); err != nil {
				return
			}
		}
	})
	defer end()

	for range 2 {
		_, p, _ := c.Read(context.Background())
		fmt.Println(string(p))
	}
	// Output:
	// tick 0
	// tick 1
}

func ExampleEvents_Serve() {
	c, end := serve(echoes)
	defer end()

	ctx := context.Background()
	ev := &websocket.Events{
		Open: func(c *websocket.Conn) { _ = c.WriteText(ctx, "hello") },
		Message: func(c *websocket.Conn, _ websocket.MessageType, p []byte) {
			fmt.Printf("message %q\n", p)
			_ = c.Close(websocket.StatusNormalClosure, "")
		},
		Close: func(_ *websocket.Conn, err error) { fmt.Println("closed", websocket.CloseStatus(err)) },
	}
	fmt.Println(ev.Serve(ctx, c))
	// Output:
	// message "hello"
	// closed normal closure
	// <nil>
}

// A few goroutines serve any number of connections, which need none of their own.
func ExampleEngine() {
	engine, err := websocket.NewEngine(nil)
	if err != nil {
		panic(err)
	}
	ev := &websocket.Events{
		Message: func(c *websocket.Conn, t websocket.MessageType, p []byte) {
			if errors.Is(c.Send(t, p), websocket.ErrSendLimit) { // the peer does not read
				_ = c.Close(websocket.StatusPolicyViolation, "too slow")
			}
		},
	}
	c, end := serve(func(c *websocket.Conn, _ *http.Request) {
		if err := engine.Attach(c, ev); err != nil {
			_ = c.Close(websocket.StatusGoingAway, "")
		}
	})
	defer end()

	ctx := context.Background()
	_ = c.WriteText(ctx, "hello")
	_, p, err := c.Read(ctx)
	fmt.Println(string(p), err, engine.Len())
	ended := c.CloseRead(ctx) // somebody has to answer the close frame
	fmt.Println(engine.Shutdown(ctx), engine.Len())
	<-ended.Done()
	fmt.Println(websocket.CloseStatus(c.Err()))
	// Output:
	// hello <nil> 1
	// <nil> 0
	// going away
}

func ExampleNetConn() {
	c, end := serve(func(c *websocket.Conn, r *http.Request) {
		nc := websocket.NetConn(r.Context(), c, websocket.MessageBinary)
		defer nc.Close()
		_, _ = io.Copy(nc, nc)
	})
	defer end()

	nc := websocket.NetConn(context.Background(), c, websocket.MessageBinary)
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(nc, "a stream ")
	fmt.Fprint(nc, "of bytes")
	p := make([]byte, len("a stream of bytes"))
	_, err := io.ReadFull(nc, p)
	fmt.Println(string(p), err)
	// Output: a stream of bytes <nil>
}

// Both sides over a pipe, without any handshake.
func ExampleNewConn() {
	a, b := net.Pipe()
	client, err := websocket.NewConn(a, &websocket.ConnConfig{Role: websocket.RoleClient})
	if err != nil {
		log.Fatal(err)
	}
	server, err := websocket.NewConn(b, &websocket.ConnConfig{Role: websocket.RoleServer})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	go func() {
		_ = client.WriteText(ctx, "hello")
		_ = client.Close(websocket.StatusNormalClosure, "")
	}()
	for m, err := range server.Messages(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(m.Data))
	}
	fmt.Println(server.Err())
	// Output:
	// hello
	// websocket: closed by the peer: 1000 (normal closure)
}

// A limit that is small until the client has said who it is.
func ExampleConn_SetMaxMessageSize() {
	srv := httptest.NewServer(websocket.Handler(func(c *websocket.Conn, r *http.Request) {
		_, password, err := c.Read(r.Context())
		if err != nil || string(password) != "secret" {
			_ = c.Close(websocket.StatusPolicyViolation, "who are you?")
			return
		}
		c.SetMaxMessageSize(1 << 20)
		_, p, err := c.Read(r.Context())
		_ = c.WriteText(r.Context(), fmt.Sprint(len(p), " ", err))
	}, &websocket.UpgradeOptions{MaxMessageSize: 100}))
	defer srv.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	_ = c.WriteText(ctx, "secret")
	_ = c.Write(ctx, websocket.MessageBinary, make([]byte, 100_000))
	_, p, _ := c.Read(ctx)
	fmt.Println(string(p))
	// Output: 100000 <nil>
}

// A proxy that looks into frames: it unmasks what a client sent.
func ExampleParseFrameHeader() {
	b := []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}
	h, n, err := websocket.ParseFrameHeader(b)
	switch {
	case err != nil:
		log.Fatal(err) // fail the connection with websocket.CloseStatus(err)
	case n == 0:
		log.Fatal("read more bytes first")
	}
	payload := b[n : n+int(h.PayloadLength)]
	websocket.Mask(payload, h.MaskingKey, 0)
	fmt.Printf("%t %d %s\n", h.Final, h.Opcode, payload)

	h.Masked = false
	fmt.Printf("% x\n", append(h.Append(nil), payload...))
	// Output:
	// true 1 Hello
	// 81 05 48 65 6c 6c 6f
}

// A payload may be masked piece by piece.
func ExampleMask() {
	p, key := []byte("Hello"), [4]byte{0x37, 0xfa, 0x21, 0x3d}
	pos := websocket.Mask(p[:2], key, 0)
	websocket.Mask(p[2:], key, pos)
	fmt.Printf("% x\n", p)
	// Output: 7f 9f 4d 51 58
}

// A listener without net/http. Accept sees each opening handshake.
func ExampleEngine_Serve() {
	engine, err := websocket.NewEngine(nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	ev := &websocket.Events{
		Message: func(c *websocket.Conn, t websocket.MessageType, p []byte) {
			_ = c.WriteText(context.Background(), fmt.Sprintf("%s says %s", c.UserData(), p))
		},
	}
	opts := &websocket.ListenOptions{
		Accept: func(h *websocket.Handshake) error {
			name := h.Request.URL.Query().Get("name")
			if name == "" {
				return &websocket.HandshakeError{StatusCode: http.StatusUnauthorized, Reason: "who are you?"}
			}
			h.UserData = name
			return nil
		},
	}
	served := make(chan error)
	go func() { served <- engine.Serve(l, opts, ev) }()

	ctx := context.Background()
	url := "ws://" + l.Addr().String()
	_, err = websocket.Dial(ctx, url, nil)
	fmt.Println(err)
	c, err := websocket.Dial(ctx, url+"/?name=Ada", nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = c.WriteText(ctx, "hello")
	_, p, err := c.Read(ctx)
	fmt.Println(string(p), err)
	_ = c.Close(websocket.StatusNormalClosure, "")
	fmt.Println(engine.Shutdown(ctx))
	fmt.Println(<-served)
	// Output:
	// websocket: handshake: 401 Unauthorized: the server does not open a WebSocket here: "who are you?"
	// Ada says hello <nil>
	// <nil>
	// websocket: engine closed
}

// Both sides have to want compression.
func ExampleCompression() {
	short := &websocket.Compression{SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 12, ReceiveWindowBits: 12}
	srv := httptest.NewServer(websocket.Handler(echoes, &websocket.UpgradeOptions{Compression: short}))
	defer srv.Close()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{Compression: short})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	fmt.Println(c.Extensions())
	_ = c.WriteText(ctx, strings.Repeat("again ", 100))
	_, p, err := c.Read(ctx)
	fmt.Println(len(p), err)
	// A message with a secret in it is better not compressed.
	_ = c.Write(ctx, websocket.MessageText.Uncompressed(), []byte("secret"))
	_, p, err = c.Read(ctx)
	fmt.Println(string(p), err)
	// Output:
	// permessage-deflate; server_max_window_bits=12; client_max_window_bits=12
	// 600 <nil>
	// secret <nil>
}

// The server ends: http.Server.Shutdown does not close WebSockets, a context of
// the program's own does.
func ExampleEvents_Serve_shutdown() {
	ending, end := context.WithCancel(context.Background())
	ended := make(chan error)
	srv := &http.Server{Handler: websocket.Handler(func(c *websocket.Conn, _ *http.Request) {
		ended <- new(websocket.Events).Serve(ending, c)
	}, nil), ReadHeaderTimeout: 10 * time.Second}
	srv.RegisterOnShutdown(end)
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	go srv.Serve(l)

	ctx := context.Background()
	c, err := websocket.Dial(ctx, "ws://"+l.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	gone := c.CloseRead(ctx) // somebody has to answer the close frame
	fmt.Println(srv.Shutdown(ctx))
	fmt.Println(<-ended)
	<-gone.Done()
	fmt.Println(c.Err())
	// Output:
	// <nil>
	// context canceled
	// websocket: closed by the peer: 1001 (going away)
}
