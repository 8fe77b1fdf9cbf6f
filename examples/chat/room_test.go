package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed86893212/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakePeer counts what it is sent, and can be told to have no more room.
type fakePeer struct {
	mu     sync.Mutex
	sent   int
	room   int // how many more messages fit; negative: any number
	closed websocket.StatusCode
}

func (p *fakePeer) SendPrepared(*websocket.PreparedMessage) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed != 0:
		return errors.New("closed")
	case p.room == 0:
		return websocket.ErrSendLimit
	}
	p.room--
	p.sent++
	return nil
}

func (p *fakePeer) Close(code websocket.StatusCode, _ string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = code
	return nil
}

func enter(t *testing.T, r *room, p *fakePeer, name string) *member {
	m, err := r.enter(p)
	require.NoError(t, err)
	r.join(m, name)
	return m
}

func TestNames(t *testing.T) {
	r := newRoom(defaults)
	long := strings.Repeat("ä", 30)
	for _, name := range []string{"Ada", "ada", "Ada 2", " \u202eAda\x00 ", "", "\u200b", long, long} {
		enter(t, r, &fakePeer{room: -1}, name)
	}
	assert.Equal(t, []string{
		"Ada", "ada 2", "Ada 2 2", "Ada 3", "Guest", "Guest 2", strings.Repeat("ä", 24), strings.Repeat("ä", 22) + " 2",
	}, r.names())
}

func TestCleanText(t *testing.T) {
	assert.Equal(t, "a\n\tb👩\u200d🚀", cleanText(" \x1b\u202ea\n\tb👩\u200d🚀\r\n"))
}

func TestRoomFull(t *testing.T) {
	l := defaults
	l.members = 1
	r := newRoom(l)
	m := enter(t, r, &fakePeer{room: -1}, "Ada")
	_, err := r.enter(&fakePeer{room: -1})
	require.ErrorIs(t, err, errRoomFull)
	r.leave(m)
	r.leave(m)
	enter(t, r, &fakePeer{room: -1}, "Grace")
}

func TestHistoryIsBounded(t *testing.T) {
	l := defaults
	l.history, l.historyBytes = 3, 10
	r := newRoom(l)
	m := enter(t, r, &fakePeer{room: -1}, "Ada")
	r.say(m, "one")
	r.show(m, "image/png", "", make([]byte, 6))
	r.show(m, "image/png", "", make([]byte, 6))
	assert.Len(t, r.history, 2, "the older image is forgotten, the text is not")
	assert.Equal(t, 6, r.kept)
	r.show(m, "image/png", "", make([]byte, 11))
	assert.Len(t, r.history, 1)
	assert.Zero(t, r.kept)
	for range 5 {
		r.say(m, "more")
	}
	assert.Len(t, r.history, 3)
}

// TestDroppedAtOnce: several are dropped by the same message, also while they
// are told of each other's end.
func TestDroppedAtOnce(t *testing.T) {
	r := newRoom(defaults)
	ada := enter(t, r, &fakePeer{room: -1}, "Ada")
	slow := []*fakePeer{{room: 9}, {room: 7}, {room: 5}}
	for i, p := range slow {
		enter(t, r, p, fmt.Sprint("slow", i))
	}
	for range 10 {
		r.say(ada, "hello")
	}
	assert.Equal(t, []string{"Ada"}, r.names())
	for _, p := range slow {
		assert.Equal(t, websocket.StatusTryAgainLater, p.closed)
	}
	late := &fakePeer{room: 3} // dropped by the history
	m := enter(t, r, late, "Late")
	assert.Equal(t, websocket.StatusTryAgainLater, late.closed)
	assert.Empty(t, m.name)
	assert.Equal(t, []string{"Ada"}, r.names())
}

func TestRoomConcurrently(t *testing.T) {
	r := newRoom(defaults)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				m, err := r.enter(&fakePeer{room: i*20 + j})
				if !assert.NoError(t, err) {
					return
				}
				r.join(m, "Ada")
				r.say(m, "hello")
				r.show(m, "image/png", "", make([]byte, 100))
				r.reply(m, message{Type: "error"})
				r.leave(m)
			}
		})
	}
	wg.Wait()
	assert.Empty(t, r.members)
}

func TestRate(t *testing.T) {
	l := defaults
	l.burst, l.perSecond = 2, 1
	u := newUser(nil, newRoom(l), nil)
	now := u.since
	assert.True(t, u.mayGoOn(now))
	assert.True(t, u.mayGoOn(now))
	assert.False(t, u.mayGoOn(now.Add(time.Second/2)))
	assert.True(t, u.mayGoOn(now.Add(time.Second)))
	assert.False(t, u.mayGoOn(now.Add(time.Second)))
}

func FuzzCleanName(f *testing.F) {
	f.Add("Ada")
	f.Fuzz(func(t *testing.T, s string) {
		name := cleanName(s)
		require.NotEmpty(t, name)
		require.LessOrEqual(t, len([]rune(name)), maxName)
		require.Equal(t, name, cleanName(name))
		require.NoError(t, json.NewEncoder(io.Discard).Encode(name))
	})
}
