// Sends of many connections in one system call.

package websocket

import "github.com/seed86893212/websocket/internal/poll"

// newJoint returns a joint for n sends at a time, nil if the system has none.
func newJoint(n int) joint {
	b, err := poll.NewBatch(n)
	if err != nil {
		return nil
	}
	return b
}
