package config

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/internal/fielderror"
)

// NewGateway makes the gateway that the settings describe. In own stand the parts that no setting describes: the logger, the version, the
// receiver of spans, and whether the gateway tunes the garbage collector. The error names every setting that keeps a part from being
// made, each by an *Error.
func (s *Settings) NewGateway(own parley.Config) (*parley.Gateway, error) {
	if own.Logger == nil {
		own.Logger = slog.New(slog.DiscardHandler)
	}
	s.warn(own.Logger)
	cfg, err := s.gateway(own)
	if err != nil {
		return nil, errors.Join(err, s.Translate(parley.Check(cfg)))
	}
	made, err := parley.New(cfg)
	return made, s.Translate(err)
}

// CheckGateway returns the errors that would keep NewGateway from making a gateway. It reads the files that the settings name, and neither
// listens, calls nor writes.
func (s *Settings) CheckGateway() error {
	cfg, err := s.gateway(parley.Config{Logger: slog.New(slog.DiscardHandler)})
	return errors.Join(err, s.Translate(parley.Check(cfg)))
}

// warn logs the settings that are accepted although they should be mended.
func (s *Settings) warn(log *slog.Logger) {
	for _, exposed := range s.Exposed() {
		log.Warn("a file of the configuration is open to others", "problem", exposed.Problem, "setting", exposed.Setting, "file", exposed.Path)
	}
	if s.SealKeysFile == "" {
		log.Warn("no file of keys is set: page and resume tokens end with this process and serve no other replica", "setting", s.Name(&s.SealKeysFile))
	}
}

// gateway adds the settings to the configuration of a gateway. The error has the settings that cannot be read.
func (s *Settings) gateway(cfg parley.Config) (parley.Config, error) {
	proxy, noProxy := s.egress(cfg.Logger)
	size, noSize := s.cacheBytes()
	cfg.GRPC.Addr, cfg.HTTP.Addr, cfg.Admin.Addr, cfg.Metrics.Addr = s.GRPCAddr, s.HTTPAddr, s.AdminAddr, s.MetricsAddr
	if slices.Contains(s.AuthModes(), "oidc") {
		cfg.OIDC = &parley.OIDC{
			Issuer: s.OIDCIssuer, Audiences: list(s.OIDCAudience), Programs: s.OIDCPrograms, CAFile: s.OIDCCAFile, MaxLifetime: s.TokenMaxLifetime,
		}
	}
	cfg.ClientCertificates = slices.Contains(s.AuthModes(), "mtls")
	cfg.TLS = parley.TLS{CertFile: s.TLSCertFile, KeyFile: s.TLSKeyFile, ClientCAFile: s.TLSClientCAFile, Terminated: s.TLSTerminated}
	cfg.PolicyFile, cfg.AuditFile, cfg.SealKeysFile = s.PolicyFile, s.AuditFile, s.SealKeysFile
	cfg.CORSOrigins = list(s.CORSOrigins)
	cfg.Reflection = s.Reflection == "on" || s.Reflection == "auto" && len(s.AuthModes()) == 0
	cfg.Explorer = s.Explorer == "on"
	cfg.Limits = parley.Limits{
		CallerRate: float64(zeroIsNone(s.CallerRate)), CallerBurst: zeroIsNone(s.CallerBurst), CallerGraphRequests: s.CallerGraphRequests,
		CallerShare: s.CallerShare, MaxDeadline: s.MaxDeadline, StreamStall: s.StreamStall, StreamAge: s.StreamAge,
	}
	cfg.GraphShare = s.GraphShare
	cfg.Shared = parley.Shared{
		URL: s.SharedURL, Username: s.SharedUsername, PasswordFile: s.SharedPasswordFile, CAFile: s.SharedCAFile, KeysFile: s.SharedKeysFile,
		Prefix: s.SharedPrefix, Timeout: s.SharedTimeout,
	}
	cfg.Cache = parley.Cache{Bytes: size, MaxAge: zeroIsNone(s.CacheMaxAge)}
	cfg.Settle = parley.Settle{Copilot: s.SettleCopilot, Chat: s.SettleChat, Call: s.SettleCall}
	cfg.Shutdown = parley.Shutdown{Delay: s.ShutdownDelay, Timeout: s.ShutdownTimeout}
	cfg.Proxy = proxy
	cfg.Tenants = make(map[string]parley.Tenant)
	for alias, own := range s.ByAlias() {
		cfg.Tenants[alias] = own.tenant()
	}
	return cfg, errors.Join(noProxy, noSize)
}

// tenant describes the tenant whose settings these are.
func (s *Settings) tenant() parley.Tenant {
	return parley.Tenant{
		ID: s.GraphTenantID, ClientID: s.GraphClientID,
		Credential: s.GraphCredential, ClientSecretFile: s.GraphClientSecretFile, CertificateFile: s.GraphCertificateFile,
		Cloud: s.GraphCloud, BaseURL: s.GraphURL, AuthorityURL: s.GraphAuthorityURL, CAFile: s.GraphCAFile, ReportHosts: list(s.GraphReportHosts),
		Version: s.GraphVersion, Model: s.GraphModel,
		Versions: parley.Versions{
			Copilot: s.GraphVersionCopilot, Chat: s.GraphVersionChat, Call: s.GraphVersionCall,
			Conversations: s.GraphVersionConversations, Usage: s.GraphVersionUsage,
		},
	}
}

// cacheBytes is the size of the cache as a gateway's configuration has it: 0 = the default, negative = none.
func (s *Settings) cacheBytes() (int64, error) {
	if s.CacheSize == "" {
		return 0, nil
	}
	size, err := ParseSize(s.CacheSize)
	if err != nil {
		return 0, s.Errorf(&s.CacheSize, "%w", err)
	}
	return zeroIsNone(size), nil
}

