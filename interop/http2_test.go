//go:build linux

package interop

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// TestHTTP2 asks for a WebSocket in a way that HTTP/2 does not have.
func TestHTTP2(t *testing.T) {
	need(t)
	root := newAuthority(t)
	config, _, _ := root.issue("localhost")
	refused := make(chan error, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := websocket.Upgrade(w, r, nil)
		refused <- err
	}))
	s.TLS, s.EnableHTTP2 = config, true
	s.StartTLS()
	t.Cleanup(s.Close)
	url := "https://localhost:" + port(s.Listener.Addr().String())
	requireRefused := func(t *testing.T) {
		t.Helper()
		var he *websocket.HandshakeError
		require.ErrorAs(t, <-refused, &he)
		require.Equal(t, http.StatusHTTPVersionNotSupported, he.StatusCode)
	}

	t.Run("Go", func(t *testing.T) {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: root.trust().TLSConfig.RootCAs},
			ForceAttemptHTTP2: true,
		}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(url)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, 2, resp.ProtoMajor)
		require.Equal(t, http.StatusHTTPVersionNotSupported, resp.StatusCode)
		require.Contains(t, string(body), "HTTP/1.1")
		requireRefused(t)
	})
	t.Run("curl", func(t *testing.T) {
		need(t, "curl")
		out, err := exec.CommandContext(within(t), program("curl"), "--silent", "--show-error", "--noproxy", "*",
			"--http2", "--cacert", root.file, "--write-out", "%{http_version} %{http_code}", url).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "HTTP/1.1 here")
		require.Contains(t, string(out), "2 505")
		requireRefused(t)
	})
}
