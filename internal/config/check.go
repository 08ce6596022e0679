package config

import (
	"errors"
	"fmt"
	"math/bits"
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

// Check returns every contradiction at once; each names its setting and the fix.
func (s *Settings) Check() error {
	var errs []error
	fail := func(setting, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...)))
	}
	s.checkDoors(fail)
	s.checkTenants(fail)
	if _, err := s.CacheBytes(0); err != nil {
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
		{"PARLEY_CALLER_GRAPH_REQUESTS", s.CallerGraphRequests >= 0},
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

func (s *Settings) checkGraph(fail failer) {
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

func (s *Settings) checkCredential(fail failer) {
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
