package metrics

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/internal/spans"
	"github.com/parley-gateway/parley/source"
)

// ClockSkew shows how far this machine's clock is ahead of Graph's, as the tenant's client last saw it. A tenant is shown once.
func (m *Metrics) ClockSkew(tenant string, skew func() time.Duration) error {
	return m.gauges([]gauge{{
		"parley_graph_clock_skew_seconds", "How far this machine's clock is ahead of Graph's; negative when it is behind.",
		func() float64 { return skew().Seconds() },
	}}, prometheus.Labels{"tenant": tenant})
}

// PermissionSuspected shows whether a Graph API refuses every user of the last minutes without a reason. A tenant's API is shown once.
func (m *Metrics) PermissionSuspected(tenant, api string, suspected func(api string) bool) error {
	return m.gauges([]gauge{{
		"parley_graph_permission_suspected", "1 while Graph refuses a source to every user of the last minutes without a reason, so that a permission may be missing, else 0.",
		func() float64 { return number(suspected(api)) },
	}}, prometheus.Labels{"tenant": tenant, "source": api})
}

// CredentialExpires shows when the certificate of a tenant's login ends. A tenant is shown once.
func (m *Metrics) CredentialExpires(tenant string, at func() time.Time) error {
	return m.gauges([]gauge{{
		"parley_credential_expiration_timestamp_seconds", "When the certificate that the gateway logs in with ends; absent where the login is by something else.",
		func() float64 { return float64(at().Unix()) },
	}}, prometheus.Labels{"tenant": tenant})
}

// GraphLimits shows how much of Graph's limits a tenant uses, and what waits for them. A tenant is shown once.
func (m *Metrics) GraphLimits(tenant string, state func() ratelimit.State) error {
	labels := prometheus.Labels{"tenant": tenant}
	return m.registry.Register(&graphLimits{
		state: state,
		used: prometheus.NewDesc("parley_graph_budget_used_ratio",
			"Part of a published limit of Graph that was used in the last 15 seconds, or in the time of the limit if that is longer; of a limit per user or resource, by the one that used most. "+
				"The gateway keeps it at 0.83 under steady load; after a pause it is more for a moment.", []string{"source", "limit"}, labels),
		queued: prometheus.NewDesc("parley_graph_queued_requests",
			"Requests to Graph that wait for a budget or a Retry-After, by priority: interactive (lists and gets) or background (streams).", []string{"source", "priority"}, labels),
		closed: prometheus.NewDesc("parley_graph_retry_after_seconds",
			"How long Graph's Retry-After still holds requests back, 0 where it does not.", []string{"source"}, labels),
	})
}

// graphLimits collects the state of the limits of a tenant's client.
type graphLimits struct {
	state                func() ratelimit.State
	used, queued, closed *prometheus.Desc
}

var _ prometheus.Collector = (*graphLimits)(nil)

// Describe implements prometheus.Collector.
func (g *graphLimits) Describe(to chan<- *prometheus.Desc) {
	to <- g.used
	to <- g.queued
	to <- g.closed
}

// Collect implements prometheus.Collector.
func (g *graphLimits) Collect(to chan<- prometheus.Metric) {
	show := func(desc *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	state := g.state()
	for _, limit := range state.Limits {
		show(g.used, limit.Used, limit.API, limit.Limit)
	}
	for _, api := range state.APIs {
		show(g.queued, float64(api.Queued[graph.Interactive]), api.API, "interactive")
		show(g.queued, float64(api.Queued[graph.Background]), api.API, "background")
		show(g.closed, api.Closed.Seconds(), api.API)
	}
}

// Graph returns the observer of one tenant's Graph client. The counters of its APIs are there from now on.
func (m *Metrics) Graph(tenant string) graph.Observer {
	for number := range parleyv1.Source_name { // sources of one API share its label
		label := source.Describe(parleyv1.Source(number)).Label
		if label == "" {
			continue
		}
		m.graphRequests.WithLabelValues(label, tenant, "200")
		m.graphRequests.WithLabelValues(label, tenant, "429")
		m.graphSeconds.WithLabelValues(label, tenant)
	}
	return graphObserver{m, tenant}
}

type graphObserver struct {
	m      *Metrics
	tenant string
}

var _ graph.Observer = graphObserver{}

// GraphRequest implements graph.Observer.
func (o graphObserver) GraphRequest(ctx context.Context, api string, status int, took time.Duration) {
	o.m.graphRequests.WithLabelValues(api, o.tenant, strconv.Itoa(status)).Inc()
	if status == 0 {
		return
	}
	traceID := ""
	if place := spans.Current(ctx); place != (spans.Place{}) {
		traceID = hex.EncodeToString(place.Trace[:])
	}
	observe(o.m.graphSeconds.WithLabelValues(api, o.tenant), took, traceID)
}

// GraphWait implements graph.Observer.
func (o graphObserver) GraphWait(api string, waited time.Duration) {
	o.m.graphWait.WithLabelValues(api).Observe(waited.Seconds())
}

// CredentialState implements graph.Observer.
func (o graphObserver) CredentialState(ok bool) {
	o.m.credentialOK.WithLabelValues(o.tenant).Set(number(ok))
}
