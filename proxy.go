// The way to a server: directly or through a proxy, with TLS on top.

package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"
)

// openRoute opens a connection over which the handshake for r can be sent. It
// is closed again if ctx ends before openRoute returns. NetDialTLS is of use
// only without a proxy: through a tunnel the connection is there already.
func openRoute(ctx context.Context, opts *DialOptions, r *http.Request) (net.Conn, error) {
	proxyURL, err := proxyFor(opts, r.Clone(ctx)) // a function of the options may keep and change it
	if err != nil {
		return nil, fmt.Errorf("choosing a proxy: %w", withoutURL(err))
	}
	secure := r.URL.Scheme == "https"
	var nc net.Conn
	switch {
	case proxyURL != nil:
		nc, err = openTunnel(ctx, opts, proxyURL, withoutZone(serverAddress(r.URL)))
	case secure && opts.NetDialTLS != nil:
		return checkDialed(opts.NetDialTLS(ctx, "tcp", serverAddress(r.URL)))
	default:
		nc, err = netDial(ctx, opts, serverAddress(r.URL))
	}
	if err != nil || !secure {
		return nc, err
	}
	return startTLS(ctx, nc, opts.TLSConfig, withoutZone(r.URL.Hostname()), false)
}

// proxyFor asks for the proxy of a request, nil for none.
func proxyFor(opts *DialOptions, r *http.Request) (*url.URL, error) {
	if opts.Proxy != nil {
		return opts.Proxy(r)
	}
	return httpproxy.FromEnvironment().ProxyFunc()(r.URL)
}

// netDial opens a plain connection, to a server or to a proxy.
func netDial(ctx context.Context, opts *DialOptions, address string) (net.Conn, error) {
	if opts.NetDial != nil {
		return checkDialed(opts.NetDial(ctx, "tcp", address))
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// checkDialed distrusts what a caller's function returned. If that holds a
// *HandshakeError, it is not the answer to this handshake.
func checkDialed(nc net.Conn, err error) (net.Conn, error) {
	if err == nil && nc == nil {
		return nil, errors.New("the dial function of the options returned neither a connection nor an error")
	}
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return nc, nil
}

// startTLS makes nc a TLS connection to host, or closes it.
func startTLS(ctx context.Context, nc net.Conn, config *tls.Config, host string, toProxy bool) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	// The name in the options is the server's. RFC 6455, section 4.1: "Clients
	// MUST use the Server Name Indication".
	if config.ServerName == "" || toProxy {
		config.ServerName = host
	}
	// Over HTTP/2 there would be no Upgrade (RFC 9113, section 8.6).
	config.NextProtos = []string{"http/1.1"}
	conn := tls.Client(nc, config)
	stop := guard(ctx, nc) // HandshakeContext closes nc as well, but says goodbye if that is TLS
	defer stop()
	if err := conn.HandshakeContext(ctx); err != nil {
		closeHard(nc)
		return nil, fmt.Errorf("TLS to %s: %w", host, err)
	}
	return conn, nil
}

// openTunnel opens a connection to address through a proxy (RFC 6455, section
// 4.1, "Proxy Usage").
func openTunnel(ctx context.Context, opts *DialOptions, via *url.URL, address string) (net.Conn, error) {
	if via.Hostname() == "" {
		return nil, errors.New("the proxy's URL has no host")
	}
	var nc net.Conn
	var err error
	switch via.Scheme {
	case "http", "https":
		nc, err = tunnelHTTP(ctx, opts, via, address)
	case "socks5", "socks5h":
		nc, err = tunnelSOCKS(ctx, opts, via, address)
	default:
		return nil, fmt.Errorf("proxy %s: the scheme is %q, not http, https, socks5 or socks5h", via.Host, via.Scheme)
	}
	if _, refused := err.(*HandshakeError); err != nil && !refused { //nolint:errorlint // see dialError
		return nil, fmt.Errorf("proxy %s: %w", via.Host, err)
	}
	return nc, err
}

// tunnelHTTP asks an HTTP proxy to CONNECT (RFC 9110, section 9.3.6).
func tunnelHTTP(ctx context.Context, opts *DialOptions, via *url.URL, address string) (net.Conn, error) {
	nc, err := netDial(ctx, opts, targetAddress(via, defaultPort(via.Scheme)))
	if err != nil {
		return nil, err
	}
	if via.Scheme == "https" {
		if nc, err = startTLS(ctx, nc, opts.TLSConfig, withoutZone(via.Hostname()), true); err != nil {
			return nil, err
		}
	}
	stop := guard(ctx, nc)
	if err = sendConnect(nc, via, address); err == nil && !stop() {
		err = ctx.Err()
	}
	if err != nil {
		stop()
		closeHard(nc)
		return nil, err
	}
	return nc, nil
}

// sendConnect sends the CONNECT over a connection to the proxy and judges the
// answer.
func sendConnect(nc net.Conn, via *url.URL, address string) error {
	request := []byte("CONNECT " + address + " HTTP/1.1\r\n")
	request = appendField(request, "Host", address)
	if via.User != nil {
		request = appendField(request, "Proxy-Authorization", basicAuth(via.User))
	}
	a, err := exchange(nc, append(request, "\r\n"...), http.MethodConnect)
	if err != nil {
		return err
	}
	if a.resp.StatusCode < 200 || a.resp.StatusCode > 299 {
		return a.asError(fmt.Sprintf("proxy %s refused to connect to %s", via.Host, address))
	}
	// In HTTP and in TLS the server waits for the client: these bytes are not
	// from the server.
	if a.buf.Buffered() > 0 {
		return errors.New("there are bytes after the answer to CONNECT")
	}
	return nil
}

// tunnelSOCKS asks a SOCKS5 proxy (RFC 1928), which looks up the name of the
// server itself.
func tunnelSOCKS(ctx context.Context, opts *DialOptions, via *url.URL, address string) (net.Conn, error) {
	var auth *proxy.Auth
	if via.User != nil {
		password, _ := via.User.Password()
		auth = &proxy.Auth{User: via.User.Username(), Password: password}
	}
	forward := &forwardDialer{ctx: ctx, opts: opts}
	dialer, err := proxy.SOCKS5("tcp", targetAddress(via, 1080), auth, forward)
	if err != nil {
		return nil, err
	}
	_, err = dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	if forward.stop != nil && !forward.stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err // the dialer or the guard has closed the connection
	}
	// Not the dialer's own connection: a Conn works best on the bare one.
	return forward.opened, nil
}

// forwardDialer reaches the SOCKS proxy and remembers the connection.
type forwardDialer struct {
	ctx    context.Context
	opts   *DialOptions
	opened net.Conn
	stop   func() bool // of the guard over opened
}

// Dial is there because the interface has it; DialContext is what is called.
func (f *forwardDialer) Dial(network, address string) (net.Conn, error) {
	return f.DialContext(f.ctx, network, address)
}

func (f *forwardDialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	nc, err := netDial(ctx, f.opts, address)
	if err != nil {
		return nil, err
	}
	f.opened, f.stop = nc, guard(ctx, nc)
	return nc, nil
}
