// What is said, as JSON. The names are those of MDN's chat example, as far as it
// goes, so that its client would feel at home.

package main

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed86893212/websocket"
)

// A message is what a text message holds, in either direction.
//
//	id              to a newcomer: ID is theirs, Users are those in the room
//	username        a client asks for Name; the server grants it
//	rejectusername  the name is taken: Name is what is granted instead
//	userlist        Users are those in the room now
//	joined, left    who came and who went
//	message         Text, said by Name
//	image           the next binary message is an image: Text describes it
//	error           the last message was not accepted; Text says why
type message struct {
	Type  string   `json:"type"`
	ID    int64    `json:"id,omitempty"`   // who sent it
	Name  string   `json:"name,omitempty"` // and what they are called
	Text  string   `json:"text,omitempty"`
	Date  int64    `json:"date,omitempty"` // milliseconds since 1970, as Date.now() has it
	Mime  string   `json:"mime,omitempty"`
	Size  int      `json:"size,omitempty"`
	Users []string `json:"users,omitempty"`
}

// prepare makes the message ready to be sent to any number of people.
func (m message) prepare() *websocket.PreparedMessage {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // a struct of strings and numbers is always fine
	}
	return prepared(websocket.MessageText, data)
}

func prepared(t websocket.MessageType, data []byte) *websocket.PreparedMessage {
	p, err := websocket.NewPreparedMessage(t, data)
	if err != nil {
		panic(err) // JSON is UTF-8
	}
	return p
}

// cleanName makes a name presentable: one line, single spaces, nothing that
// cannot be seen, not too long.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return visible(r)
	}, s)
	s = cut(strings.Join(strings.Fields(s), " "), maxName)
	if strings.IndexFunc(s, unicode.IsGraphic) < 0 {
		return "Guest"
	}
	return s
}

// cleanText removes from a text what cannot be seen, except line breaks.
func cleanText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
	return strings.TrimSpace(s)
}

// visible returns r, or -1 for control characters and for those that turn the
// direction of the text around them. Joiners, which emoji need, may stay.
func visible(r rune) rune {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner {
		return -1
	}
	return r
}

// cut returns at most the first n characters of s.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n]))
}
