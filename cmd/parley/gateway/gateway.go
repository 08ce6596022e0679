// Package gateway assembles the floors: credential → Graph client → sources → cache → engine → server. The Gateway is a
// value that the command line and tests start and stop alike.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/pressure"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/timeline"
)

// SettingError is a failure to start that a setting causes.
type SettingError = server.SettingError

// Gateway is one assembled gateway.
type Gateway struct {
	server *server.Server
	guards *guards
	graphs []*graphclient.Client // one for each tenant
	users  []*graphclient.Delegates
	cache  *cache.Cache
	memory *pressure.Guard
	log    *slog.Logger
	warm   []*warmer
}

// New opens and connects every part, and closes what it opened when one of them fails. It sends nothing to Graph.
func New(settings config.Settings, logger *slog.Logger, version string) (_ *Gateway, err error) {
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
		logger.Warn("a file is open to others", "setting", exposed.Setting, "file", exposed.Path, "problem", exposed.Problem)
	}
	if g.guards, err = newGuards(&settings, logger, gauges); err != nil {
		return nil, err
	}
	limit := memoryLimit()
	if g.cache, err = newCache(&settings, limit, gauges); err != nil {
		return nil, err
	}
	g.memory = pressure.New(pressure.Config{Limit: limit, Cache: g.cache, Logger: logger})
	if err := gauges.Memory(g.cache.Bytes, g.cache.Limit, g.memory.Shedding); err != nil {
		return nil, err
	}
	ahead := readAhead(limit)
	if err := gauges.ReadAhead(ahead.Committed, ahead.Config().Limit); err != nil {
		return nil, err
	}
	engine, err := newEngine(&settings, ahead, logger, gauges)
	if err != nil {
		return nil, err
	}
	tenants, err := g.tenants(&settings, gauges)
	if err != nil {
		return nil, err
	}
	cfg := server.Config{
		GRPCAddr: settings.GRPCAddr, HTTPAddr: settings.HTTPAddr, AdminAddr: settings.AdminAddr,
		Tenants: tenants, Engine: engine, Metrics: gauges, Memory: g.memory, Ledger: ahead, Logger: logger, Version: version,
		OpenAPI: parley.OpenAPI(), Descriptor: parley.Descriptor(),
	}
	if err := g.guards.apply(&settings, &cfg); err != nil {
		return nil, err
	}
	if g.server, err = server.New(cfg); err != nil {
		return nil, err
	}
	return g, nil
}

// tenants makes a Graph client, a credential and the sources of each tenant; they share the cache, whose keys hold the tenant.
func (g *Gateway) tenants(settings *config.Settings, gauges *metrics.Metrics) (map[string]*server.Tenant, error) {
	tenants := make(map[string]*server.Tenant)
	for alias, own := range settings.ByAlias() {
		own.AuthMode = settings.AuthMode
		graph, delegates, err := newClient(&own, g.log, gauges.Graph(alias))
		if err != nil {
			return nil, ofTenant(settings, alias, err)
		}
		g.graphs = append(g.graphs, graph)
		if err := errors.Join(gauges.ClockSkew(alias, graph.Skew),
			gauges.PermissionSuspected(alias, graphclient.SourceCopilot, graph.PermissionSuspected),
			gauges.PermissionSuspected(alias, graphclient.SourceChat, graph.PermissionSuspected)); err != nil {
			return nil, err
		}
		g.warm = append(g.warm, newWarmer(graph, g.log))
		tenants[alias] = newTenant(&own, graph, g.cache, g.log)
		if delegates != nil {
			g.users = append(g.users, delegates)
			tenants[alias].Delegates = newOnBehalf(&own, delegates, g.cache, g.log)
		}
	}
	return tenants, nil
}

// ofTenant names the tenant whose setting is wrong, where there are several.
func ofTenant(settings *config.Settings, alias string, err error) error {
	if bad, ok := errors.AsType[*SettingError](err); ok && len(settings.Tenants) > 0 {
		return &SettingError{Key: "tenants." + alias, Problem: bad.Error()}
	}
	return err
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
		return errors.Join(err, g.release())
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
