package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// quick are the cases that every server in this file gets: all but those that
// take long, of which there are some.
const (
	quick      = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*,X.2.*,X.3.*,X.4.*,X.5.*,X.6.*,X.7.*"
	large      = "9.1.1,9.2.2,9.3.4,9.4.5,9.5.6,9.7.2,9.8.3"
	unhasty    = "5.19,5.20,6.4.*" // the cases with pauses
	someOfEach = "9.1.1,9.7.2,12.1.1,X.1.1,X.1.9"
	squeezed   = "X.1.1,X.1.4,X.1.8,X.1.9,X.1.10,12.1.1,13.2.3,13.3.4,13.7.1"
)

// judgeServer runs cases against a server and groups the ids by verdicts,
// "behavior/close"; what is good is left out.
func judgeServer(t *testing.T, addr, cases, exclude string, patience time.Duration) map[string][]string {
	t.Helper()
	u, err := url.Parse("ws://" + addr)
	require.NoError(t, err)
	env := &environment{pause: 2 * time.Second, patience: patience}
	env.target = target{url: u, patience: 10 * time.Second}
	groups := map[string][]string{}
	var mu sync.Mutex
	work := make(chan *testCase)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for c := range work {
				r := runClient(t.Context(), c, env, "test")
				verdict := r.behavior + "/" + r.behaviorClose
				mu.Lock()
				groups[verdict] = append(groups[verdict], c.id)
				mu.Unlock()
			}
		})
	}
	for _, c := range suite() {
		if c.role != serverOnly && match(strings.Split(cases, ","), c.id) && !match(strings.Split(exclude, ","), c.id) {
			work <- c
		}
	}
	close(work)
	workers.Wait()
	return onlyBad(groups)
}

// onlyBad leaves out what is good, and sorts the rest.
func onlyBad(groups map[string][]string) map[string][]string {
	for _, good := range []string{"OK/OK", "INFORMATIONAL/INFORMATIONAL", "UNIMPLEMENTED/OK"} {
		delete(groups, good)
	}
	for _, ids := range groups {
		slices.SortFunc(ids, compareIDs)
	}
	return groups
}

// expand turns patterns into the ids of the chosen cases; after a slash come
// those that are not meant. @clean means those that must end with close frames
// from both sides, @text those that get text back.
func expand(not role, patterns, cases, exclude string) []string {
	yes, no, _ := strings.Cut(patterns, " / ")
	var ids []string
	for _, c := range suite() {
		clean := c.close.clean && !c.informational && strings.Contains(yes, "@clean")
		text := c.close.byRunner && len(c.outcomes) > 0 && !c.informational && strings.Contains(yes, "@text") &&
			slices.ContainsFunc(c.outcomes[0].events, func(e event) bool { return e.kind == gotMessage && !e.binary })
		if c.role != not && (clean || text || match(strings.Fields(yes), c.id)) && !match(strings.Fields(no), c.id) &&
			match(strings.Split(cases, ","), c.id) && !match(strings.Split(exclude, ","), c.id) {
			ids = append(ids, c.id)
		}
	}
	return ids
}

const (
	badText  = `6.3.* 6.4.* 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.8.* 6.10.* 6.11.5 6.12.* 6.13.* 6.14.* 6.15.* 6.16.* 6.17.* 6.18.* 6.19.* 6.20.* 6.21.*`
	badCodes = `7.9.* X.7.4`
	// afterEcho are the cases with a good message before the bad frame.
	afterEcho = `3.2 3.3 3.4 4.1.3 4.1.4 4.1.5 4.2.3 4.2.4 4.2.5 5.15`
	// atOnce are the cases with a bad frame alone; the text is good.
	atOnce = `2.5 3.1 3.5 3.6 3.7 4.1.1 4.1.2 4.2.1 4.2.2 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.16 5.17 5.18 X.2.1 X.2.2 X.2.3 X.3.*`
	// mayDrop are bad close frames, for which ending TCP is good enough.
	mayDrop = `7.3.2 7.3.6 7.5.1 7.9.* X.7.4`
	// everyClose are the cases in which the server sends a close frame.
	everyClose = `* / 7.1.6 7.13.* X.6.*`
	// everyEnd are cases for each way to come to it.
	everyEnd = "1.1.1,2.5,5.18,6.3.1,7.1.1,7.3.1,7.9.1,9.1.1,X.3.1"
)

