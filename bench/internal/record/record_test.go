//go:build linux

package record

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pair returns a Session and the server that it talks to.
func pair(t *testing.T) (fd int, s *Session, server *tls.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fds[0]) })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	server = tls.Server(net.Conn(&socket{fds[1]}), &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	})
	t.Cleanup(func() { unix.Close(fds[1]) })
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	s, err = Client(fds[0])
	require.NoError(t, err)
	require.NoError(t, <-done)
	return fds[0], s, server
}

func TestSealIsReadByCryptoTLS(t *testing.T) {
	fd, s, server := pair(t)
	for _, size := range []int{1, 100, maxPlain, maxPlain + 1, 3*maxPlain + 7} {
		want := bytes.Repeat([]byte("x1"), size)[:size]
		go func() {
			_, err := (&socket{fd}).Write(s.Seal(nil, want))
			if err != nil {
				panic(err)
			}
		}()
		got := make([]byte, size)
		_, err := io.ReadFull(server, got)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestOpenReadsCryptoTLSInAnyPieces(t *testing.T) {
	fd, s, server := pair(t) // the server sends a session ticket first, to be skipped
	want := make([]byte, 50_000)
	_, _ = rand.Read(want) // never fails
	go func() {
		_, err := server.Write(want)
		if err != nil {
			panic(err)
		}
	}()
	var got []byte
	buf := make([]byte, 40_000)
	for i := 0; len(got) < len(want); i++ {
		n, err := unix.Read(fd, buf[:1+i*37%len(buf)])
		require.NoError(t, err)
		p, err := s.Open(buf[:n])
		require.NoError(t, err)
		got = append(got, p...)
	}
	require.Equal(t, want, got)
}

func TestOpenRefusesAChangedRecord(t *testing.T) {
	fd, s, server := pair(t)
	go func() { _, _ = server.Write([]byte("hello")) }()
	buf := make([]byte, 1000)
	n, err := unix.Read(fd, buf)
	require.NoError(t, err)
	buf[n-1] ^= 1
	_, err = s.Open(buf[:n])
	require.Error(t, err)
}
