package websocket

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var optionTypes = []reflect.Type{
	reflect.TypeFor[UpgradeOptions](), reflect.TypeFor[DialOptions](), reflect.TypeFor[ConnConfig](),
}

// shared are the fields that stand in all option structs. A ConnConfig has had
// its handshake and does not have those of the first line.
var shared = []string{
	"Subprotocols", "HandshakeTimeout",
	"Compression", "MaxMessageSize", "Heartbeat", "HeartbeatTimeout", "CloseTimeout", "SendLimit",
	"NoCoalescing", "SkipOutgoingTextCheck", "Trace",
}

// A field that two of the structs have is the same in both, in one order, ahead
// of those that only one has.
func TestOptionsAreAlike(t *testing.T) {
	for i, typ := range optionTypes {
		want := shared
		if typ == reflect.TypeFor[ConnConfig]() {
			want = shared[2:]
		}
		require.Greater(t, typ.NumField(), len(want))
		for f, name := range want {
			field := typ.Field(f)
			assert.Equal(t, name, field.Name, "field %d of %s", f, typ.Name())
			first, ok := optionTypes[0].FieldByName(name)
			require.True(t, ok)
			assert.Equal(t, first.Type, field.Type, "%s.%s", typ.Name(), name)
		}
		for f := len(want); f < typ.NumField(); f++ {
			own := typ.Field(f).Name
			for j, other := range optionTypes {
				_, has := other.FieldByName(own)
				assert.True(t, own == "_" || i == j || !has, "%s.%s is in %s too: is it common?", typ.Name(), own, other.Name())
			}
		}
	}
}

func TestOptionsAreNotComparable(t *testing.T) {
	for _, typ := range append(slices.Clone(optionTypes),
		reflect.TypeFor[Compression](), reflect.TypeFor[ListenOptions](), reflect.TypeFor[EngineOptions]()) {
		assert.False(t, typ.Comparable(), typ.Name())
		last := typ.Field(typ.NumField() - 1)
		assert.Equal(t, "_", last.Name, typ.Name())
		assert.Equal(t, "[0]func()", last.Type.String())
	}
}

// settingsOf fills the common fields of each struct and returns what each makes
// of them.
func settingsOf(fill map[string]any) []settings {
	var u UpgradeOptions
	var d DialOptions
	var c ConnConfig
	for name, value := range fill {
		for _, o := range []any{&u, &d, &c} {
			field := reflect.ValueOf(o).Elem().FieldByName(name)
			field.Set(reflect.ValueOf(value).Convert(field.Type()))
		}
	}
	return []settings{*u.settings(), *d.settings(), *c.settings()}
}

// Every zero is the documented default, every negative value is none.
func TestSettings(t *testing.T) {
	defaults := settings{
		maxMessageSize: 1 << 20, heartbeat: 30 * time.Second, heartbeatTimeout: 15 * time.Second,
		closeTimeout: 5 * time.Second, sendLimit: 1 << 20,
	}
	for i, got := range settingsOf(nil) {
		assert.Equal(t, defaults, got, optionTypes[i].Name())
	}
	changes := map[string]func(s *settings, v int64){
		"MaxMessageSize":   func(s *settings, v int64) { s.maxMessageSize = v },
		"Heartbeat":        func(s *settings, v int64) { s.heartbeat = time.Duration(v) },
		"HeartbeatTimeout": func(s *settings, v int64) { s.heartbeatTimeout = time.Duration(v) },
		"CloseTimeout":     func(s *settings, v int64) { s.closeTimeout = time.Duration(v) },
		"SendLimit":        func(s *settings, v int64) { s.sendLimit = v },
	}
	for name, change := range changes {
		for value, becomes := range map[int64]int64{-1: 0, math.MinInt64: 0, 1: 1, 12345: 12345, math.MaxInt64: math.MaxInt64} {
			want := defaults
			if strings.HasPrefix(name, "Heartbeat") || name == "CloseTimeout" {
				becomes = min(becomes, int64(ages))
			}
			change(&want, becomes)
			for i, got := range settingsOf(map[string]any{name: value}) {
				assert.Equal(t, want, got, "%s.%s of %d", optionTypes[i].Name(), name, value)
			}
		}
	}
	trace := &Trace{}
	for i, got := range settingsOf(map[string]any{"NoCoalescing": true}) {
		assert.True(t, got.noCoalescing && !got.skipOutgoingTextCheck && got.trace == nil, optionTypes[i].Name())
	}
	for i, got := range settingsOf(map[string]any{"SkipOutgoingTextCheck": true}) {
		assert.True(t, !got.noCoalescing && got.skipOutgoingTextCheck && got.trace == nil, optionTypes[i].Name())
	}
	for i, got := range settingsOf(map[string]any{"Trace": trace}) {
		assert.Same(t, trace, got.trace, optionTypes[i].Name())
	}
}

// CHECKLIST 31: a panic is reported to the trace, if it wants to know.
func TestReportPanic(t *testing.T) {
	var value any
	var stack string
	reportPanic(&Trace{Panicked: func(v any, s []byte) { value, stack = v, string(s) }}, "oh", []byte("where"))
	assert.Equal(t, "oh", value)
	assert.Equal(t, "where", stack)
}
