package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startJudge runs the server command's server, and returns its address.
func startJudge(t *testing.T, cases, dir, patience string) (*server, string) {
	t.Helper()
	o, err := parseOptions("server", []string{"-cases", cases, "-pause", "400ms", "-patience", patience})
	require.NoError(t, err)
	env, err := o.environment()
	require.NoError(t, err)
	chosen, err := o.choose(clientOnly)
	require.NoError(t, err)
	rs, err := newReports(dir, true)
	require.NoError(t, err)
	s := &server{
		env: env, cases: chosen, reports: rs, running: map[string]*sync.WaitGroup{},
		out: newProgress(&bytes.Buffer{}, nil, true), reported: func(string) {},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.serve(ctx, ln) })
	t.Cleanup(func() { cancel(); serving.Wait() })
	return s, ln.Addr().String()
}

// serveOnce runs the server command for an agent of the name test. The function
// asks for that agent's reports and returns what the command says and gives.
func serveOnce(t *testing.T, args ...string) (string, func() (string, error)) {
	t.Helper()
	r, w := io.Pipe()
	lines := bufio.NewReader(r)
	ended := make(chan error, 1)
	go func() {
		defer w.Close()
		ended <- command(t.Context(), append([]string{"server", "-addr", "127.0.0.1:0", "-once", "test", "-out", ""}, args...), w)
	}()
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	_, addr, _ := strings.Cut(strings.TrimSpace(first), "ws://")
	return addr, func() (string, error) {
		agent := &testee{server: "ws://" + addr, timeout: 10 * time.Second}
		if err := agent.ask(t.Context(), "/updateReports?agent=test", nil); err != nil {
			return "", err
		}
		said, _ := io.ReadAll(lines)
		return string(said), <-ended
	}
}

// Each case counts once, and only if the agent has run it that -once names.
func TestServerCountsCases(t *testing.T) {
	t.Parallel()
	type played struct {
		agent  string
		number int
	}
	for _, test := range []struct {
		name    string
		played  []played
		missing string
	}{
		{"all", []played{{"test", 1}, {"test", 2}, {"test", 3}}, ""},
		{"one again and again", []played{{"test", 1}, {"test", 1}, {"test", 1}}, "2 not run"},
		{"another's", []played{{"test", 1}, {"other", 2}, {"other", 3}}, "2 not run"},
		{"all, and another's", []played{{"other", 1}, {"test", 3}, {"test", 2}, {"test", 1}}, ""},
		{"none", nil, "3 not run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			addr, end := serveOnce(t, "-cases", "1.1.1,1.1.2,1.1.3")
			for _, p := range test.played {
				c := &echoClient{agent: p.agent}
				require.NoError(t, c.run(addr, p.number))
			}
			said, err := end()
			require.Contains(t, said, test.missing)
			if test.missing == "" {
				require.NoError(t, err, said)
			} else {
				require.ErrorIs(t, err, errWorse, said)
			}
		})
	}
}

// The library's client, through the server's control URLs, with its reports.
func TestTestee(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, addr := startJudge(t, quick+",X.*,9.1.1,9.7.1,12.1.1,13.2.1", dir, "10s")
	var out bytes.Buffer
	var mu sync.Mutex
	o, err := parseOptions("testee", []string{"-url", "ws://" + addr, "-agent", "our own/1.0"})
	require.NoError(t, err)
	mu.Lock()
	require.NoError(t, testeeCommand(context.Background(), o, &out))
	mu.Unlock()
	require.True(t, s.out.summary(), s.out.w.(*bytes.Buffer).String())

	text, err := os.ReadFile(filepath.Join(dir, indexName))
	require.NoError(t, err)
	var ix map[string]map[string]map[string]any
	require.NoError(t, json.Unmarshal(text, &ix))
	require.Equal(t, map[string]any{
		"behavior": "OK", "behaviorClose": "OK", "duration": ix["our own/1.0"]["1.1.1"]["duration"],
		"remoteCloseCode": 1000.0, "reportfile": "our_own_1_0_case_1_1_1.json",
	}, ix["our own/1.0"]["1.1.1"])
	require.NotContains(t, ix["our own/1.0"], "X.7.1")
	for _, id := range []string{"12.1.1", "13.2.1"} {
		require.Equal(t, "OK", ix["our own/1.0"][id]["behavior"], id)
	}

	text, err = os.ReadFile(filepath.Join(dir, "our_own_1_0_case_6_4_3.json"))
	require.NoError(t, err)
	var detail map[string]any
	require.NoError(t, json.Unmarshal(text, &detail))
	require.Equal(t, "6.4.3", detail["id"])
	require.Equal(t, []any{[]any{"timeout", "A"}}, detail["received"])
	require.Equal(t, map[string]any{"OK": []any{[]any{"timeout", "A"}}, "NON-STRICT": []any{[]any{"timeout", "A"}, []any{"timeout", "B"}}}, detail["expected"])
	require.NotEmpty(t, detail["wirelog"])

	for _, page := range []string{"index.html", "our_own_1_0_case_6_4_3.html", "our_own_1_0_case_X_6_10.html"} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		require.NoError(t, err)
		require.Contains(t, string(text), "our own")
		require.NotContains(t, string(text), "ZgotmplZ")
	}
}

