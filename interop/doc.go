// Package interop tests the library against real peers: the ws package of
// Node.js, the websockets package of Python, Chromium, nginx, Squid and a
// SOCKS5 proxy. It has tests only, for Linux, and nothing in them is mocked.
//
// install.sh installs the peers on Debian. A test whose peers are missing is
// skipped, but fails if WEBSOCKET_INTEROP=required, which is what make interop
// sets. WEBSOCKET_INTEROP=off and -short skip all of them.
package interop
