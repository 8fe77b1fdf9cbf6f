package wire

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// What JSON messages speak of.
var (
	people = strings.Fields("Amara Bjorn Chiara Dmitri Elif Farid Greta Hiro Ines Jamal Keiko Lars Mina Nils Oksana Paulo")
	cities = strings.Fields("Lagos Oslo Torino Kyiv Izmir Tehran Bremen Osaka Lisboa Tunis Kyoto Malmo Seoul Bergen Lviv Recife")
	prose  = strings.Fields("your parcel has left our warehouse and should be with you by friday if nobody is at home it waits at the " +
		"post office for a week we are glad to help with any question about the bill or the way back")
)

// appendJSON appends a message of exactly size bytes, as APIs send them: names,
// numbers, times, and a text that fills it up. Those of 512 bytes and more have a
// list of records.
func appendJSON(dst []byte, size int, r *rand.Rand) []byte {
	const tail = `"}`
	had := len(dst)
	if size < 512 {
		dst = record(dst, r)
		dst = append(dst[:len(dst)-1], `,"text":"`...)
	} else {
		dst = fmt.Appendf(dst, `{"page":%d,"records":[`, r.IntN(1000))
		for len(dst)-had < size-200 {
			dst = append(record(dst, r), ',')
		}
		dst = append(record(dst, r), `],"text":"`...)
	}
	if len(dst)-had > size-len(tail) { // too small for a record
		dst = append(dst[:had], `{"text":"`...)[:had+min(9, size)]
	}
	for len(dst)-had < size-len(tail) {
		dst = append(append(dst, prose[r.IntN(len(prose))]...), ' ')
	}
	dst = dst[:had+max(0, size-len(tail))]
	return append(dst, tail[:min(len(tail), size)]...)
}

// record appends an object, of 130 bytes at most.
func record(dst []byte, r *rand.Rand) []byte {
	switch r.IntN(3) {
	case 0:
		return fmt.Appendf(dst, `{"type":"quote","ticker":"%c%c%c","bid":%d.%02d,"volume":%d,"time":%d}`, 'A'+r.IntN(26), 'A'+r.IntN(26), 'A'+r.IntN(26),
			r.IntN(9000), r.IntN(100), r.IntN(1e6), 1770000000000+r.Int64N(1e10))
	case 1:
		return fmt.Appendf(dst, `{"type":"online","user":%d,"name":%q,"city":%q,"away":%t}`, r.IntN(1e6), people[r.IntN(len(people))],
			cities[r.IntN(len(cities))], r.IntN(2) == 0)
	}
	return fmt.Appendf(dst, `{"type":"parcel","id":"%012x","to":%q,"city":%q,"weight":%d.%d}`, r.Uint64()>>16, people[r.IntN(len(people))],
		cities[r.IntN(len(cities))], r.IntN(30), r.IntN(10))
}
