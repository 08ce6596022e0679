package parley

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/certs"
	"github.com/parley-gateway/parley/server/doors"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
)

// guards stand at the doors: who calls, what they may read, and the record of it.
type guards struct {
	tokens *authn.Tokens
	tls    *certs.Store
	policy authz.Source
	audit  *audit.Log
}

// newGuards reads what the settings name. Whatever is missing or broken keeps the gateway from starting; the error has all of it.
func newGuards(s *config.Settings, proxy chooser, log *slog.Logger, gauges *metrics.Metrics, dry bool) (*guards, error) {
	g := &guards{}
	tenants := s.ByAlias()
	err := errors.Join(g.openTLS(s, log, gauges), g.openPolicy(s, tenants, log, gauges), g.openAudit(s, log, gauges, dry))
	if slices.Contains(s.AuthModes(), "oidc") {
		tokens, wrong := newTokens(s, tenants, proxy, log)
		g.tokens, err = tokens, errors.Join(err, wrong)
	}
	if err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

func (g *guards) openTLS(s *config.Settings, log *slog.Logger, gauges *metrics.Metrics) (err error) {
	if s.TLSCertFile == "" {
		return nil
	}
	g.tls, err = certs.Load(certs.Files{Cert: s.TLSCertFile, Key: s.TLSKeyFile, ClientCA: s.TLSClientCAFile}, watch("certificates", log, gauges))
	return s.Translate(err, map[string]any{"Cert": &s.TLSCertFile, "Key": &s.TLSKeyFile, "ClientCA": &s.TLSClientCAFile})
}

func (g *guards) openPolicy(s *config.Settings, tenants map[string]config.Settings, log *slog.Logger, gauges *metrics.Metrics) error {
	if s.PolicyFile == "" {
		return nil
	}
	store, err := authz.Open(s.PolicyFile, slices.Sorted(maps.Keys(tenants)), watch("policy", log, gauges),
		checkOnBehalf(s, tenants), authz.Accepted(slices.Contains(s.AuthModes(), "oidc"), slices.Contains(s.AuthModes(), "mtls"), programs(s)))
	if err != nil {
		return s.WrongFile(&s.PolicyFile, err)
	}
	g.policy = store
	return nil
}

// openAudit opens the place of the audit records. A dry run does not touch it.
func (g *guards) openAudit(s *config.Settings, log *slog.Logger, gauges *metrics.Metrics, dry bool) error {
	sink, err := auditSink(s.AuditFile, dry)
	if err != nil {
		return s.Wrong(&s.AuditFile, "%w", err)
	}
	g.audit = audit.New(sink, audit.Options{Failed: func(err error) {
		gauges.AuditFailure()
		log.Error("an audit record could not be written", "error", err)
	}})
	g.audit.Follow(gauges.AuditOK)
	return nil
}

func auditSink(path string, dry bool) (audit.Sink, error) {
	switch {
	case path == "" || path == "/dev/stderr":
		return audit.Stream{W: os.Stderr}, nil
	case path == "/dev/stdout":
		// A link, which is not followed; but it is the name by which everybody knows this sink.
		return audit.Stream{W: os.Stdout}, nil
	case dry:
		return audit.Stream{W: io.Discard}, audit.MayOpen(path)
	default:
		return audit.OpenFile(path, nil)
	}
}

// programs is how the issuer tells programs from people, as far as that is known before its first token.
func programs(s *config.Settings) authn.Programs {
	if s.OIDCPrograms != "" {
		return authn.Programs(s.OIDCPrograms)
	}
	return authn.ProgramsOf(s.OIDCIssuer)
}

// newTokens accepts the tokens of one issuer, or of one for each configured tenant.
func newTokens(s *config.Settings, tenants map[string]config.Settings, proxy chooser, log *slog.Logger) (*authn.Tokens, error) {
	roots, err := authorities(s.OIDCCAFile)
	if err != nil {
		return nil, s.Wrong(&s.OIDCCAFile, "%w", err)
	}
	cfg := authn.TokensConfig{Issuer: s.OIDCIssuer, Programs: programs(s), MaxLifetime: s.TokenMaxLifetime, RootCAs: roots, Proxy: proxy, Logger: log}
	for audience := range strings.SplitSeq(s.OIDCAudience, ",") {
		if audience = strings.TrimSpace(audience); audience != "" {
			cfg.Audiences = append(cfg.Audiences, audience)
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(tenants)) {
		if own := tenants[alias]; own.GraphTenantID != "" {
			cfg.Tenants = append(cfg.Tenants, own.Tenant())
		}
	}
	tokens, err := authn.NewTokens(cfg)
	return tokens, s.Translate(err, map[string]any{
		"Issuer": &s.OIDCIssuer, "Audiences": &s.OIDCAudience, "Tenants": &s.GraphTenantID, "Programs": &s.OIDCPrograms,
		"MaxLifetime": &s.TokenMaxLifetime,
	})
}

// watch tells of reloads. A file that cannot be used is named; the old one stays in force.
func watch(what string, log *slog.Logger, gauges *metrics.Metrics) reload.Options {
	return reload.Options{Report: func(err error) {
		gauges.Reload(what, err == nil)
		if err != nil {
			log.Error("a changed file cannot be used, what was loaded before stays in force", "what", what, "error", err)
			return
		}
		log.Info("a changed file is in force", "what", what)
	}}
}

// apply puts the guards into a server's configuration.
func (g *guards) apply(s *config.Settings, cfg *server.Config) error {
	origins, err := doors.Origins(s.CORSOrigins)
	if err != nil {
		return s.Wrong(&s.CORSOrigins, "%w", err)
	}
	cfg.AuthMode, cfg.CORSOrigins = s.AuthMode, origins
	cfg.TLS, cfg.TLSTerminated, cfg.Policy, cfg.Audit = g.tls, s.TLSTerminated, g.policy, g.audit
	if g.tokens != nil {
		cfg.Tokens = g.tokens
	}
	if len(s.AuthModes()) > 0 {
		cfg.CallerRate, cfg.CallerBurst = float64(s.CallerRate), s.CallerBurst
	}
	cfg.CallerShare, cfg.MaxDeadline = s.CallerShare, s.MaxDeadline
	cfg.StreamStall, cfg.StreamAge = s.StreamStall, s.StreamAge
	if s.MaxDeadline > 0 {
		cfg.StreamAge = min(cfg.StreamAge, s.MaxDeadline)
	}
	cfg.Reflection = s.Reflection == "on" || s.Reflection == "auto" && len(s.AuthModes()) == 0
	return nil
}

func (g *guards) close() error {
	if g == nil {
		return nil
	}
	if g.tokens != nil {
		g.tokens.Close()
	}
	if g.audit == nil {
		return nil
	}
	return g.audit.Close()
}
