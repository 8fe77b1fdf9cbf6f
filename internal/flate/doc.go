// Package flate is the DEFLATE (RFC 1951) of permessage-deflate (RFC 7692).
//
// It is made for short messages that come and go as bytes in memory: [AppendMessage] compresses one, an
// [Inflater] is fed the pieces of one. Nothing here reads, writes, waits or starts a goroutine.
//
// # What it costs
//
// What a connection keeps between messages is a [Window] for each direction that has context takeover, and
// nothing for one that has not. A window grows with what it has seen, up to 1<<bits bytes; that of the
// compressing direction has a hash table beside it, of as many bytes as the window but at most 8 KiB. So
// both directions together cost at most 72 KiB with 15 bits, 40 with 14, 24 with 13, 12 with 12, and so on.
//
// Whatever else the work takes is pooled and held only during a call (compressing) or a message (inflating).
// Compressing takes up to 430 KiB for a long message, of which a short one uses little, and from level 7 on 250 KiB more. An
// Inflater has 10 KiB, and without takeover up to 1<<bits more. In steady state nothing is allocated but what the
// caller's slices need to grow.
//
// Up to level 6 the time is proportional to the message, but for copying the history to where it is searched. How long that is
// beside other implementations is what make deflate prints.
package flate
