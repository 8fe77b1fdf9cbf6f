//go:build !linux

// No event loop of our own: a goroutine for each connection.

package websocket

// An engineLoop drives no connection here.
type engineLoop struct{}

func newEngineLoop(_, _ bool, _ func()) (*engineLoop, error) { return nil, nil }

func (*engineLoop) attach(*Conn, *Events) bool { return false }
func (*engineLoop) each(func(*Conn))           {}
func (*engineLoop) stop()                      {}
func (*engineLoop) wait()                      {}
