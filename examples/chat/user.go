// What one peer may do: it is never trusted, and always answered politely.

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/seed86893212/websocket"
)

// maxName is how many characters a name may have.
const maxName = 24

// limits make the room safe to leave open.
type limits struct {
	members      int     // in the room at once
	history      int     // messages kept for newcomers
	historyBytes int     // and bytes of images
	text         int     // characters of a text
	image        int64   // bytes of an image, and so of any message
	queue        int64   // bytes waiting for somebody who reads slowly
	burst        float64 // messages at once
	perSecond    float64 // and in the long run
	strikes      int     // refused messages before the connection is closed
}

var defaults = limits{
	members:      100,
	history:      50,
	historyBytes: 8 << 20,
	text:         2000,
	image:        4 << 20,
	queue:        20 << 20, // the history and some images more
	burst:        10,
	perSecond:    2,
	strikes:      20,
}

// A user is one connection and what it has done so far. Its methods are called
// by Events, so one after the other.
type user struct {
	conn   *websocket.Conn
	room   *room
	member *member

	tokens  float64 // messages that may be sent right now
	since   time.Time
	strikes int
	caption string // of the next image
}

func newUser(c *websocket.Conn, r *room, m *member) *user {
	return &user{conn: c, room: r, member: m, tokens: r.limits.burst, since: time.Now()}
}

// receive handles a message.
func (u *user) receive(t websocket.MessageType, data []byte) {
	if !u.mayGoOn(time.Now()) {
		u.refuse("That was too much at once. Please wait a moment.")
		return
	}
	if t == websocket.MessageBinary {
		u.image(data)
		return
	}
	// Escaped, a character takes up to twelve bytes; the rest is for the others.
	if len(data) > 12*u.room.limits.text+1000 {
		u.tooLong()
		return
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		u.refuse("That is not the JSON that is spoken here: " + err.Error())
		return
	}
	u.said(m)
}

func (u *user) said(m message) {
	switch joined := u.member.name != ""; {
	case m.Type == "username" && !joined:
		u.room.join(u.member, m.Name)
	case m.Type == "username":
		u.refuse("You have a name already.")
	case !joined:
		u.refuse("Please say who you are first.")
	case m.Type == "message":
		u.text(cleanText(m.Text))
	case m.Type == "image":
		u.caption = cut(cleanText(m.Text), 200)
	default:
		u.refuse(fmt.Sprintf("Nothing is known here of the type %.40q.", m.Type))
	}
}

func (u *user) text(text string) {
	switch {
	case text == "":
		u.refuse("There was nothing in that message.")
	case utf8.RuneCountInString(text) > u.room.limits.text:
		u.tooLong()
	default:
		u.accept()
		u.room.say(u.member, text)
	}
}

func (u *user) tooLong() {
	u.refuse(fmt.Sprintf("A message may have %d characters at most.", u.room.limits.text))
}

// image passes an image on, if it is one. What it is called does not count.
func (u *user) image(data []byte) {
	caption := u.caption
	u.caption = ""
	mime := http.DetectContentType(data)
	switch {
	case u.member.name == "":
		u.refuse("Please say who you are first.")
	case mime == "image/png", mime == "image/jpeg", mime == "image/gif", mime == "image/webp":
		u.accept()
		u.room.show(u.member, mime, caption, data)
	default:
		u.refuse("Only PNG, JPEG, GIF and WebP images can be sent.")
	}
}

// mayGoOn takes one token from a bucket that fills with time.
func (u *user) mayGoOn(now time.Time) bool {
	l := &u.room.limits
	u.tokens = min(l.burst, u.tokens+now.Sub(u.since).Seconds()*l.perSecond)
	u.since = now
	if u.tokens < 1 {
		return false
	}
	u.tokens--
	return true
}

// accept forgives an earlier mistake.
func (u *user) accept() { u.strikes = max(0, u.strikes-1) }

// refuse says what is wrong, and closes the connection of who never listens.
func (u *user) refuse(why string) {
	u.strikes++
	if u.strikes > u.room.limits.strikes {
		_ = u.conn.Close(websocket.StatusPolicyViolation, "too many messages that had to be refused")
		return
	}
	u.room.reply(u.member, message{Type: "error", Text: why})
}
