package config

import (
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NilTenant stands for the tenant of a Graph that asks for no credential.
const NilTenant = "00000000-0000-0000-0000-000000000000"

var (
	uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	sizeForm = regexp.MustCompile(`^(\d+)(B|KiB|MiB|GiB)?$`)
)

// later are settings of the contract that this version does not have. To ignore them would open a door that
// somebody believes to be shut.
var later = []string{
	"PARLEY_OIDC_ISSUER", "PARLEY_OIDC_AUDIENCE", "PARLEY_TLS_CERT_FILE", "PARLEY_TLS_KEY_FILE", "PARLEY_TLS_CLIENT_CA_FILE",
	"PARLEY_TLS_TERMINATED", "PARLEY_POLICY_FILE", "PARLEY_AUDIT_FILE",
}

// Check returns every contradiction at once; each names its setting and the fix.
func (s *Settings) Check() error {
	var errs []error
	fail := func(setting, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...)))
	}
	for _, name := range later {
		if os.Getenv(name) != "" {
			fail(name, "this version does not have it: callers are admitted on loopback only; unset it")
		}
	}
	if s.AuthMode != "none" {
		fail("PARLEY_AUTH_MODE", "%q is not available in this version; use none, with loopback listeners", s.AuthMode)
	}
	for _, l := range []struct{ setting, addr string }{
		{"PARLEY_GRPC_ADDR", s.GRPCAddr}, {"PARLEY_HTTP_ADDR", s.HTTPAddr}, {"PARLEY_ADMIN_ADDR", s.AdminAddr},
	} {
		if err := loopback(l.addr); err != nil {
			fail(l.setting, "%v", err)
		}
	}
	s.checkGraph(fail)
	if _, err := ParseSize(s.CacheSize); err != nil {
		fail("PARLEY_CACHE_SIZE", "%v", err)
	}
	for _, d := range []struct {
		setting string
		ok      bool
	}{
		{"PARLEY_CACHE_MAX_AGE", s.CacheMaxAge >= 0},
		{"PARLEY_SETTLE_COPILOT", s.SettleCopilot >= 0},
		{"PARLEY_SETTLE_CHAT", s.SettleChat >= 0},
		{"PARLEY_SETTLE_CALL", s.SettleCall >= 0},
	} {
		if !d.ok {
			fail(d.setting, "must not be negative")
		}
	}
	if err := readable(s.SealKeysFile); err != nil {
		fail("PARLEY_SEAL_KEYS_FILE", "%v", err)
	}
	return errors.Join(errs...)
}

func (s *Settings) checkGraph(fail func(setting, format string, args ...any)) {
	for setting, version := range map[string]string{
		"PARLEY_GRAPH_VERSION": s.GraphVersion, "PARLEY_GRAPH_VERSION_COPILOT": s.GraphVersionCopilot,
		"PARLEY_GRAPH_VERSION_CHAT": s.GraphVersionChat, "PARLEY_GRAPH_VERSION_CALL": s.GraphVersionCall,
		"PARLEY_GRAPH_VERSION_CONVERSATIONS": s.GraphVersionConversations, "PARLEY_GRAPH_VERSION_USAGE": s.GraphVersionUsage,
	} {
		if !slices.Contains([]string{"v1.0", "beta"}, version) && (version != "" || setting == "PARLEY_GRAPH_VERSION") {
			fail(setting, "%q is not a generation of Graph; use v1.0 or beta", version)
		}
	}
	if s.GraphModel != "" && s.GraphModel != "A" && s.GraphModel != "B" {
		fail("PARLEY_GRAPH_MODEL", "%q is not a billing model; use A, B, or leave it unset", s.GraphModel)
	}
	for setting, raw := range map[string]string{"PARLEY_GRAPH_URL": s.GraphURL, "PARLEY_GRAPH_AUTHORITY_URL": s.GraphAuthorityURL} {
		if err := rootURL(raw); err != nil {
			fail(setting, "%v", err)
		}
	}
	for setting, path := range map[string]string{
		"PARLEY_GRAPH_CA_FILE": s.GraphCAFile, "PARLEY_GRAPH_CLIENT_SECRET_FILE": s.GraphClientSecretFile,
		"PARLEY_GRAPH_CERTIFICATE_FILE": s.GraphCertificateFile,
	} {
		if err := readable(path); err != nil {
			fail(setting, "%v", err)
		}
	}
	s.checkCredential(fail)
}

