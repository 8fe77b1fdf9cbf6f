// Package samples has messages for tests and benchmarks of flate.
package samples

import (
	"fmt"
	"strings"
)

// A Source is where the random numbers come from: a Rand of math/rand/v2, which only tests may name.
type Source interface {
	IntN(n int) int
	Int64N(n int64) int64
	Uint32() uint32
	Uint64() uint64
	Float64() float64
}

// JSON returns n messages of about size bytes each, as servers send them: ids, numbers, names, times.
func JSON(r Source, n, size int) [][]byte {
	names := strings.Fields("Ada Grace Linus Barbara Edsger Margaret Donald Frances Alan Radia Ken Hedy Dennis Karen Niklaus Jean")
	words := strings.Fields("the order was shipped and will arrive on monday please check your account payment received thank you for waiting we are sorry about delay")
	kinds := []string{"order.created", "order.filled", "trade", "presence", "chat.message", "price.update"}
	record := func(b []byte) []byte {
		switch kind := kinds[r.IntN(len(kinds))]; kind {
		case "trade", "price.update":
			return fmt.Appendf(b, `{"type":%q,"seq":%d,"symbol":"%c%c%cUSD","price":%d.%02d,"size":%.4f,"ts":%d}`, kind, r.IntN(1e7),
				'A'+r.IntN(26), 'A'+r.IntN(26), 'A'+r.IntN(26), r.IntN(50000), r.IntN(100), r.Float64()*10, 1760000000000+r.Int64N(1e10))
		case "chat.message":
			b = fmt.Appendf(b, `{"type":%q,"id":"%08x-%04x","from":{"id":%d,"name":%q},"text":"`, kind, r.Uint32(), r.IntN(1<<16), r.IntN(1e5), names[r.IntN(len(names))])
			for range 3 + r.IntN(8) {
				b = append(append(b, words[r.IntN(len(words))]...), ' ')
			}
			return fmt.Appendf(b, `","at":"2026-%02d-%02dT%02d:%02d:%02d.%03dZ"}`, 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))
		case "presence":
			return fmt.Appendf(b, `{"type":%q,"user":%d,"name":%q,"online":%t,"lastSeen":%d}`, kind, r.IntN(1e5), names[r.IntN(len(names))], r.IntN(2) == 0, 1760000000+r.IntN(1e7))
		default:
			return fmt.Appendf(b, `{"type":%q,"orderId":"%016x","customer":%q,"amount":%d.%02d,"currency":"EUR","items":%d,"paid":%t}`, kind, r.Uint64(),
				names[r.IntN(len(names))], r.IntN(1000), r.IntN(100), 1+r.IntN(9), r.IntN(2) == 0)
		}
	}
	messages := make([][]byte, n)
	for i := range messages {
		b := record(nil)
		if size > 200 {
			b = fmt.Appendf(nil, `{"page":%d,"events":[`, r.IntN(1000))
			for len(b) < size-100 {
				b = append(record(b), ',')
			}
			b = append(record(b), `]}`...)
		}
		messages[i] = b
	}
	return messages
}
