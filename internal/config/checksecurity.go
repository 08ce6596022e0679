package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/rest/httpmw"
)

// AuthModes are the ways callers are known, in any order; empty for none.
func (s *Settings) AuthModes() []string {
	if s.AuthMode == "none" {
		return nil
	}
	return strings.Split(s.AuthMode, ",")
}

// checkSecurity finds settings that would leave the gateway less guarded than somebody believes.
func (c *checker) checkSecurity() {
	s := c.settings
	modes := s.AuthModes()
	for i, mode := range modes {
		if (mode != "oidc" && mode != "mtls") || slices.Contains(modes[:i], mode) {
			return // the rule of the setting refuses it
		}
	}
	c.checkModes(modes)
	if names := authn.ProgramsNames(); s.OIDCPrograms != "" && !slices.Contains(names, s.OIDCPrograms) {
		c.failf(&s.OIDCPrograms, "%q is unknown; use %s, or leave it unset", s.OIDCPrograms, strings.Join(names, ", "))
	}
	if _, err := httpmw.Origins(s.CORSOrigins); err != nil {
		c.failf(&s.CORSOrigins, "%w", err)
	}
	if s.TLSTerminated && s.TLSCertFile != "" {
		c.failf(&s.TLSTerminated, "contradicts %s: TLS ends here or in front of the gateway; unset one of them", c.mention(&s.TLSCertFile))
	}
	if len(modes) == 0 && s.TLSTerminated {
		c.failf(&s.TLSTerminated, "is set, yet %s admits callers on loopback only; set PARLEY_AUTH_MODE", c.mention(&s.AuthMode))
	}
	c.checkListeners(len(modes) > 0)
}

// errUnused is the error of a setting that the ways of authentication do not use, given how they are mentioned.
const errUnused = "is set, yet %s does not use it; unset one of them"

// checkModes checks that the settings which the ways of authentication need are set, and that no setting is set which they do not use.
func (c *checker) checkModes(modes []string) {
	s := c.settings
	oidc, mtls := slices.Contains(modes, "oidc"), slices.Contains(modes, "mtls")
	for _, setting := range []struct {
		field        *string
		needed, used bool
	}{
		{&s.OIDCIssuer, oidc, oidc},
		{&s.OIDCAudience, oidc, oidc},
		{&s.OIDCCAFile, false, oidc},
		{&s.OIDCPrograms, false, oidc},
		{&s.TLSCertFile, mtls || s.TLSKeyFile != "", true},
		{&s.TLSKeyFile, mtls || s.TLSCertFile != "", true},
		{&s.TLSClientCAFile, mtls, mtls},
		{&s.PolicyFile, len(modes) > 0, true},
	} {
		switch {
		case setting.needed && *setting.field == "" && (setting.field == &s.TLSCertFile || setting.field == &s.TLSKeyFile) && !mtls:
			c.failf(setting.field, "is needed: a certificate and its key go together")
		case setting.needed && *setting.field == "":
			c.failf(setting.field, "is needed with %s", c.mention(&s.AuthMode))
		case !setting.used && *setting.field != "":
			c.failf(setting.field, errUnused, c.mention(&s.AuthMode))
		}
	}
	if s.TokenMaxLifetime > 0 && !oidc {
		c.failf(&s.TokenMaxLifetime, errUnused, c.mention(&s.AuthMode))
	}
}

// checkListeners refuses addresses beyond loopback for listeners that authenticate nobody, or that would send chats without TLS.
func (c *checker) checkListeners(authenticated bool) {
	s := c.settings
	secure := s.TLSCertFile != "" || s.TLSTerminated
	for _, l := range []struct {
		addr     *string
		mayLeave bool
	}{{&s.GRPCAddr, true}, {&s.HTTPAddr, true}, {&s.AdminAddr, false}} {
		local, err := onLoopback(*l.addr)
		switch {
		case err != nil:
			c.failf(l.addr, "%w", err)
		case local || l.mayLeave && authenticated && secure:
		case !l.mayLeave:
			c.failf(l.addr, "%q is not a loopback address; metrics and profiles have no authentication: use 127.0.0.1, and PARLEY_METRICS_ADDR for machines that watch the gateway", *l.addr)
		case !authenticated:
			c.failf(l.addr, "%q is not a loopback address; set PARLEY_AUTH_MODE to let callers in over the network, or listen on 127.0.0.1 or [::1]", *l.addr)
		default:
			c.failf(l.addr, "%q is not a loopback address and there is no TLS; set PARLEY_TLS_CERT_FILE and PARLEY_TLS_KEY_FILE, "+
				"or PARLEY_TLS_TERMINATED=true where TLS ends in front of the gateway", *l.addr)
		}
	}
}

// onLoopback reports whether an address can be reached from this machine only.
func onLoopback(addr string) (bool, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return false, fmt.Errorf("%q has no port from 0 to 65535", addr)
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}
