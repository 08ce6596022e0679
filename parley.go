// Package parley is the gateway as a value: one gRPC and REST API over the conversation data of Microsoft 365 tenants, which a
// program of yours can embed. The command cmd/parley is such a program.
//
//	gateway, err := parley.New(parley.Config{Tenants: map[string]parley.Tenant{"contoso": {…}}})
//	…
//	err = gateway.Start(ctx)   // serves until Close
//	addrs := gateway.Addrs()   // where
//	…
//	err = gateway.Close(ctx)   // lets open calls finish until ctx ends
//
// A Gateway has no state outside itself: it reads no environment and no command line, handles no signal, and ends no process, so that
// several of them run in one process. It opens the files that Config names, listens, and asks Graph and the login service.
//
// New assembles the layers, from the bottom up: credential, Graph client, sources, cache, timeline, server. Clients of the API
// use the generated packages under gen/go.
package parley

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/pressure"
	"github.com/parley-gateway/parley/internal/tracing"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
	"github.com/parley-gateway/parley/timeline"
)

// Gateway is one assembled gateway. Make it with New, run it with Start, end it with Close.
type Gateway struct {
	server   *server.Server
	security *securityDeps
	graphs   []graphClients
	cache    *cache.Cache
	sharing  *sharing
	memory   *pressure.Guard
	watcher  *reload.Watcher
	log      *slog.Logger
	// firstTokens fetch the first token of each tenant.
	firstTokens []*firstToken
	// unregister removes the metrics from the Registerer; nil without one.
	unregister func()
}

// Addrs are the addresses of a gateway, host:port.
type Addrs struct {
	// GRPC serves gRPC, HTTP serves REST and the documents, Admin serves metrics, pprof and channelz. Metrics serves metrics and probes
	// alone; it is empty without such a listener.
	GRPC, HTTP, Admin, Metrics string
}

// New makes a gateway that does not listen yet. It opens the files that cfg names and sends nothing to anybody. When a part cannot
// be made, New closes the others and returns everything that is wrong; see ConfigError.
func New(cfg Config) (*Gateway, error) { return assemble(cfg, openAuditFile) }

// Check reports what would keep New from making a gateway. It reads the files that cfg names, listens nowhere, calls nobody and writes
// nothing.
func Check(cfg Config) error {
	g, err := assemble(cfg, checkAuditFile)
	if err != nil {
		return err
	}
	return g.release()
}

// assemble makes the parts: metrics, the ledger of the memory that calls hold, the dependencies of security, the cache, the store that
// replicas share, the timeline, the sources of the tenants, the memory guard, and last the server over all of them. Only openAudit
// may write. A part that cannot be made does not keep the next one from being tried, so that the error has all mistakes of cfg.
func assemble(cfg Config, openAudit auditOpener) (_ *Gateway, err error) {
	cfg = cfg.WithDefaults()
	cfg.Logger = callinfo.Logger(cfg.Logger)
	stats, err := metrics.New(cfg.Version, cfg.Revision)
	if err != nil {
		return nil, err
	}
	g := &Gateway{watcher: reload.NewWatcher(reload.DefaultInterval), log: cfg.Logger}
	reloads := &reloads{g.watcher, cfg.Logger, stats}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.release())
		}
	}()
	held := newLedger(cfg.MemoryLimit)
	var securityErr, cacheErr, sharingErr error
	g.security, securityErr = newSecurityDeps(&cfg, stats, reloads, openAudit)
	g.cache, cacheErr = newCache(&cfg, stats)
	g.sharing, sharingErr = newSharing(&cfg, stats, reloads)
	engine, engineErr := newEngine(&cfg, held, reloads)
	tenants, tenantsErr := g.newTenants(&cfg, stats, reloads)
	if err := errors.Join(cfg.check(), securityErr, cacheErr, sharingErr, engineErr, tenantsErr); err != nil {
		return nil, err
	}
	g.memory = pressure.New(pressure.Config{Limit: cfg.MemoryLimit, Cache: g.cache, Logger: cfg.Logger})
	if cfg.SetGCPercent != nil {
		g.memory.Tune(cfg.SetGCPercent)
	}
	if err := errors.Join(stats.Memory(g.cache, g.memory.Shedding),
		stats.ReadAhead(held.Committed, held.Config().Limit)); err != nil {
		return nil, err
	}
	if g.server, err = newServer(&cfg, server.Config{
		Tenants: tenants, Engine: engine, Metrics: stats, Memory: g.memory, Ledger: held,
	}, g.security); err != nil {
		return nil, err
	}
	if err := g.register(&cfg, stats); err != nil {
		return nil, err
	}
	return g, nil
}

// register adds the metrics to the Registerer of the embedding program.
func (g *Gateway) register(cfg *Config, stats *metrics.Metrics) error {
	if cfg.Registerer == nil {
		return nil
	}
	if err := cfg.Registerer.Register(stats.Collector()); err != nil {
		return configError("Registerer", err)
	}
	g.unregister = func() { cfg.Registerer.Unregister(stats.Collector()) }
	return nil
}

