// The generator of the amd64 assembly of package xor. A module of its own, so
// that avo is no dependency of the library.
module github.com/seed86893212/websocket/internal/xor/gen

go 1.26.0

require github.com/mmcloughlin/avo v0.5.0

require (
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
)
