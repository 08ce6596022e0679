package server

import (
	"net"
	"strings"

	"github.com/parley-gateway/parley/internal/fielderror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
)

// authMode is the kinds of credentials that are accepted; the zero value asks for none.
type authMode struct {
	oidc, mtls bool
}

// open reports whether nobody is asked who they are.
func (m authMode) open() bool { return !m.oidc && !m.mtls }

// parseMode reads Config.AuthMode.
func parseMode(text string) (authMode, error) {
	var mode authMode
	switch text {
	case "", "none":
		return mode, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		switch word {
		case "oidc":
			mode.oidc = true
		case "mtls":
			mode.mtls = true
		default:
			return mode, fielderror.New(fieldAuthMode, "%q is unknown; use none, oidc, mtls or oidc,mtls", text)
		}
	}
	return mode, nil
}

// authenticator returns the Authenticator that the configuration asks for.
func authenticator(cfg *Config) authn.Authenticator {
	mode := cfg.mode
	if mode.open() {
		return authn.NoAuthentication{}
	}
	auth := &authn.Credentials{}
	if mode.oidc {
		auth.Tokens = cfg.Tokens
	}
	if mode.mtls {
		auth.Certificates = &authn.Certificates{Roots: cfg.TLS.Roots}
	}
	return auth
}

// checkAuthentication refuses combinations that would leave open what somebody believes to be shut. It sets the mode of the configuration
// and, without authentication, the policy that is absent.
func checkAuthentication(c *Config) error {
	var err error
	if c.mode, err = parseMode(c.AuthMode); err != nil {
		return err
	}
	if c.MetricsAddr != "" { // any host: metrics and probes tell nothing of anybody
		if _, err := beyondLoopback(fieldMetrics, c.MetricsAddr); err != nil {
			return err
		}
	}
	if c.mode.open() {
		return checkOpen(c)
	}
	switch {
	case c.mode.oidc && c.Tokens == nil:
		return fielderror.New(fieldTokens, "is needed with authentication by %s", c.AuthMode)
	case c.mode.mtls && c.TLS == nil:
		return fielderror.New(fieldTLS, "is needed with authentication by %s: client certificates are seen only where TLS ends", c.AuthMode)
	case c.mode.mtls && c.TLS.Roots() == nil:
		return fielderror.New(fieldClientCA, "is needed with authentication by %s", c.AuthMode)
	case c.Policy == nil:
		return fielderror.New(fieldPolicy, "is needed with authentication by %s: without rules nobody may read anything", c.AuthMode)
	case c.Audit == nil:
		return fielderror.New(fieldAudit, "no sink for audit records")
	}
	for _, l := range []struct{ field, addr string }{{fieldGRPC, c.GRPCAddr}, {fieldHTTP, c.HTTPAddr}} {
		beyond, err := beyondLoopback(l.field, l.addr)
		if err != nil {
			return err
		}
		if beyond && c.TLS == nil && !c.TLSTerminated {
			return fielderror.New(l.field, "tokens and chats would travel in the clear; set a certificate and its key, or say that TLS "+
				"ends in front of the gateway")
		}
	}
	return checkLoopback(fieldAdmin, c.AdminAddr, "has no authentication")
}

// checkOpen is checkAuthentication where nobody is asked who they are.
func checkOpen(c *Config) error {
	for _, l := range []struct{ field, addr string }{{fieldGRPC, c.GRPCAddr}, {fieldHTTP, c.HTTPAddr}, {fieldAdmin, c.AdminAddr}} {
		if err := checkLoopback(l.field, l.addr, "nobody is asked who they are"); err != nil {
			return err
		}
	}
	if c.Policy == nil {
		c.Policy = authz.Fixed{Policy: authz.Loopback()}
	}
	return nil
}

// beyondLoopback reports whether an address can be reached from other machines.
func beyondLoopback(field, addr string) (bool, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return false, fielderror.New(field, "is not of the form host:port, such as 127.0.0.1:9090")
	}
	if host == "localhost" {
		return false, nil
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback(), nil
}

// checkLoopback refuses an address that others could reach; why is what makes that dangerous.
func checkLoopback(field, addr, why string) error {
	beyond, err := beyondLoopback(field, addr)
	if err != nil {
		return err
	}
	if beyond {
		return fielderror.New(field, "%s, so the host must be loopback: 127.0.0.1, ::1 or localhost", why)
	}
	return nil
}

// checkListener refuses a listener that was to be on loopback and did not end up there, whatever its name resolved to.
func checkListener(c *Config, field, addr string, listener net.Listener) error {
	if field == fieldMetrics {
		return nil
	}
	if beyond, err := beyondLoopback(field, addr); err == nil && beyond && !c.mode.open() && field != fieldAdmin {
		return nil
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok && at.IP.IsLoopback() {
		return nil
	}
	return fielderror.New(field, "the name does not resolve to loopback; give 127.0.0.1")
}
