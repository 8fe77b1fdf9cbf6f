package websocket

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The transports that every test of the driver table runs over.
var transports = []struct {
	name string
	pair func(t testing.TB) (client, server net.Conn)
}{
	{"TCP", tcpPair},
	{"TLS", tlsPair},
	{"pipe", func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }},
	{"no deadlines", func(t testing.TB) (net.Conn, net.Conn) {
		a, b := tcpPair(t)
		return noDeadlines{a}, noDeadlines{b}
	}},
}

// overTransports runs test once over each transport.
func overTransports(t *testing.T, test func(t *testing.T, pair func(testing.TB) (client, server net.Conn))) {
	t.Helper()
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) { test(t, tr.pair) })
	}
}

// noDeadlines is a transport whose deadlines do nothing, as a stream of HTTP/2
// might be.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			nc = nil
		}
		accepted <- nc
	}()
	client, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	server = <-accepted
	require.NotNil(t, server)
	return client, server
}

func tlsPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	a, b := tcpPair(t)
	return tlsOver(t, a, b)
}

// tlsOver makes a pair of connections one of TLS.
func tlsOver(t testing.TB, a, b net.Conn) (client, server net.Conn) {
	t.Helper()
	c := tls.Client(a, trustsTests())
	s := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{testCertificate()}})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	require.NoError(t, c.Handshake())
	require.NoError(t, <-done)
	return c, s
}

// trustsTests is the configuration of a client that trusts testCertificate.
func trustsTests() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(testCertificate().Leaf)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// testCertificate returns a certificate of its own authority for localhost.
var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Unix(1<<33, 0),
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

// connectPair makes two Conns of a pair of transports, with heartbeats off unless
// configured.
func connectPair(t testing.TB, pair func(testing.TB) (client, server net.Conn), cfgs ...ConnConfig) (client, server *Conn) {
	t.Helper()
	a, b := pair(t)
	cfg := ConnConfig{Heartbeat: -1}
	if len(cfgs) > 0 {
		cfg = cfgs[0]
	}
	cc, sc := cfg, cfg
	cc.Role, sc.Role = RoleClient, RoleServer
	client, err := NewConn(a, &cc)
	require.NoError(t, err)
	server, err = NewConn(b, &sc)
	require.NoError(t, err)
	t.Cleanup(func() {
		client.CloseNow()
		server.CloseNow()
	})
	return client, server
}

var bg = context.Background()

// A nothingConn reads nothing, without waiting.
type nothingConn struct{ net.Conn }

func (nothingConn) Read([]byte) (int, error) { return 0, nil }

func TestTransportWithoutProgress(t *testing.T) {
	a, _ := net.Pipe()
	c, err := NewConn(nothingConn{a}, &ConnConfig{Role: RoleServer})
	require.NoError(t, err)
	defer c.CloseNow()
	read := async(func() error { _, _, err := c.Read(bg); return err })
	require.ErrorIs(t, within(t, time.Minute, read), io.ErrNoProgress)
}