// zeroIsNone turns the value of a setting, where 0 means none, into one of a gateway's configuration, where 0 means the default and a
// negative value means none.
func zeroIsNone[T ~int | ~int64](value T) T {
	if value == 0 {
		return -1
	}
	return value
}

// list reads values that are separated by commas.
func list(text string) []string {
	var values []string
	for value := range strings.SplitSeq(text, ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// Translate turns the errors of fields of a gateway's configuration into errors of settings; others stay as they are.
func (s *Settings) Translate(err error) error {
	all := fielderror.Flat(err)
	for i, each := range all {
		if fieldErr, ok := errors.AsType[*parley.ConfigError](each); ok {
			all[i] = s.settingError(fieldErr)
		}
	}
	return errors.Join(all...)
}

// settingError returns the error of the setting that fills a field of a gateway's configuration.
func (s *Settings) settingError(fieldErr *parley.ConfigError) error {
	owner, fields, path := s, s.fields(), fieldErr.Field
	if alias, field, ok := splitTenantPath(path); ok {
		own, found := s.ByAlias()[alias]
		if !found || field == "" {
			return &Error{Setting: tenantsKey, text: fmt.Sprintf("%s: %s %s", tenantsKey, quote(shorten(alias)), fieldErr.Problem), cause: fieldErr}
		}
		owner, fields, path = &own, own.tenantFields(), field
	}
	field, found := fields[path]
	if !found {
		return fieldErr
	}
	named := owner.Errorf(field, "%s", fieldErr.Problem)
	named.cause = fieldErr
	return named
}

// splitTenantPath splits the path of a field of a tenant, Tenants[alias].field. It reports whether the path is one.
func splitTenantPath(path string) (alias, field string, ok bool) {
	rest, ok := strings.CutPrefix(path, "Tenants[")
	alias, field, closed := strings.Cut(rest, "]")
	return alias, strings.TrimPrefix(field, "."), ok && closed
}

// fields maps the path of each field of a gateway's configuration to the setting that fills it. Fields without a setting are left out.
func (s *Settings) fields() map[string]any {
	return map[string]any{
		"Tenants": &s.GraphTenantID,

		"GRPC.Addr": &s.GRPCAddr, "HTTP.Addr": &s.HTTPAddr, "Admin.Addr": &s.AdminAddr, "Metrics.Addr": &s.MetricsAddr,

		"OIDC": &s.OIDCIssuer, "OIDC.Issuer": &s.OIDCIssuer, "OIDC.Audiences": &s.OIDCAudience, "OIDC.Programs": &s.OIDCPrograms,
		"OIDC.CAFile": &s.OIDCCAFile, "OIDC.MaxLifetime": &s.TokenMaxLifetime, "ClientCertificates": &s.AuthMode,
		"TLS.CertFile": &s.TLSCertFile, "TLS.KeyFile": &s.TLSKeyFile, "TLS.ClientCAFile": &s.TLSClientCAFile, "TLS.Terminated": &s.TLSTerminated,
		"PolicyFile": &s.PolicyFile, "AuditFile": &s.AuditFile, "SealKeysFile": &s.SealKeysFile, "CORSOrigins": &s.CORSOrigins, "Explorer": &s.Explorer,
		"Reflection": &s.Reflection,

		"Limits.CallerRate": &s.CallerRate, "Limits.CallerBurst": &s.CallerBurst, "Limits.CallerGraphRequests": &s.CallerGraphRequests,
		"Limits.CallerShare": &s.CallerShare, "Limits.MaxDeadline": &s.MaxDeadline, "Limits.StreamStall": &s.StreamStall,
		"Limits.StreamAge": &s.StreamAge,
		"GraphShare":       &s.GraphShare,
		"Shared.URL":       &s.SharedURL, "Shared.Username": &s.SharedUsername, "Shared.PasswordFile": &s.SharedPasswordFile,
		"Shared.CAFile": &s.SharedCAFile, "Shared.KeysFile": &s.SharedKeysFile, "Shared.Prefix": &s.SharedPrefix,
		"Shared.Timeout": &s.SharedTimeout,
		"Cache.Bytes":    &s.CacheSize, "Cache.MaxAge": &s.CacheMaxAge,
		"Settle.Copilot": &s.SettleCopilot, "Settle.Chat": &s.SettleChat, "Settle.Call": &s.SettleCall,
		"Shutdown.Delay": &s.ShutdownDelay, "Shutdown.Timeout": &s.ShutdownTimeout,
		"Proxy": &s.ProxyURL,
	}
}

// tenantFields maps the path of each field of a tenant to the setting that fills it.
func (s *Settings) tenantFields() map[string]any {
	return map[string]any{
		"ID": &s.GraphTenantID, "ClientID": &s.GraphClientID, "Credential": &s.GraphCredential, "ClientSecretFile": &s.GraphClientSecretFile,
		"CertificateFile": &s.GraphCertificateFile, "Cloud": &s.GraphCloud, "BaseURL": &s.GraphURL, "AuthorityURL": &s.GraphAuthorityURL,
		"CAFile": &s.GraphCAFile, "ReportHosts": &s.GraphReportHosts, "Version": &s.GraphVersion, "Model": &s.GraphModel,
		"Versions.Copilot": &s.GraphVersionCopilot, "Versions.Chat": &s.GraphVersionChat, "Versions.Call": &s.GraphVersionCall,
		"Versions.Conversations": &s.GraphVersionConversations, "Versions.Usage": &s.GraphVersionUsage,
	}
}
