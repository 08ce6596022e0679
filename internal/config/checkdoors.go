package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-gateway/parley/server/callers"
	"github.com/parley-gateway/parley/server/doors"
)

// failer notes one contradiction: the setting and what to do about it.
type failer func(setting, format string, args ...any)

// AuthModes are the ways callers are known, in any order; empty for none.
func (s *Settings) AuthModes() []string {
	if s.AuthMode == "none" {
		return nil
	}
	return strings.Split(s.AuthMode, ",")
}

// checkDoors finds what would leave a door open that somebody believes to be shut.
func (s *Settings) checkDoors(fail failer) {
	modes := s.AuthModes()
	for i, mode := range modes {
		if (mode != "oidc" && mode != "mtls") || slices.Contains(modes[:i], mode) {
			fail("PARLEY_AUTH_MODE", "%q is unknown; use none, oidc, mtls or oidc,mtls", s.AuthMode)
			return
		}
	}
	oidc, mtls := slices.Contains(modes, "oidc"), slices.Contains(modes, "mtls")
	for _, c := range []struct {
		setting, value string
		needed, used   bool
	}{
		{"PARLEY_OIDC_ISSUER", s.OIDCIssuer, oidc, oidc},
		{"PARLEY_OIDC_AUDIENCE", s.OIDCAudience, oidc, oidc},
		{"PARLEY_OIDC_CA_FILE", s.OIDCCAFile, false, oidc},
		{"PARLEY_OIDC_PROGRAMS", s.OIDCPrograms, false, oidc},
		{"PARLEY_TLS_CERT_FILE", s.TLSCertFile, mtls || s.TLSKeyFile != "", true},
		{"PARLEY_TLS_KEY_FILE", s.TLSKeyFile, mtls || s.TLSCertFile != "", true},
		{"PARLEY_TLS_CLIENT_CA_FILE", s.TLSClientCAFile, mtls, mtls},
		{"PARLEY_POLICY_FILE", s.PolicyFile, len(modes) > 0, true},
	} {
		switch {
		case c.needed && c.value == "" && strings.HasPrefix(c.setting, "PARLEY_TLS") && !mtls:
			fail(c.setting, "is needed: a certificate and its key go together")
		case c.needed && c.value == "":
			fail(c.setting, "is needed with PARLEY_AUTH_MODE=%s", s.AuthMode)
		case !c.used && c.value != "":
			fail(c.setting, "is set, yet PARLEY_AUTH_MODE=%s does not use it; unset one of them", s.AuthMode)
		}
	}
	s.checkDoorFiles(fail)
	if s.TLSTerminated && s.TLSCertFile != "" {
		fail("PARLEY_TLS_TERMINATED", "contradicts PARLEY_TLS_CERT_FILE: TLS ends here or in front of the gateway; unset one of them")
	}
	if len(modes) == 0 && s.TLSTerminated {
		fail("PARLEY_TLS_TERMINATED", "is set, yet PARLEY_AUTH_MODE=none admits callers on loopback only; set PARLEY_AUTH_MODE")
	}
	s.checkListeners(fail, len(modes) > 0)
}

func (s *Settings) checkDoorFiles(fail failer) {
	for _, c := range []struct{ setting, path string }{
		{"PARLEY_OIDC_CA_FILE", s.OIDCCAFile},
		{"PARLEY_TLS_CERT_FILE", s.TLSCertFile},
		{"PARLEY_TLS_KEY_FILE", s.TLSKeyFile},
		{"PARLEY_TLS_CLIENT_CA_FILE", s.TLSClientCAFile},
		{"PARLEY_POLICY_FILE", s.PolicyFile},
	} {
		if err := readable(c.path); err != nil {
			fail(c.setting, "%v", err)
		}
	}
	if parsed, err := url.Parse(s.OIDCIssuer); s.OIDCIssuer != "" && (err != nil || parsed.Scheme != "https" || parsed.Host == "") {
		fail("PARLEY_OIDC_ISSUER", "is not an https URL, such as https://login.microsoftonline.com/{tid}/v2.0")
	}
	if known := callers.ProgramsNames(); s.OIDCPrograms != "" && !slices.Contains(known, s.OIDCPrograms) {
		fail("PARLEY_OIDC_PROGRAMS", "%q is unknown; use %s, or leave it unset", s.OIDCPrograms, strings.Join(known, ", "))
	}
	if s.TokenMaxLifetime < 0 {
		fail("PARLEY_TOKEN_MAX_LIFETIME", "must not be negative")
	}
	if _, err := doors.Origins(s.CORSOrigins); err != nil {
		fail("PARLEY_CORS_ORIGINS", "%v", err)
	}
	if s.CallerRate < 0 || s.CallerBurst < 0 {
		fail("PARLEY_CALLER_RATE", "and PARLEY_CALLER_BURST must not be negative")
	}
}

// checkListeners keeps listeners on loopback that ask nobody, or that would send chats in the clear.
func (s *Settings) checkListeners(fail failer, authenticated bool) {
	secure := s.TLSCertFile != "" || s.TLSTerminated
	for _, l := range []struct {
		setting, addr string
		mayLeave      bool
	}{
		{"PARLEY_GRPC_ADDR", s.GRPCAddr, true},
		{"PARLEY_HTTP_ADDR", s.HTTPAddr, true},
		{"PARLEY_ADMIN_ADDR", s.AdminAddr, false},
	} {
		local, err := onLoopback(l.addr)
		switch {
		case err != nil:
			fail(l.setting, "%v", err)
		case local || l.mayLeave && authenticated && secure:
		case !l.mayLeave:
			fail(l.setting, "%q is not a loopback address; metrics and profiles have no authentication", l.addr)
		case !authenticated:
			fail(l.setting, "%q is not a loopback address; without caller authentication only 127.0.0.1 or [::1] may be listened on", l.addr)
		default:
			fail(l.setting, "%q is not a loopback address and there is no TLS; set PARLEY_TLS_CERT_FILE and _KEY_FILE, "+
				"or PARLEY_TLS_TERMINATED=true where TLS ends in front of the gateway", l.addr)
		}
	}
}

// onLoopback says whether an address can be reached from this machine only.
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