// newServer makes the server. made is a configuration that has the other parts; newServer fills in the rest of it.
func newServer(cfg *Config, made server.Config, security *securityDeps) (*server.Server, error) {
	made.GRPCAddr, made.HTTPAddr, made.AdminAddr, made.MetricsAddr = cfg.GRPC.Addr, cfg.HTTP.Addr, cfg.Admin.Addr, cfg.Metrics.Addr
	made.Listeners = server.Listeners{GRPC: cfg.GRPC.Listener, HTTP: cfg.HTTP.Listener, Admin: cfg.Admin.Listener, Metrics: cfg.Metrics.Listener}
	made.Logger, made.Version, made.OpenAPI, made.Descriptor, made.FullDescriptor = cfg.Logger, cfg.Version, OpenAPI(), Descriptor(), FullDescriptor()
	if cfg.TracerProvider != nil {
		made.Tracer = tracing.New(cfg.TracerProvider)
	}
	made.ExampleUser, made.Revision = cfg.ExampleUser, cfg.Revision
	made.DrainDelay, made.DrainTime = cfg.Shutdown.Delay, cfg.Shutdown.Timeout
	if cfg.Explorer {
		made.Explorer = explorerSite()
	}
	made.Reflection = cfg.Reflection
	if cfg.authenticates() {
		made.CallerRate, made.CallerBurst = cfg.Limits.CallerRate, cfg.Limits.CallerBurst
	}
	made.CallerShare, made.MaxDeadline = cfg.Limits.CallerShare, cfg.Limits.MaxDeadline
	made.StreamStall, made.StreamAge = cfg.Limits.StreamStall, cfg.Limits.StreamAge
	security.apply(cfg, &made)
	srv, err := server.New(made)
	return srv, serverFields(err)
}

// serverFields turns the errors of fields of the server's configuration into errors of the fields of Config that fill them.
func serverFields(err error) error {
	return renamed(err, map[string]string{
		"GRPCAddr": "GRPC.Addr", "HTTPAddr": "HTTP.Addr", "AdminAddr": "Admin.Addr", "MetricsAddr": "Metrics.Addr", "Tokens": "OIDC",
		"TLS": "TLS.CertFile", "TLS.Roots": "TLS.ClientCAFile", "Policy": "PolicyFile", "Audit": "AuditFile",
	})
}

// newEngine makes the timeline. It seals with the configured keys, or with random ones.
func newEngine(cfg *Config, held *ledger.Ledger, reloads *reloads) (*timeline.Engine, error) {
	sealer, err := newSealer(cfg, reloads)
	if err != nil {
		return nil, err
	}
	engine, err := timeline.New(timeline.Config{Sealer: sealer, Ledger: held, Settle: cfg.settle()})
	if err != nil {
		return nil, fmt.Errorf("timeline: %w", err)
	}
	return engine, nil
}

// newCache makes the cache, whose counts go into stats.
func newCache(cfg *Config, stats *metrics.Metrics) (*cache.Cache, error) {
	size, err := cfg.cacheBytes()
	if err != nil {
		return nil, configError("Cache.Bytes", err)
	}
	return cache.New(cache.Config{MaxBytes: size, MaxAge: cfg.Cache.MaxAge, Observer: stats})
}

// Start opens the listeners and serves until Close; ctx bounds the opening alone. It fetches the first token of each tenant in the
// background. When a listener cannot be opened, Start closes the gateway and returns a *ConfigError.
func (g *Gateway) Start(ctx context.Context) error {
	if err := g.server.Start(ctx); err != nil {
		return errors.Join(serverFields(err), g.release())
	}
	g.memory.Start()
	g.watcher.Start()
	g.sharing.start()
	for _, first := range g.firstTokens {
		first.start()
	}
	return nil
}

// Addrs returns where the gateway serves, after Start.
func (g *Gateway) Addrs() Addrs {
	return Addrs{GRPC: g.server.GRPCAddr(), HTTP: g.server.HTTPAddr(), Admin: g.server.AdminAddr(), Metrics: g.server.MetricsAddr()}
}

// Failed receives the error of a listener that broke, which ends the service. It receives at most one error and is never closed.
func (g *Gateway) Failed() <-chan error { return g.server.Failed() }

// Reload looks at once at the files that a gateway reads again when they change: those of TLS, the policy, seal keys, shared keys and the
// credentials of tenants. A changed file comes into force; one that cannot be used leaves the loaded one in force. A running gateway looks
// at them every five seconds by itself.
func (g *Gateway) Reload() {
	g.log.LogAttrs(context.Background(), slog.LevelInfo, "the files of the configuration are looked at")
	g.watcher.Look()
}

// Close says by health and readiness that the gateway stops, serves on for Config.Shutdown.Delay, takes no more calls then, lets open
// ones finish until ctx ends (or for Config.Shutdown.Timeout, if ctx has no deadline), and releases everything.
func (g *Gateway) Close(ctx context.Context) error {
	for _, first := range g.firstTokens {
		first.stop()
	}
	err := g.server.Close(ctx)
	return errors.Join(err, g.release())
}

// release closes the parts that were made.
func (g *Gateway) release() error {
	if g.unregister != nil {
		g.unregister()
	}
	g.memory.Close()
	g.watcher.Close()
	if g.cache != nil {
		g.cache.Close()
	}
	g.sharing.close()
	for _, graph := range g.graphs {
		graph.close()
	}
	return g.security.close()
}
