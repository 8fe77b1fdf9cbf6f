//go:build linux

package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed86893212/websocket"
)

// An authority is a root of our own, as companies have them.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Interop Root"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	var der []byte
	a.key, der = a.sign(template)
	var err error
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.file = writeFile(t, "root.pem", pemBlock("CERTIFICATE", der))
	return a
}

// sign makes a key and its certificate; the first one signs itself.
func (a *authority) sign(template *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	return key, der
}

// issue makes a certificate for names, which may be addresses, and returns it
// with the files that it is in.
func (a *authority) issue(names ...string) (config *tls.Config, certFile, keyFile string) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: names[0]},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key, der := a.sign(template)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	certPEM, keyPEM := pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8)
	cert, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	require.NoError(a.t, err)
	return &tls.Config{Certificates: []tls.Certificate{cert}},
		writeFile(a.t, "cert.pem", certPEM), writeFile(a.t, "key.pem", keyPEM)
}

// trust returns options for clients that trust the authority.
func (a *authority) trust() *websocket.DialOptions {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	opts := direct()
	opts.TLSConfig = &tls.Config{RootCAs: roots}
	return opts
}

func pemBlock(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

func TestTLS(t *testing.T) {
	need(t)
	root := newAuthority(t)
	config, certFile, keyFile := root.issue("localhost", "127.0.0.1")
	s := newServer(t, config, nil) // speaks HTTP/2, too

	t.Run("by ourselves", func(t *testing.T) {
		for _, host := range []string{"localhost", "127.0.0.1"} {
			c := dial(t, "wss://"+host+":"+port(s.address())+"/echo/Messages", root.trust())
			for _, size := range []int{0, 1, 65536, 1 << 20} {
				exchange(t, c, websocket.MessageBinary, payload(size, websocket.MessageBinary))
			}
			require.NotNil(t, c.Response().TLS)
			require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
			requireClosed(t, s.end(), 1000, "", true)
		}
	})
	t.Run("unknown authority", func(t *testing.T) {
		_, err := websocket.Dial(within(t), s.ws("/echo/Read"), direct())
		var unknown x509.UnknownAuthorityError
		require.ErrorAs(t, err, &unknown)
	})
	t.Run("wrong host name", func(t *testing.T) {
		config, _, _ := root.issue("other.example")
		s := newServer(t, config, nil)
		for _, host := range []string{"localhost", "127.0.0.1"} {
			_, err := websocket.Dial(within(t), "wss://"+host+":"+port(s.address())+"/echo/Read", root.trust())
			var mismatch x509.HostnameError
			require.ErrorAs(t, err, &mismatch)
			require.ErrorContains(t, err, host)
		}
	})
	for _, of := range []struct {
		name  string
		start func(*testing.T) *peer
		wrong string // what it says to a wrong host name
	}{
		{"node", nodePeer, "ERR_TLS_CERT_ALTNAME_INVALID"},
		{"python", pythonPeer, "address mismatch"},
	} {
		t.Run(of.name+" as client", func(t *testing.T) {
			p := of.start(t)
			for _, echo := range echoes {
				url := s.ws("/echo/" + echo.name)
				p.call("echo", args{"url": url, "sizes": []int{0, 5, 65535, 1 << 20}, "ca": root.file})
				requireClosed(t, s.end(), 1000, "", true)
				p.call("batch", args{"url": url, "sizes": small, "ca": root.file})
				requireClosed(t, s.end(), 1000, "", true)
				p.call("terminate", args{"url": url, "ca": root.file})
				require.Error(t, s.end())
			}
			config, _, _ := root.issue("other.example")
			wrong := newServer(t, config, nil)
			got := p.try("terminate", args{"url": wrong.ws("/echo/Read"), "ca": root.file})
			require.Contains(t, got.Error, of.wrong)
		})
		t.Run(of.name+" as server", func(t *testing.T) {
			p := of.start(t)
			p.base = fmt.Sprintf("wss://127.0.0.1:%d", p.call("listen", args{"cert": certFile, "key": keyFile}).Port)
			c, ended := p.dial(t, "/echo", nil, root.trust())
			for _, size := range sizes {
				exchange(t, c, websocket.MessageText, payload(size, websocket.MessageText))
			}
			require.NoError(t, c.Close(3000, "über TLS"))
			require.Equal(t, answer{Code: 3000, Reason: "über TLS"}, ended())
		})
	}
}
