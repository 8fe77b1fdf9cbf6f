// What the opening handshake agrees on: subprotocol and extensions.

package websocket

import (
	"fmt"
	"net/http"
)

// An agreement is what the opening handshake has agreed on.
type agreement struct {
	subprotocol string         // "" for none
	extensions  string         // as the server's header has them, "" for none
	deflate     deflation      // of this side
	response    *http.Response // client only
}

// chooseExtensions adds the server's choice to what is agreed on
// (RFC 6455, section 9.1). The error tells that the header is malformed.
func (a *agreement) chooseExtensions(h http.Header, wanted *deflation) error {
	lines := h["Sec-Websocket-Extensions"]
	if len(lines) == 0 {
		return nil
	}
	answer, accepted, ok := wanted.acceptExtensions(lines)
	if !ok { // "MUST immediately _Fail the WebSocket Connection_", whether there are any here or not
		return fmt.Errorf("Sec-WebSocket-Extensions %q is malformed", lines)
	}
	if accepted && wanted.receive.bits > 0 {
		a.extensions, a.deflate = answer.String(), wanted.agreed(RoleServer, answer)
	}
	return nil
}

// checkExtensions checks what the server chose and adds it to what is agreed on.
func (a *agreement) checkExtensions(h http.Header, wanted *deflation) error {
	lines, found := h["Sec-Websocket-Extensions"]
	if !found {
		return nil
	}
	if wanted.receive.bits == 0 {
		return fmt.Errorf("the answer has extensions %q, none were offered", lines)
	}
	answer, flaw := parseAgreed(lines)
	if flaw == "" {
		flaw = wanted.check(answer)
	}
	if flaw != "" {
		return fmt.Errorf("the answer's Sec-WebSocket-Extensions is %q: %s", lines, flaw)
	}
	a.extensions, a.deflate = answer.String(), wanted.agreed(RoleClient, answer)
	return nil
}

// agreedAlready returns what the handshake before NewConn agreed on.
func agreedAlready(cfg *ConnConfig) (agreement, error) {
	a := agreement{subprotocol: cfg.Subprotocol}
	if cfg.Extensions == "" {
		return a, nil
	}
	answer, flaw := parseAgreed([]string{cfg.Extensions})
	if flaw != "" {
		return a, fmt.Errorf("Extensions is %q: %s", cfg.Extensions, flaw)
	}
	c := Compression{SendTakeover: true}
	if cfg.Compression != nil {
		c.Level, c.Threshold = cfg.Compression.Level, cfg.Compression.Threshold
	}
	wanted, err := newDeflation(&c)
	if err != nil {
		return a, err
	}
	a.extensions, a.deflate = answer.String(), wanted.agreed(cfg.Role, answer)
	return a, nil
}
