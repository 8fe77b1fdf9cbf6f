module github.com/seed86893212/websocket/internal/flate/peers

go 1.26.0

replace github.com/seed86893212/websocket => ../../..

require (
	github.com/klauspost/compress v1.20.3
	github.com/seed86893212/websocket v0.0.0-00010101000000-000000000000
)
