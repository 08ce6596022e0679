// Package parley assembles the floors: credential → Graph client → sources → cache → engine → server. The Gateway is a
// value that the command line and tests start and stop alike.
package parley

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/pressure"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/timeline"
)

// Gateway is one assembled gateway.
type Gateway struct {
	// settings name the setting behind a failure of the server.
	settings *config.Settings
	server   *server.Server
	guards   *guards
	proxy    chooser               // nil = none
	graphs   []*graphclient.Client // one for each tenant
	users    []*graphclient.Delegates
	cache    *cache.Cache
	memory   *pressure.Guard
	log      *slog.Logger
	warm     []*warmer
}

// New opens and connects every part, and closes what it opened when one of them fails. It sends nothing to Graph. The error has
// every setting that keeps a part from being made, each a *config.Error.
func New(settings config.Settings, logger *slog.Logger, version string) (*Gateway, error) {
	return assemble(&settings, logger, version, false)
}

// Check makes every part as New does, and lets go of it: it reads the files that the settings name, listens nowhere, calls nobody
// and writes nothing.
func Check(settings config.Settings, version string) error {
	g, err := assemble(&settings, slog.New(slog.DiscardHandler), version, true)
	if err != nil {
		return err
	}
	return g.release()
}

func assemble(settings *config.Settings, logger *slog.Logger, version string, dry bool) (_ *Gateway, err error) {
	gauges, err := metrics.New(version, "")
	if err != nil {
		return nil, err
	}
	g := &Gateway{log: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.release())
		}
	}()
	for _, exposed := range settings.Exposed() {
		logger.Warn("a file of the configuration is open to others", "problem", exposed.Problem, "setting", exposed.Setting, "file", exposed.Path)
	}
	var noGuards, noCache error
	limit := memoryLimit()
	ahead := readAhead(limit)
	proxy, noProxy := egress(settings, logger)
	g.proxy = proxy
	g.guards, noGuards = newGuards(settings, proxy, logger, gauges, dry)
	g.cache, noCache = newCache(settings, limit, gauges)
	engine, noEngine := newEngine(settings, ahead, logger, gauges)
	tenants, noTenants := g.tenants(settings, gauges)
	if err := errors.Join(noProxy, noGuards, noCache, noEngine, noTenants); err != nil {
		return nil, err
	}
	g.memory = pressure.New(pressure.Config{Limit: limit, Cache: g.cache, Logger: logger})
	if err := errors.Join(gauges.Memory(g.cache.Bytes, g.cache.Limit, g.memory.Shedding),
		gauges.ReadAhead(ahead.Committed, ahead.Config().Limit)); err != nil {
		return nil, err
	}
	cfg := server.Config{
		GRPCAddr: settings.GRPCAddr, HTTPAddr: settings.HTTPAddr, AdminAddr: settings.AdminAddr,
		Tenants: tenants, Engine: engine, Metrics: gauges, Memory: g.memory, Ledger: ahead, Logger: logger, Version: version,
		OpenAPI: OpenAPI(), Descriptor: Descriptor(), FullDescriptor: FullDescriptor(),
	}
	if err := g.guards.apply(settings, &cfg); err != nil {
		return nil, err
	}
	g.settings = settings
	if g.server, err = server.New(cfg); err != nil {
		return nil, g.ofServer(err)
	}
	return g, nil
}

// ofServer names the setting behind a field of the server's configuration.
func (g *Gateway) ofServer(err error) error {
	s := g.settings
	return s.Translate(err, map[string]any{
		"GRPCAddr": &s.GRPCAddr, "HTTPAddr": &s.HTTPAddr, "AdminAddr": &s.AdminAddr, "AuthMode": &s.AuthMode, "Tokens": &s.OIDCIssuer,
		"TLS": &s.TLSCertFile, "TLS.Roots": &s.TLSClientCAFile, "Policy": &s.PolicyFile, "Audit": &s.AuditFile,
	})
}

// tenants makes a Graph client, a credential and the sources of each tenant; they share the cache, whose keys hold the tenant.
func (g *Gateway) tenants(settings *config.Settings, gauges *metrics.Metrics) (map[string]*server.Tenant, error) {
	tenants := make(map[string]*server.Tenant)
	var errs []error
	for alias, own := range settings.ByAlias() {
		own.AuthMode = settings.AuthMode
		graph, delegates, err := newClient(&own, g.proxy, g.log, gauges.Graph(alias))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		g.graphs = append(g.graphs, graph)
		if delegates != nil {
			g.users = append(g.users, delegates)
		}
		if err := errors.Join(gauges.ClockSkew(alias, graph.Skew),
			gauges.PermissionSuspected(alias, graphclient.SourceCopilot, graph.PermissionSuspected),
			gauges.PermissionSuspected(alias, graphclient.SourceChat, graph.PermissionSuspected)); err != nil {
			return nil, err
		}
		if g.cache == nil { // it could not be made
			continue
		}
		g.warm = append(g.warm, newWarmer(graph, g.log))
		tenants[alias] = newTenant(&own, graph, g.cache, g.log)
		if delegates != nil {
			tenants[alias].Delegates = newOnBehalf(&own, delegates, g.cache, g.log)
		}
	}
	return tenants, errors.Join(errs...)
}

// newEngine seals with the configured keys, or with random ones and a warning.
func newEngine(settings *config.Settings, ahead *ledger.Ledger, logger *slog.Logger, gauges *metrics.Metrics) (*timeline.Engine, error) {
	keys, err := newSealer(settings, logger, gauges)
	if err != nil {
		return nil, err
	}
	engine, err := timeline.New(timeline.Config{
		Sealer: keys, Ledger: ahead, Logger: logger,
		Settle: settle(settings),
	})
	if err != nil {
		return nil, fmt.Errorf("timeline: %w", err)
	}
	return engine, nil
}

// Start opens the listeners; ctx bounds the opening only. The first token is fetched in the background.
func (g *Gateway) Start(ctx context.Context) error {
	if err := g.server.Start(ctx); err != nil {
		return errors.Join(g.ofServer(err), g.release())
	}
	g.memory.Start()
	for _, warm := range g.warm {
		warm.start()
	}
	return nil
}

// GRPCAddr is where gRPC is served, after Start.
func (g *Gateway) GRPCAddr() string { return g.server.GRPCAddr() }

// HTTPAddr is where REST is served.
func (g *Gateway) HTTPAddr() string { return g.server.HTTPAddr() }

// AdminAddr is where metrics are served.
func (g *Gateway) AdminAddr() string { return g.server.AdminAddr() }

// Failed tells a failure of a listener that ended the service.
func (g *Gateway) Failed() <-chan error { return g.server.Failed() }

// Close drains open calls until ctx ends, then releases everything.
func (g *Gateway) Close(ctx context.Context) error {
	for _, warm := range g.warm {
		warm.stop()
	}
	err := g.server.Close(ctx)
	return errors.Join(err, g.release())
}

func (g *Gateway) release() error {
	g.memory.Close()
	if g.cache != nil {
		g.cache.Close()
	}
	for _, delegates := range g.users {
		delegates.Close()
	}
	for _, graph := range g.graphs {
		graph.Close()
	}
	return g.guards.close()
}
