// The room: who is there, what they are called, and what was said. It knows
// nothing of HTTP, and of a WebSocket only what peer says.

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed86893212/websocket"
)

// A peer is what the room needs of a *websocket.Conn. Neither method waits for
// anybody: SendPrepared queues, and Close does not wait on a connection that is
// driven by Events.
type peer interface {
	SendPrepared(m *websocket.PreparedMessage) error
	Close(code websocket.StatusCode, reason string) error
}

var errRoomFull = errors.New("the room is full")

// A room has everybody hear everything in the same order.
type room struct {
	limits limits

	mu      sync.Mutex
	members map[int64]*member
	lastID  int64
	date    int64 // of the latest message
	history []said
	kept    int // bytes of images in history
}

// A member is somebody in the room. The name is empty until they have joined.
type member struct {
	id   int64
	peer peer
	name string
}

// said is one message of the history.
type said struct {
	msg   *websocket.PreparedMessage
	image *websocket.PreparedMessage // what msg announces, if it does
	size  int                        // of the image
}

func newRoom(l limits) *room { return &room{limits: l, members: make(map[int64]*member)} }

// enter lets somebody in, who has no name yet and only hears who is there.
func (r *room) enter(p peer) (*member, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) >= r.limits.members {
		return nil, errRoomFull
	}
	r.lastID++
	m := &member{id: r.lastID, peer: p}
	r.members[m.id] = m
	r.send(m, message{Type: "id", ID: m.id, Date: r.now(), Users: r.names()}.prepare())
	return m, nil
}

// join gives m a name, tells them what was said and everybody that they came.
func (r *room) join(m *member, wanted string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m.id] == nil || m.name != "" {
		return
	}
	wanted = cleanName(wanted)
	name := r.free(wanted)
	if name != wanted {
		r.send(m, message{Type: "rejectusername", ID: m.id, Name: name, Text: wanted + " is taken", Date: r.now()}.prepare())
	}
	for _, s := range r.history {
		r.sendSaid(m, s)
	}
	if r.members[m.id] == nil {
		return // dropped, with so much to hear
	}
	m.name = name
	r.send(m, message{Type: "username", ID: m.id, Name: name, Date: r.now()}.prepare())
	r.announce("joined", m)
}

// leave takes m out of the room. It may be called more than once.
func (r *room) leave(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(m)
}

// say has everybody hear a text.
func (r *room) say(m *member, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	msg := message{Type: "message", ID: m.id, Name: m.name, Text: text, Date: r.now()}
	r.tell(said{msg: msg.prepare()})
}

// show has everybody see an image.
func (r *room) show(m *member, mime, text string, data []byte) {
	image := prepared(websocket.MessageBinary, data)
	r.mu.Lock()
	defer r.mu.Unlock()
	msg := message{Type: "image", ID: m.id, Name: m.name, Text: text, Date: r.now(), Mime: mime, Size: len(data)}
	r.tell(said{msg: msg.prepare(), image: image, size: len(data)})
}

// reply says something to m alone.
func (r *room) reply(m *member, msg message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	msg.Date = r.now()
	r.send(m, msg.prepare())
}

// The methods below want mu to be held.

// tell sends s to all who have joined, and remembers it.
func (r *room) tell(s said) {
	for _, m := range r.members {
		if m.name != "" {
			r.sendSaid(m, s)
		}
	}
	r.history = append(r.history, s)
	r.kept += s.size
	for r.kept > r.limits.historyBytes {
		r.forget(slices.IndexFunc(r.history, func(s said) bool { return s.image != nil }))
	}
	if len(r.history) > r.limits.history {
		r.forget(0)
	}
}

// forget takes one message out of the history.
func (r *room) forget(i int) {
	r.kept -= r.history[i].size
	r.history = slices.Delete(r.history, i, i+1)
}

func (r *room) sendSaid(m *member, s said) {
	r.send(m, s.msg)
	if s.image != nil {
		r.send(m, s.image)
	}
}

// send queues a message. Whoever does not read fast enough is dropped, and the
// others do not notice.
func (r *room) send(m *member, p *websocket.PreparedMessage) {
	err := m.peer.SendPrepared(p)
	if err == nil || r.members[m.id] == nil {
		return
	}
	if errors.Is(err, websocket.ErrSendLimit) {
		_ = m.peer.Close(websocket.StatusTryAgainLater, "too slow: too many messages are waiting")
	}
	r.remove(m) // any other error means that the connection has ended
}

func (r *room) remove(m *member) {
	if r.members[m.id] == nil {
		return
	}
	delete(r.members, m.id)
	if m.name != "" {
		r.announce("left", m)
	}
}

// announce tells everybody that m came or went, and who is there now.
func (r *room) announce(what string, m *member) {
	event := message{Type: what, ID: m.id, Name: m.name, Date: r.now()}.prepare()
	list := message{Type: "userlist", Users: r.names(), Date: r.now()}.prepare()
	for _, other := range r.members {
		if other.name != "" {
			r.send(other, event)
		}
		r.send(other, list)
	}
}

// names returns the names of those who have joined, the first one first.
func (r *room) names() []string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		if name := r.members[id].name; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// free returns the name, with a number if somebody has it already.
func (r *room) free(name string) string {
	taken := make(map[string]bool)
	for _, m := range r.members {
		taken[strings.ToLower(m.name)] = true
	}
	candidate := name
	for n := 2; taken[strings.ToLower(candidate)]; n++ {
		number := fmt.Sprintf(" %d", n)
		candidate = cut(name, maxName-len(number)) + number
	}
	return candidate
}

// now returns the time for a message, which is never that of another one.
func (r *room) now() int64 {
	r.date = max(r.date+1, time.Now().UnixMilli())
	return r.date
}