func (s *Settings) checkCredential(fail func(setting, format string, args ...any)) {
	need := func(setting, value string) {
		if value == "" {
			fail(setting, "is needed with PARLEY_GRAPH_CREDENTIAL=%s", s.GraphCredential)
		}
	}
	switch s.GraphCredential {
	case "":
		fail("PARLEY_GRAPH_CREDENTIAL", "is not set; use client-secret, client-certificate, workload-identity, managed-identity, "+
			"azure-cli, or none for a Graph on loopback (`parley demo` brings one)")
		return
	case "none":
		need("PARLEY_GRAPH_URL", s.GraphURL)
	case "client-secret":
		need("PARLEY_GRAPH_TENANT_ID", s.GraphTenantID)
		need("PARLEY_GRAPH_CLIENT_ID", s.GraphClientID)
		need("PARLEY_GRAPH_CLIENT_SECRET_FILE", s.GraphClientSecretFile)
	case "client-certificate":
		need("PARLEY_GRAPH_TENANT_ID", s.GraphTenantID)
		need("PARLEY_GRAPH_CLIENT_ID", s.GraphClientID)
		need("PARLEY_GRAPH_CERTIFICATE_FILE", s.GraphCertificateFile)
	case "workload-identity", "managed-identity", "azure-cli":
		need("PARLEY_GRAPH_TENANT_ID", s.GraphTenantID)
	default:
		fail("PARLEY_GRAPH_CREDENTIAL", "%q is unknown; use client-secret, client-certificate, workload-identity, managed-identity, "+
			"azure-cli or none", s.GraphCredential)
	}
	if s.GraphClientSecretFile != "" && s.GraphCredential != "client-secret" {
		fail("PARLEY_GRAPH_CLIENT_SECRET_FILE", "contradicts PARLEY_GRAPH_CREDENTIAL=%s; unset one of them", s.GraphCredential)
	}
	if s.GraphCertificateFile != "" && s.GraphCredential != "client-certificate" {
		fail("PARLEY_GRAPH_CERTIFICATE_FILE", "contradicts PARLEY_GRAPH_CREDENTIAL=%s; unset one of them", s.GraphCredential)
	}
	if s.GraphTenantID != "" && !uuidForm.MatchString(s.GraphTenantID) {
		fail("PARLEY_GRAPH_TENANT_ID", "%q is not a UUID", s.GraphTenantID)
	}
}

// Tenant returns the tenant id, the nil UUID when none is set.
func (s *Settings) Tenant() string {
	if s.GraphTenantID == "" {
		return NilTenant
	}
	return strings.ToLower(s.GraphTenantID)
}

// ParseSize reads a number of bytes such as 512KiB, 64MiB or 2GiB.
func ParseSize(text string) (int64, error) {
	match := sizeForm.FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("%q is not a size; write bytes as 512KiB, 64MiB or 2GiB", text)
	}
	number, err := strconv.ParseUint(match[1], 10, 40)
	if err != nil {
		return 0, fmt.Errorf("%q is too large for a size", text)
	}
	shift := map[string]int{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30}[match[2]]
	if bits.Len64(number)+shift > 62 {
		return 0, fmt.Errorf("%q is too large for a size", text)
	}
	return int64(number << shift), nil
}

func loopback(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return fmt.Errorf("%q has no port from 0 to 65535", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address; without caller authentication only 127.0.0.1 or [::1] may be listened on", addr)
	}
	return nil
}

func rootURL(raw string) error {
	if raw == "" {
		return nil
	}
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return errors.New("is not a URL of the form https://host[:port]")
	}
	if strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil {
		return errors.New("must be scheme and host only: no path, version, query or user")
	}
	return nil
}

func readable(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}
