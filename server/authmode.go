package server

import (
	"fmt"
	"net"
	"strings"

	"github.com/parley-gateway/parley/server/policy"
)

// Names of the settings that decide who may call, for errors.
const (
	keyAuth     = "PARLEY_AUTH_MODE"
	keyIssuer   = "PARLEY_OIDC_ISSUER"
	keyCert     = "PARLEY_TLS_CERT_FILE"
	keyClientCA = "PARLEY_TLS_CLIENT_CA_FILE"
	keyPolicy   = "PARLEY_POLICY_FILE"
	keyAudit    = "PARLEY_AUDIT_FILE"
)

// authMode says which credentials open the doors; the zero value asks for none.
type authMode struct {
	oidc, mtls bool
}

func (m authMode) open() bool { return !m.oidc && !m.mtls }

// parseMode reads PARLEY_AUTH_MODE.
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
			return mode, &SettingError{keyAuth, fmt.Sprintf("%q is unknown; use none, oidc, mtls or oidc,mtls", text)}
		}
	}
	return mode, nil
}

// checkDoors refuses combinations that would leave a door open that somebody believes to be shut.
func checkDoors(c *Config) error {
	var err error
	if c.mode, err = parseMode(c.AuthMode); err != nil {
		return err
	}
	if c.mode.open() {
		return checkOpen(c)
	}
	switch {
	case c.mode.oidc && c.Tokens == nil:
		return &SettingError{keyIssuer, "is needed with " + keyAuth + "=" + c.AuthMode}
	case c.mode.mtls && c.TLS == nil:
		return &SettingError{keyCert, "is needed with " + keyAuth + "=" + c.AuthMode + ": client certificates are seen only where TLS ends"}
	case c.mode.mtls && c.TLS.Roots() == nil:
		return &SettingError{keyClientCA, "is needed with " + keyAuth + "=" + c.AuthMode}
	case c.Policy == nil:
		return &SettingError{keyPolicy, "is needed with " + keyAuth + "=" + c.AuthMode + ": without rules nobody may read anything"}
	case c.Audit == nil:
		return &SettingError{keyAudit, "no sink for audit records"}
	}
	for _, l := range []struct{ key, addr string }{{keyGRPC, c.GRPCAddr}, {keyHTTP, c.HTTPAddr}} {
		beyond, err := beyondLoopback(l.key, l.addr)
		if err != nil {
			return err
		}
		if beyond && c.TLS == nil && !c.TLSTerminated {
			return &SettingError{l.key, "tokens and chats would travel in the clear; set " + keyCert +
				", or PARLEY_TLS_TERMINATED=true where TLS ends in front of the gateway"}
		}
	}
	return checkLoopback(keyAdmin, c.AdminAddr, "has no authentication")
}

// checkOpen is checkDoors where nobody is asked who they are.
func checkOpen(c *Config) error {
	for _, l := range []struct{ key, addr string }{{keyGRPC, c.GRPCAddr}, {keyHTTP, c.HTTPAddr}, {keyAdmin, c.AdminAddr}} {
		if err := checkLoopback(l.key, l.addr, keyAuth+" is none"); err != nil {
			return err
		}
	}
	if c.Policy == nil {
		c.Policy = policy.Fixed{Policy: policy.Loopback()}
	}
	return nil
}

// beyondLoopback says whether an address can be reached from other machines.
func beyondLoopback(key, addr string) (bool, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return false, &SettingError{key, "is not of the form host:port, such as 127.0.0.1:9090"}
	}
	if host == "localhost" {
		return false, nil
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback(), nil
}

// checkLoopback refuses an address that others could reach; why says what makes that dangerous.
func checkLoopback(key, addr, why string) error {
	beyond, err := beyondLoopback(key, addr)
	if err != nil {
		return err
	}
	if beyond {
		return &SettingError{key, why + ", so the host must be loopback: 127.0.0.1, ::1 or localhost"}
	}
	return nil
}

// checkBound refuses a listener that was to be on loopback and did not end up there, whatever its name resolved to.
func checkBound(c *Config, key, addr string, listener net.Listener) error {
	if beyond, err := beyondLoopback(key, addr); err == nil && beyond && !c.mode.open() && key != keyAdmin {
		return nil
	}
	if bound, ok := listener.Addr().(*net.TCPAddr); ok && bound.IP.IsLoopback() {
		return nil
	}
	return &SettingError{key, "the name does not resolve to loopback; give 127.0.0.1"}
}