// A client that masks nothing, on raw bytes: every case that waits for an echo
// must be red.
func TestServerFailsABadClient(t *testing.T) {
	t.Parallel()
	s, addr := startJudge(t, "1.1.1,1.1.2,2.1", "", "1s")
	for n := range s.cases {
		nc, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		_, err = nc.Write([]byte("GET /runCase?agent=bad&case=" + string(rune('1'+n)) + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" +
			"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x00"))
		require.NoError(t, err)
		nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		var got bytes.Buffer
		_, _ = got.ReadFrom(nc)
		require.True(t, strings.Contains(got.String(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
		nc.Close()
	}
	s.wait("bad")
	require.False(t, s.out.summary())
	require.Equal(t, map[string]int{"FAILED": len(s.cases)}, s.out.verdicts[false])
}

// The exit: what is worse than allowed depends on the flags.
func TestCommandFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		server echoServer
		args   []string
		worse  bool
	}{
		{"all well", echoServer{}, []string{"-strict"}, false},
		{"not strict", echoServer{lateText: true}, nil, false},
		{"not strict, strictly", echoServer{lateText: true}, []string{"-strict"}, true},
		{"failed", echoServer{anyText: true}, nil, true},
		{"no compression", echoServer{}, []string{"-complete"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			args := append([]string{"client", "-url", "ws://" + startEcho(t, &test.server), "-out", t.TempDir(), "-cases", "1.1.1,6.4.4,12.1.1", "-pause", "400ms"}, test.args...)
			err := command(context.Background(), args, &out)
			if test.worse {
				require.ErrorIs(t, err, errWorse, out.String())
			} else {
				require.NoError(t, err, out.String())
			}
			require.Contains(t, out.String(), "3 cases in")
		})
	}
}

// Nothing to do is not well done, and a pattern for nothing is a mistake.
func TestCommandWithoutCases(t *testing.T) {
	for _, test := range []struct {
		args []string
		err  string
	}{
		{[]string{"-cases", "nope"}, `no case matches "nope"`},
		{[]string{"-cases", "1.1.1, 99.*"}, `no case matches "99.*"`},
		{[]string{"-cases", "1.1.1,"}, `no case matches ""`},
		{[]string{"-cases", "["}, `no pattern: "["`},
		{[]string{"-cases", "1.1.1,2.[,1.1.2"}, `no pattern: "2.["`},
		{[]string{"-exclude", "99.*"}, `no case matches "99.*"`},
		{[]string{"-exclude", "12.*,13.["}, `no pattern: "13.["`},
		{[]string{"-cases", "1.1.1", "-exclude", "1.*"}, "no case is left"},
		{[]string{"-cases", ""}, "no case is left"},
	} {
		for _, args := range [][]string{{"client"}, {"server", "-addr", "127.0.0.1:0"}, {"cases"}} {
			var out bytes.Buffer
			err := command(context.Background(), append(args, test.args...), &out)
			require.EqualError(t, err, test.err, args)
			require.NotErrorIs(t, err, errWorse)
			require.Empty(t, out.String())
		}
	}
}

// A command takes no flag that it does nothing with.
func TestCommandFlags(t *testing.T) {
	for flag, takes := range map[string][]string{
		"insecure": {"client"}, "agents": {"check"}, "once": {"server"}, "parallel": {"client", "testee"},
	} {
		for _, name := range []string{"client", "server", "testee", "check", "cases"} {
			arg := "-" + flag + "=1"
			_, err := parseOptions(name, []string{arg})
			require.Equal(t, slices.Contains(takes, name), err == nil, "%s %s", name, arg)
		}
	}
}

func TestCommandUsage(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"-help"}, {"--help"}, {"help"}} {
		var out bytes.Buffer
		require.NoError(t, command(context.Background(), args, &out), args)
		require.Equal(t, usage, out.String())
	}
	for _, args := range [][]string{nil, {"nope"}} {
		var out bytes.Buffer
		require.ErrorContains(t, command(context.Background(), args, &out), "no command", args)
		require.Equal(t, usage, out.String())
	}
}
