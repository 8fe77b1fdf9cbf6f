// Sends of many connections in one system call.

package websocket

import "github.com/seed86893212/websocket/internal/poll"

// newBatch returns a batch of n sends, nil if the system makes none.
func newBatch(n int) batch {
	b, err := poll.NewBatch(n)
	if err != nil {
		return nil
	}
	return b
}
