// Package wstest has what tests of WebSocket code need: connections and a
// listener in memory (Pipe, Listen), a peer that plays a script (Run, Start),
// connections that are cut into chunks (Split), and frames that are built and
// taken apart without the library under test (Frame). Only tests use it. It
// does not import the library, so the library's own tests may use it, and
// nothing in it does real I/O, so all of it works inside a testing/synctest
// bubble.
package wstest
