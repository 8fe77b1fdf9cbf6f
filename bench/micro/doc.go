// Package micro has benchmarks of parts, in memory: masking, frame headers,
// echoing messages over a net.Conn that costs nothing, upgrading requests with
// and without net/http; and of whole handshakes over TCP.
//
//	go test -bench . ./micro
package micro
