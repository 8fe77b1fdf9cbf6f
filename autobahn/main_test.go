package main

import (
	"flag"
	"testing"

	"github.com/seed86893212/websocket/internal/leak"
)

func TestMain(m *testing.M) {
	// Most of what these tests do is wait.
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	leak.Main(m)
}