// brokenServers each make one mistake, and must be red exactly there.
var brokenServers = []struct {
	name   string
	server echoServer
	cases  string // beside the quick ones
	only   string // instead of the quick ones
	slow   bool   // also the cases with pauses
	hangs  bool   // the server leaves the runner waiting
	want   map[string]string
}{
	{name: "no mistake", slow: true, cases: large},
	{name: "no mistake, compressing", server: echoServer{deflate: true}, cases: squeezed},
	{
		name: "wrong close code for broken rules", server: echoServer{protocolCode: 1000},
		want: map[string]string{
			"OK/WRONG CODE":     "2.5 3.* 4.* 5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 5.18 X.2.* X.3.* / X.2.4",
			"FAILED/WRONG CODE": "7.3.2 7.3.6 " + badCodes,
		},
	},
	{
		name: "wrong close code for bad text", server: echoServer{textCode: 1002}, slow: true,
		want: map[string]string{"OK/WRONG CODE": badText},
	},
	{
		name: "mask not checked", server: echoServer{anyMask: true},
		want: map[string]string{"FAILED/FAILED": "X.2.1 X.2.2 X.2.3"},
	},
	{
		name: "text not checked", server: echoServer{anyText: true}, slow: true,
		want: map[string]string{"FAILED/FAILED": badText},
	},
	{
		name: "text checked late", server: echoServer{lateText: true}, slow: true,
		want: map[string]string{"NON-STRICT/OK": "6.4.*"},
	},
	{
		name: "first of the fragments dropped", server: echoServer{dropFirstFragment: true}, slow: true, cases: large,
		want: map[string]string{
			"FAILED/OK":     "5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.2.2 6.2.3 9.3.4 9.4.5 10.1.1",
			"FAILED/FAILED": "5.15 6.2.4",
		},
	},
	{
		name: "fragments joined in the wrong order", server: echoServer{swapFragments: true}, slow: true, cases: large,
		want: map[string]string{
			"FAILED/OK":     "5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.2.2 9.4.5",
			"FAILED/FAILED": "5.15 6.2.3 6.2.4 10.1.1",
		},
	},
	{
		name: "each fragment sent back as a message", server: echoServer{eachFragment: true}, slow: true, cases: large,
		want: map[string]string{
			"FAILED/OK":         "5.3 5.4 5.5 5.6 5.7 5.8 5.19 5.20 6.1.2 6.1.3 6.2.2 6.2.3 7.1.5 9.3.4 9.4.5 10.1.1",
			"FAILED/FAILED":     "5.15 5.18 6.3.2 6.4.1 6.4.2 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.14.6 6.14.7 X.2.3",
			"FAILED/WRONG CODE": "6.2.4",
		},
	},
	{
		name: "ping payload dropped", server: echoServer{dropPingPayload: true}, slow: true,
		want: map[string]string{"FAILED/OK": "2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.7 5.8 5.19 5.20"},
	},
	{
		name: "ping payload cut", server: echoServer{cutPing: true},
		want: map[string]string{"FAILED/OK": "2.4 2.6"},
	},
	{
		name: "pings not answered", server: echoServer{noPong: true}, hangs: true, slow: true,
		want: map[string]string{
			"FAILED/OK":         "5.6 5.7 5.8 5.19 5.20",
			"FAILED/WRONG CODE": "2.1 2.2 2.3 2.4 2.6 2.9 2.10 2.11",
		},
	},
	{
		// Section 5.5.3 allows it; the published suite does not.
		name: "the last of some pings answered", server: echoServer{pongLast: true}, only: "2.1,2.4,2.10",
		want: map[string]string{"FAILED/OK": "2.10"},
	},
	{
		name: "pings answered between messages", server: echoServer{pongLate: true}, slow: true,
		want: map[string]string{"FAILED/OK": "5.6 5.7 5.8 5.19 5.20"},
	},
	{
		name: "pongs answered", server: echoServer{answerPong: true},
		want: map[string]string{
			"FAILED/OK": "2.7 2.8 2.9",
		},
	},
	{
		name: "reserved bits not checked", server: echoServer{anyRSV: true},
		want: map[string]string{
			"FAILED/FAILED": "3.* / 3.7",
		},
	},
	{
		name: "reserved opcodes taken as text", server: echoServer{anyOpcode: true},
		want: map[string]string{"FAILED/FAILED": "4.*"},
	},
	{
		name: "long pings answered", server: echoServer{longPing: true},
		want: map[string]string{
			"OK/FAILED":         "2.5",
			"FAILED/WRONG CODE": "7.3.6",
		},
	},
	{
		name: "fragmented pings answered", server: echoServer{fragmentedPing: true},
		want: map[string]string{
			"FAILED/FAILED": "5.1",
		},
	},
	{
		name: "continuations of nothing taken as text", server: echoServer{anyContinuation: true},
		want: map[string]string{
			"FAILED/FAILED": "5.9 5.10 5.11 5.17",
		},
	},
	{
		name: "messages within messages", server: echoServer{anyNesting: true},
		want: map[string]string{"FAILED/FAILED": "5.18"},
	},
	{
		name: "one byte of the echo wrong", server: echoServer{corrupt: true}, cases: large,
		want: map[string]string{
			"FAILED/OK": "1.* 9.* 10.* / 1.1.1 1.2.1 9.7.2",
		},
	},
	{
		name: "echo sent twice", server: echoServer{twice: true, deflate: true}, cases: someOfEach,
		want: map[string]string{
			"FAILED/OK":     "@text 1.* 9.* 10.* 12.* 13.* X.1.* X.4.* / X.1.9 X.1.10",
			"FAILED/FAILED": afterEcho,
		},
	},
	{
		name: "text sent back as binary", server: echoServer{alwaysBinary: true}, cases: large,
		want: map[string]string{
			"FAILED/OK":     "@text 9.1.1 9.3.4 9.5.6 9.7.2 10.1.1 X.4.*",
			"FAILED/FAILED": afterEcho,
		},
	},
	{
		name: "binary sent back as text", server: echoServer{alwaysText: true}, cases: large,
		want: map[string]string{
			"FAILED/OK": "1.2.1 9.8.3",
		},
	},
	{
		name: "its own frames masked", server: echoServer{masked: true},
		want: map[string]string{
			"FAILED/UNCLEAN":    "@clean",
			"FAILED/OK":         mayDrop + " X.4.*",
			"FAILED/FAILED":     badText,
			"NON-STRICT/FAILED": afterEcho,
			"OK/FAILED":         atOnce,
		},
	},
	{
		name: "long lengths written", server: echoServer{longReply: true}, cases: large,
		want: map[string]string{
			"FAILED/WRONG CODE": "1.1.3 1.1.4 1.1.5 1.1.6 1.2.3 1.2.4 1.2.5 1.2.6",
		},
	},
	{
		name: "long lengths taken", server: echoServer{longLengths: true},
		want: map[string]string{"NON-STRICT/OK": "X.3.1 X.3.2 X.3.3 X.3.4"},
	},
	{
		name: "frames of 64 KiB at most", server: echoServer{limit: 64 << 10}, cases: large,
		want: map[string]string{
			"FAILED/FAILED": "9.2.2 9.5.6",
		},
	},
	{
		name: "close not answered", server: echoServer{noCloseReply: true}, hangs: true, only: "1.1.1,2.*,7.1.*,7.3.*,7.5.1",
		want: map[string]string{
			"OK/UNCLEAN":          "@clean",
			"OK/FAILED BY CLIENT": mayDrop + " / 7.3.6",
		},
	},
	{name: "TCP ended on a failure, without a close frame", server: echoServer{dropOnFailure: true}}, // no mistake
	{
		name: "TCP ended instead of a close frame", server: echoServer{dropOnClose: true},
		want: map[string]string{
			"OK/UNCLEAN": "@clean",
		},
	},
	{
		name: "TCP not ended", server: echoServer{keepTCP: true}, hangs: true, only: "1.1.1,2.*,3.*,7.3.*",
		want: map[string]string{
			"OK/UNCLEAN":          "@clean",
			"OK/FAILED BY CLIENT": mayDrop + " " + atOnce + " " + afterEcho,
		},
	},
	{
		name: "data after the close", server: echoServer{talkAfterClose: true}, only: "1.1.1,7.1.*",
		want: map[string]string{
			"FAILED/OK": "7.1.3 7.1.4 7.1.5",
		},
	},
	{
		name: "a message of its own before it closes", server: echoServer{beforeClose: "\x81\x02no", deflate: true}, cases: someOfEach,
		want: map[string]string{
			"FAILED/OK": "@clean 9.* 12.* 13.* X.4.*",
		},
	},
	{
		name: "a message behind its close frame", server: echoServer{afterClose: "\x81\x02no"},
		want: map[string]string{"FAILED/OK": everyClose},
	},
	{
		name: "an unknown frame behind its close frame", server: echoServer{afterClose: "\xff\x02no"}, only: everyEnd,
		want: map[string]string{"FAILED/OK": everyClose},
	},
	{
		name: "half a frame behind its close frame", server: echoServer{afterClose: "\x82\x7e\x00\x05no"}, only: everyEnd,
		want: map[string]string{"FAILED/OK": everyClose},
	},
	{
		name: "half a header behind its close frame", server: echoServer{afterClose: "\x82\x7e"}, only: everyEnd,
		want: map[string]string{"FAILED/OK": everyClose},
	},
	{name: "pings and pongs behind its close frame", server: echoServer{afterClose: "\x8a\x00\x89\x00"}, only: everyEnd},
	{
		name: "close answered with 1001", server: echoServer{replyCode: 1001},
		want: map[string]string{
			"FAILED/WRONG CODE": "7.1.* 7.3.1 7.3.3 7.3.4 7.3.5 7.7.* X.7.* / 7.1.6 7.7.2 X.7.4",
			"OK/WRONG CODE":     "@clean / 7.*  X.7.*",
		},
	},
	{
		name: "any close code taken", server: echoServer{anyCloseCode: true},
		want: map[string]string{"FAILED/WRONG CODE": badCodes},
	},
	{
		name: "any close reason taken", server: echoServer{anyCloseText: true},
		want: map[string]string{"FAILED/WRONG CODE": "7.5.1"},
	},
	{
		name: "close payloads of any length taken", server: echoServer{anyCloseSize: true},
		want: map[string]string{
			"FAILED/WRONG CODE": "7.3.6",
		},
	},
	{
		name: "any request taken", server: echoServer{anyRequest: true},
		want: map[string]string{
			"FAILED/FAILED": "X.6.*",
		},
	},
	{
		name: "compressed data cut short", server: echoServer{deflate: true, cutDeflate: true}, cases: squeezed,
		want: map[string]string{
			"FAILED/WRONG CODE": "12.* 13.* X.1.* / X.1.9 X.1.10",
		},
	},
	{
		name: "window not kept", server: echoServer{deflate: true, anyWindow: true}, cases: squeezed,
		want: map[string]string{
			"FAILED/OK": "13.3.4 X.1.1 X.1.2 X.1.3 X.1.4 X.1.5 X.1.6",
		},
	},
	{
		// 13.* stay green, as with the original.
		name: "wishes in the offer ignored", server: echoServer{deflate: true, deafToOffer: true}, cases: squeezed,
		want: map[string]string{
			"FAILED/OK": "X.1.1 X.1.2 X.1.3 X.1.4 X.1.5 X.1.6 X.1.7 X.1.8",
		},
	},
	{
		name: "context taken over all the same", server: echoServer{deflate: true, anyTakeover: true}, cases: squeezed,
		want: map[string]string{
			"FAILED/WRONG CODE": "13.2.3 13.7.1 X.1.8",
		},
	},
	{
		name: "RSV1 taken on any frame", server: echoServer{deflate: true, sloppyRSV: true}, hangs: true, cases: squeezed,
		want: map[string]string{
			"FAILED/FAILED": "X.1.10",
		},
	},
}

func TestBrokenServers(t *testing.T) {
	t.Parallel()
	for _, b := range brokenServers {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			cases, exclude := quick, unhasty
			if b.cases != "" {
				cases += "," + b.cases
			}
			if b.only != "" {
				cases = b.only
			}
			patience := 10 * time.Second
			if b.hangs {
				patience = time.Second
			}
			if b.slow {
				exclude = "none"
			}
			want := map[string][]string{}
			for verdict, patterns := range b.want {
				want[verdict] = expand(serverOnly, patterns, cases, exclude)
			}
			requireGroups(t, want, judgeServer(t, startEcho(t, &b.server), cases, exclude, patience))
		})
	}
}

func requireGroups(t *testing.T, want, got map[string][]string) {
	t.Helper()
	t.Logf("%v", got)
	verdicts := maps.Clone(got)
	maps.Copy(verdicts, want)
	for v := range verdicts {
		require.Equal(t, strings.Join(want[v], " "), strings.Join(got[v], " "), v)
	}
}
