package parley

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/certs"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/rest/httpmw"
)

// securityDeps are the server's dependencies that decide who calls and what they may read, and the record of it.
type securityDeps struct {
	tokens  *authn.Tokens
	tls     *certs.Store
	policy  authz.PolicySource
	audit   *audit.Log
	origins []string
}

// newSecurityDeps opens what cfg names. The error has everything that is missing or broken.
func newSecurityDeps(cfg *Config, stats *metrics.Metrics, reloads *reloads, openAudit auditOpener) (*securityDeps, error) {
	d := &securityDeps{}
	err := errors.Join(d.openTLS(cfg, stats, reloads), d.openPolicy(cfg, reloads), d.openAudit(cfg, stats, openAudit), d.openTokens(cfg))
	origins, wrong := httpmw.Origins(strings.Join(cfg.CORSOrigins, ","))
	d.origins, err = origins, errors.Join(err, configError("CORSOrigins", wrong))
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *securityDeps) openTLS(cfg *Config, stats *metrics.Metrics, reloads *reloads) error {
	if cfg.TLS.CertFile == "" {
		return nil
	}
	files := certs.Files{Cert: cfg.TLS.CertFile, Key: cfg.TLS.KeyFile, ClientCA: cfg.TLS.ClientCAFile}
	loaded, err := certs.Load(files, reloads.options(metrics.FilesCertificates))
	if err != nil {
		return renamed(err, map[string]string{"Cert": "TLS.CertFile", "Key": "TLS.KeyFile", "ClientCA": "TLS.ClientCAFile"})
	}
	d.tls = loaded
	return stats.TLSExpires(loaded.Expires)
}

func (d *securityDeps) openPolicy(cfg *Config, reloads *reloads) error {
	if cfg.PolicyFile == "" {
		return nil
	}
	store, err := authz.Open(cfg.PolicyFile, cfg.aliases(), reloads.options(metrics.FilesPolicy),
		checkOnBehalf(cfg), authz.CheckCredentials(authz.AcceptedCredentials{Tokens: cfg.OIDC != nil, Certificates: cfg.ClientCertificates, Programs: programs(cfg.OIDC)}))
	if err != nil {
		return configError("PolicyFile", err)
	}
	d.policy = store
	return nil
}

// openAudit makes the log of the audit records over the sink that cfg names.
func (d *securityDeps) openAudit(cfg *Config, stats *metrics.Metrics, openFile auditOpener) error {
	sink, err := auditSink(cfg.AuditFile, openFile)
	if err != nil {
		return configError("AuditFile", err)
	}
	d.audit = audit.New(sink, audit.Options{Failed: func(err error) {
		stats.AuditFailure()
		cfg.Logger.Error("an audit record could not be written", "error", err)
	}})
	d.audit.Follow(stats.AuditOK)
	return nil
}

// auditOpener opens the file of the audit records.
type auditOpener func(path string) (audit.Sink, error)

// openAuditFile is the auditOpener of a gateway that is to run.
func openAuditFile(path string) (audit.Sink, error) { return audit.OpenFile(path, nil) }

// checkAuditFile is the auditOpener of a check: it finds out whether the file may be opened, and leaves it as it is.
func checkAuditFile(path string) (audit.Sink, error) {
	return audit.Stream{W: io.Discard}, audit.MayOpen(path)
}

// auditSink returns the sink of a path. Empty is standard error.
func auditSink(path string, openFile auditOpener) (audit.Sink, error) {
	switch path {
	case "", "/dev/stderr":
		return audit.Stream{W: os.Stderr}, nil
	case "/dev/stdout":
		// A link, which is not followed; but it is the name by which everybody knows this sink.
		return audit.Stream{W: os.Stdout}, nil
	default:
		return openFile(path)
	}
}

// openTokens accepts the tokens of one issuer, or of one for each tenant.
func (d *securityDeps) openTokens(cfg *Config) error {
	if cfg.OIDC == nil {
		return nil
	}
	roots, err := authorities(cfg.OIDC.CAFile)
	if err != nil {
		return configError("OIDC.CAFile", err)
	}
	accepted := authn.TokensConfig{
		Issuer: cfg.OIDC.Issuer, Audiences: cfg.OIDC.Audiences, Programs: programs(cfg.OIDC), MaxLifetime: cfg.OIDC.MaxLifetime,
		RootCAs: roots, Proxy: cfg.Proxy, Logger: cfg.Logger,
	}
	for _, alias := range cfg.aliases() {
		if tenant := cfg.Tenants[alias]; tenant.ID != "" {
			accepted.Tenants = append(accepted.Tenants, tenant.tenantID())
		}
	}
	d.tokens, err = authn.NewTokens(accepted)
	return renamed(err, map[string]string{
		"Issuer": "OIDC.Issuer", "Audiences": "OIDC.Audiences", "Tenants": "Tenants", "Programs": "OIDC.Programs", "MaxLifetime": "OIDC.MaxLifetime",
	})
}

// programs is how the issuer tells programs from people, as far as that is known before its first token.
func programs(oidc *OIDC) authn.Programs {
	switch {
	case oidc == nil:
		return authn.ProgramsOf("")
	case oidc.Programs != "":
		return authn.Programs(oidc.Programs)
	default:
		return authn.ProgramsOf(oidc.Issuer)
	}
}

// apply puts the dependencies into a server's configuration.
func (d *securityDeps) apply(cfg *Config, to *server.Config) {
	to.AuthMode, to.CORSOrigins = cfg.authMode(), d.origins
	to.TLS, to.TLSTerminated, to.Policy, to.Audit = d.tls, cfg.TLS.Terminated, d.policy, d.audit
	if d.tokens != nil { // a nil *Tokens would be a Verifier
		to.Tokens = d.tokens
	}
}

func (d *securityDeps) close() error {
	if d == nil {
		return nil
	}
	if d.tokens != nil {
		d.tokens.Close()
	}
	if d.audit == nil {
		return nil
	}
	return d.audit.Close()
}
