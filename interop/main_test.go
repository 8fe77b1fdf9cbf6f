//go:build linux

package interop

import (
	"testing"

	"github.com/seed86893212/websocket/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
