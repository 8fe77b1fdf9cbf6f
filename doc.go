// Package websocket speaks the WebSocket protocol (RFC 6455), as server and as
// client.
//
// There is one type of connection, [Conn], whichever way it was opened and
// whichever way it is read. A server that sends every message back:
//
//	http.Handle("/echo", websocket.Handler(func(c *websocket.Conn, r *http.Request) {
//		for m, err := range c.Messages(r.Context()) {
//			if err != nil {
//				log.Print(err)
//				return
//			}
//			_ = c.Write(r.Context(), m.Type, m.Data)
//		}
//	}, nil))
//	log.Fatal(http.ListenAndServe("localhost:8080", nil))
//
// And a client of it:
//
//	c, err := websocket.Dial(ctx, "ws://localhost:8080/echo", nil)
//	if err != nil {
//		return err
//	}
//	defer c.Close(websocket.StatusNormalClosure, "")
//	if err := c.WriteText(ctx, "hello"); err != nil {
//		return err
//	}
//	_, p, err := c.Read(ctx)
//
// # Opening
//
// [Handler] is the way to serve: it runs a function for each connection, closes
// the connection when the function returns, and lets go of the memory that
// net/http keeps for a request. [Upgrade] is for handlers that want to do all of
// that themselves. [Dial] opens a connection to a ws, wss, http or https URL.
// [NewConn] makes a Conn of any net.Conn whose opening handshake has been done
// elsewhere.
//
// nil options are good defaults. Where an option does not say otherwise, 0 means the
// default that is documented beside it, and a negative value means off or without bound.
//
// # Reading
//
// A connection must be read, even if no messages are expected: whoever reads
// also answers pings, sees the close frame and keeps the heartbeat. Text has
// been checked to be UTF-8 when it is handed out. There are five ways to read:
//
//   - [Conn.Read] returns a message that is yours. The simplest, at the price of
//     an allocation for each message.
//   - [Conn.ReadInto] reads into memory that you use again and again.
//   - [Conn.Messages] is a loop that lends each message to its body, without
//     copying it. The fastest, and it ends by itself when the peer is done.
//   - [Conn.Reader] reads one message as it arrives, for messages that should
//     not stand in memory whole.
//   - [Events] turns it round: [Events.Serve] calls your functions, as a browser
//     calls onmessage and onclose.
//
// [Conn.CloseRead] reads for you where only this side sends.
//
// # Many connections
//
// An [Engine] calls the same [Events] for any number of connections on a few
// goroutines: Engine.Attach hands a connection over, and the function that Handler
// runs may return. On Linux a TCP connection that waits then needs neither a
// goroutine nor a buffer; others are served by a goroutine each. Nothing waits
// there: what is written queues up to SendLimit, and Close returns at once.
// Callbacks must not wait either, unless EngineOptions.Blocking gives them
// goroutines while they run. Engine.Shutdown closes all that is attached.
//
// # Writing
//
// [Conn.Write] and [Conn.WriteText] send a message and wait until the transport
// has taken it, so a slow peer slows the writer down. [Conn.Send] never waits:
// it queues the message, up to SendLimit bytes, and returns [ErrSendLimit] when
// the queue is full, which is what a broadcast to many peers wants;
// [Conn.BufferedAmount] and Events.Drain tell how the queue is doing.
// [Conn.Writer] sends one message in fragments, as it comes into being. A
// [PreparedMessage] is built and checked once and sent to any number of
// connections.
//
// An error of nil means that the message is accepted, not that the peer has it:
// an error of the network may come back from a later call, and only an answer
// of the peer is a proof. p is never modified and may be reused on return.
//
// Replies that are written while more received messages are at hand leave
// together: when the reader would wait, at 16 KiB, or after a millisecond. That
// makes pipelined messages much cheaper. What has come to several connections at
// the same time is treated likewise, by an [Engine], and on Linux also where each
// has a goroutine that reads, answers and reads again. Nothing else is held back.
// [Conn.Flush] waits until all that was accepted has been handed to the
// transport; the option NoCoalescing turns this off.
//
// # Contexts
//
// A context bounds the call that it is given to and nothing else. A read that
// ends with its context has lost nothing, not even half a message, and the next
// read goes on there. A write that ends with its context has either sent
// nothing, or its rest still goes out, in order, before anything else. In both
// cases the connection stays usable. A loop that passes the same context each
// time pays for it once.
//
// The contexts of Reader and Writer hold for all calls of what they return,
// until its SetContext. The request that Handler passes on has a context that
// ends with the connection, as soon as that does, and costs no goroutine. A nil
// context is a mistake and gives an error.
//
// A read that finds the end of the connection sees it through, whatever its context
// says: it waits for the peer to take what is to be sent, and after a failure a second
// for the peer to go. A client that has got a close frame waits for the server to end
// the TCP connection, but no longer than its context allows. CloseTimeout bounds all
// of that.
//
// # Concurrency
//
// One goroutine at a time may read a connection: Read, ReadInto, Reader and
// what it returns, Messages, SetMaxMessageSize. A second one gets
// [ErrConcurrentRead], as does the body of a Messages loop that reads. Events.Serve,
// Engine.Attach, CloseRead and [NetConn] take the reading side for good: other reads get
// [ErrTaken].
//
// Everything else may be called from any goroutine at any time, and together:
// writing, pinging, closing, the facts. Messages of concurrent writers are never
// mixed, and control frames pass between the fragments of an open Writer, which
// holds up other data messages until it is closed. A MessageReader and a
// MessageWriter are for one goroutine at a time each.
//
// Waiting for the peer from where the peer's bytes are dealt with cannot work:
// don't call Ping in a callback or in the body of a Messages loop. Close may be
// called there: it begins the closing handshake and returns.
//
// Options, Events, Trace and PreparedMessage may be shared by any number of
// connections and must not be changed once they are in use.
//
// # Closing
//
// A connection that is not needed any more must be closed. [Conn.Close] sends
// what is still queued and a close frame, waits for the peer's answer at most
// CloseTimeout, and leaves nothing behind. Where callbacks or a NetConn have the
// reading side, Close begins all that and returns. [Conn.CloseNow] ends the
// connection at once. [Conn.Done] is closed when it is over, and [Conn.Err] tells
// why.
//
// http.Server.Shutdown neither closes connections that have become WebSockets nor
// waits for them, and the server's BaseContext does not end the contexts of the
// requests that Handler passes on. A server that is to end in order gives Messages
// or Events.Serve a context of its own and cancels it; Serve then closes the
// connection, and after Messages the program does, with [StatusGoingAway]. Then it
// waits for the functions that Handler runs. One of them may begin after
// http.Server.Shutdown has returned, when it is too late to add it to a
// sync.WaitGroup: so it first asks, under a mutex, whether the server is ending, as in
// the example for Handler. [Engine.Shutdown] does all this for what is attached.
//
// # Errors
//
// The call that finds the end of the connection returns its cause, and so does
// Err. What to match:
//
//	what happened                         errors.Is, or else
//	the peer closed                       errors.As *CloseError, whose Remote is true; CloseStatus
//	the peer broke the protocol           errors.As *CloseError
//	a message was too long                ErrMessageTooBig; also a *CloseError with 1009
//	text was not UTF-8                    ErrInvalidText; when received also a *CloseError with 1007
//	the peer fell silent                  ErrHeartbeat, os.ErrDeadlineExceeded
//	the peer went without a close frame   io.ErrUnexpectedEOF, or the network's error
//	used after the end, or while closing  net.ErrClosed, with the cause in the same tree
//	this side closed during the call      net.ErrClosed
//	the context ended                     context.Canceled, context.DeadlineExceeded
//	the send queue is full                ErrSendLimit
//	somebody else reads                   ErrConcurrentRead, ErrTaken
//	the opening handshake failed          errors.As *HandshakeError
//
// After the context, ErrSendLimit, ErrConcurrentRead, and ErrInvalidText from a
// write, the connection is as usable as before. [CloseStatus] gives the status
// code of any error, 0 if there is none.
//
// # Compression
//
// The option [Compression] turns on permessage-deflate (RFC 7692), on both sides;
// [Conn.Extensions] tells what was agreed on. It is off by default: compressing takes
// more time than sending, and pays where bandwidth is dear. By default each message
// is compressed on its own, which costs no memory between messages. With takeover a
// message may refer to those before it, which makes short ones several times smaller,
// for a window in each direction: Compression has the table.
//
// Everything else works as without: every way of reading and writing, MaxMessageSize,
// which counts what has been inflated, prepared messages, which are compressed once
// for all connections that agreed on the same. Short messages are not compressed, nor,
// without takeover, those that would not get smaller.
// [MessageType.Compressed] and [MessageType.Uncompressed] decide for one message: a
// message that holds a secret beside something that somebody else chose should not be
// compressed, nor need one that is an image.
//
// # Limits and heartbeats
//
// MaxMessageSize, 1 MiB by default, bounds a received message for every way of
// reading. Memory grows with what has arrived, never with what a header
// announces; a peer that has sent a large message gets room for the next at once, 1 MiB
// at most. [Conn.SetMaxMessageSize] changes it, after a login for example.
//
// When nothing has come for the interval Heartbeat, a ping is sent; if then a
// read waits for HeartbeatTimeout in vain, the connection ends with
// [ErrHeartbeat]. Any traffic is a sign of life, and an application that is busy
// between two reads is not mistaken for a dead peer. While nobody reads because the
// only goroutine waits in a write, a peer that takes nothing for so long is found
// in the same way; one that takes something, however slowly, is not dead. Heartbeats
// work once somebody has begun to read. [Conn.Ping] measures a round trip.
//
// # Origins and security
//
// A browser lets every web page open connections to any server, and sends the
// cookies of that server along. A server therefore refuses requests whose
// Origin is not its own host, unless OriginPatterns or CheckOrigin allow it.
// Programs other than browsers send what they like as Origin: the check
// protects users, and does not replace authentication.
//
// Behind a reverse proxy, the Host header must reach this server as the browser
// sent it, or the public origin must be in OriginPatterns.
//
// # TLS and proxies
//
// A server gets TLS from its http.Server. Dial uses TLS for wss and https, with
// TLSConfig if that is set, and goes through the proxy that the environment
// names (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) or that the option Proxy returns:
// HTTP, HTTPS or SOCKS5. NetDial and NetDialTLS replace dialing altogether, to
// reach a unix socket for example.
//
// # Testing
//
// What Handler returns works with httptest.NewServer, whose URL Dial takes as it is.
// What serves or uses a Conn needs no server: NewConn makes both ends of net.Pipe a
// connection, one with [RoleServer] and one with [RoleClient], as in its example. In a
// bubble of testing/synctest heartbeats, time-outs and closing then take no time.
//
// # Adapters and frames
//
// [NetConn] makes a net.Conn of a Conn, to carry another protocol. Package
// wsjson reads and writes JSON. For programs that work on frames themselves
// there are [FrameHeader], [ParseFrameHeader], [Mask], [AppendClosePayload] and
// [ParseClosePayload].
package websocket
