package wsjson_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/seed86893212/websocket"
	"github.com/seed86893212/websocket/wsjson"
)

type sum struct {
	Terms []int `json:"terms"`
	Total int   `json:"total"`
}

// A server that adds up, and its client.
func Example() {
	srv := httptest.NewServer(websocket.Handler(func(c *websocket.Conn, r *http.Request) {
		for {
			s, err := wsjson.Read[sum](r.Context(), c)
			if err != nil {
				return
			}
			for _, term := range s.Terms {
				s.Total += term
			}
			if err := wsjson.Write(r.Context(), c, s); err != nil {
				return
			}
		}
	}, nil))
	defer srv.Close()

	ctx := context.Background()
	conn, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(websocket.StatusNormalClosure, "")
	if err := wsjson.Write(ctx, conn, sum{Terms: []int{1, 2, 3}}); err != nil {
		fmt.Println(err)
		return
	}
	s, err := wsjson.Read[sum](ctx, conn)
	fmt.Println(s.Total, err)
	// Output: 6 <nil>
}

// A message that is not what was asked for does not end the connection.
func ExampleRead() {
	srv := httptest.NewServer(websocket.Handler(func(c *websocket.Conn, r *http.Request) {
		for {
			n, err := wsjson.Read[int](r.Context(), c)
			var bad *wsjson.DecodeError
			switch {
			case errors.As(err, &bad):
				_ = c.WriteText(r.Context(), "a number, please")
			case err != nil:
				return
			default:
				_ = wsjson.Write(r.Context(), c, n+1)
			}
		}
	}, nil))
	defer srv.Close()

	ctx := context.Background()
	conn, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(websocket.StatusNormalClosure, "")
	for _, question := range []string{"hello", "41"} {
		_ = conn.WriteText(ctx, question)
		_, answer, _ := conn.Read(ctx)
		fmt.Println(string(answer))
	}
	// Output:
	// a number, please
	// 42
}

// What the browser's JSON.parse gets.
func ExampleWrite() {
	srv := httptest.NewServer(websocket.Handler(func(c *websocket.Conn, r *http.Request) {
		_ = wsjson.Write(r.Context(), c, map[string]string{"html": "<b>bold</b>"})
	}, nil))
	defer srv.Close()

	ctx := context.Background()
	conn, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(websocket.StatusNormalClosure, "")
	t, p, _ := conn.Read(ctx)
	fmt.Println(t, string(p))
	// Output: text {"html":"<b>bold</b>"}
}
