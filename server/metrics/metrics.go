// Package metrics holds the gateway's Prometheus metrics. Their names are fixed by the design; no label holds a user.
package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// Metrics holds the gateway's metrics in one registry and those of the process in another. It is safe for concurrent use.
type Metrics struct {
	registry, process *prometheus.Registry
	requests          *prometheus.CounterVec
	requestSeconds    *prometheus.HistogramVec
	graphRequests     *prometheus.CounterVec
	graphWait         *prometheus.HistogramVec
	cacheRequests     *prometheus.CounterVec
	streamsIncomplete *prometheus.CounterVec
	credentialOK      *prometheus.GaugeVec
	auditFailures     prometheus.Counter
	auditOK           prometheus.Gauge
	reloads           *prometheus.CounterVec
	reloaded          *prometheus.GaugeVec
	shed              *prometheus.CounterVec
}

var _ cache.Observer = (*Metrics)(nil)

// Causes of Shed.
const (
	ShedMemory  = "memory"
	ShedCalls   = "calls"
	ShedStreams = "streams"
	// ShedReadAhead: what streams may read ahead is spoken for.
	ShedReadAhead = "read_ahead"
	// ShedOpen: a connection has too many health watches and reflections.
	ShedOpen = "open"
	// ShedConnections: a connection was cut to make room for others.
	ShedConnections = "connections"
)

// What files hold, as reloads name them.
const (
	FilesCertificates = "certificates"
	FilesPolicy       = "policy"
	FilesSealKeys     = "seal keys"
	FilesCredentials  = "credentials"
)

// Results of reloads.
const (
	reloadOK     = "ok"
	reloadFailed = "failed"
)

// New registers all metrics in a registry of their own. Version and revision become labels of parley_build_info.
func New(version, revision string) (*Metrics, error) {
	m := &Metrics{
		registry: prometheus.NewRegistry(), process: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_requests_total", Help: "Calls that ended, by method, code, reason and tenant.",
		}, []string{"rpc", "code", "reason", "tenant"}),
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_request_seconds", Help: "Time from the start to the end of a call, streams included.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60, 300, 1800},
		}, []string{"rpc"}),
		graphRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_graph_requests_total", Help: "Requests to Graph, by source, tenant and HTTP status (0 = no answer).",
		}, []string{"source", "tenant", "status"}),
		graphWait: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_graph_wait_seconds", Help: "Time that requests to Graph waited for a budget, a Retry-After or a back-off.",
			Buckets: []float64{.001, .01, .1, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"source"}),
		cacheRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_cache_requests_total", Help: "Look-ups of pages, by source and result.",
		}, []string{"source", "result"}),
		streamsIncomplete: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_streams_incomplete_total", Help: "Streams that ended without being complete, by source and reason.",
		}, []string{"source", "reason"}),
		credentialOK: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "parley_credential_ok", Help: "1 when the tenant's last login succeeded, else 0.",
		}, []string{"tenant"}),
		auditFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "parley_audit_failures_total", Help: "Audit records that could not be written.",
		}),
		auditOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "parley_audit_ok", Help: "1 when the last audit record could be written in time, else 0: no call is served.",
		}),
	}
	m.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "parley_reloads_total", Help: "Changed files that were read again, by what they hold and result (ok, failed).",
	}, []string{"what", "result"})
	for _, what := range []string{FilesCertificates, FilesPolicy, FilesSealKeys, FilesCredentials} {
		m.reloads.WithLabelValues(what, reloadOK)
		m.reloads.WithLabelValues(what, reloadFailed)
	}
	m.reloaded = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "parley_reload_last_success_timestamp_seconds", Help: "When files were last read with success, at the start or after a change, by what they hold.",
	}, []string{"what"})
	m.shed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "parley_shed_total", Help: "Calls that were refused, and connections that were cut, because the gateway had no room, by cause: memory, calls, streams, read_ahead, open, connections.",
	}, []string{"cause"})
	for _, cause := range []string{ShedMemory, ShedCalls, ShedStreams, ShedReadAhead, ShedOpen, ShedConnections} {
		m.shed.WithLabelValues(cause)
	}
	if err := m.registerAll(version, revision); err != nil {
		return nil, err
	}
	return m, nil
}

// registerAll registers the metrics, with the build's, and those of the process.
func (m *Metrics) registerAll(version, revision string) error {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "parley_build_info", Help: "Always 1; the labels say which build runs.",
	}, []string{"version", "revision", "go_version"})
	build.WithLabelValues(version, revision, runtime.Version()).Set(1)
	for _, c := range []prometheus.Collector{
		m.requests, m.requestSeconds, m.graphRequests, m.graphWait, m.cacheRequests, m.streamsIncomplete, m.credentialOK,
		m.auditFailures, m.auditOK, m.reloads, m.reloaded, m.shed, build,
	} {
		if err := m.registry.Register(c); err != nil {
			return err
		}
	}
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := m.process.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// Collector returns the gateway's metrics without those of the process, for a registry of somebody else. It is registered
// after the last metric of a part was added.
func (m *Metrics) Collector() prometheus.Collector { return m.registry }

// Handler serves the metrics of the gateway and of the process in Prometheus' formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, m.process}, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Request counts one ended call. The method is a full gRPC name; the tenant is an alias of the configuration or empty.
func (m *Metrics) Request(method, code, reason, tenant string, took time.Duration) {
	rpc := method[strings.LastIndexByte(method, '/')+1:]
	m.requests.WithLabelValues(rpc, code, reason, tenant).Inc()
	m.requestSeconds.WithLabelValues(rpc).Observe(took.Seconds())
}

// CacheRequest counts one look-up; the result is a word such as hit or miss. It implements cache.Observer.
func (m *Metrics) CacheRequest(source, result string) {
	m.cacheRequests.WithLabelValues(source, result).Inc()
}

// Memory shows what the cache takes and may take, and whether memory is shed.
func (m *Metrics) Memory(cacheBytes, cacheLimit func() int64, shedding func() bool) error {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"parley_cache_bytes", "Memory that cached pages take.", func() float64 { return float64(cacheBytes()) }},
		{"parley_cache_limit_bytes", "Memory that cached pages may take; less than configured while memory is short.", func() float64 { return float64(cacheLimit()) }},
		{"parley_memory_shedding", "1 while memory is short: the cache is smaller than configured, or new streams are refused.", func() float64 {
			if shedding() {
				return 1
			}
			return 0
		}},
	} {
		if err := m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, g.value)); err != nil {
			return err
		}
	}
	return nil
}

// ReadAhead shows what streams hold or may still take of the memory that there is for reading ahead.
func (m *Metrics) ReadAhead(committed func() int64, limit int64) error {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"parley_read_ahead_bytes", "Memory that streams hold, or may still take, for events that are not sent yet.", func() float64 { return float64(committed()) }},
		{"parley_read_ahead_limit_bytes", "Memory that all streams may take for events that are not sent yet.", func() float64 { return float64(limit) }},
	} {
		if err := m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, g.value)); err != nil {
			return err
		}
	}
	return nil
}

// Shed counts a call that was refused because the gateway has no room for it: the cause is one of those above.
func (m *Metrics) Shed(cause string) { m.shed.WithLabelValues(cause).Inc() }

// StreamIncomplete counts a source of a stream that ended without being complete.
func (m *Metrics) StreamIncomplete(source, reason string) {
	m.streamsIncomplete.WithLabelValues(source, reason).Inc()
}

// AuditFailure counts an audit record that could not be written.
func (m *Metrics) AuditFailure() { m.auditFailures.Inc() }

// AuditOK reports whether audit records can be written.
func (m *Metrics) AuditOK(ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	m.auditOK.Set(value)
}

// Reload counts a changed file that came into force, or did not.
func (m *Metrics) Reload(what string, ok bool) {
	result := reloadOK
	if !ok {
		result = reloadFailed
	} else {
		m.Loaded(what)
	}
	m.reloads.WithLabelValues(what, result).Inc()
}

// Loaded notes that files were read with success.
func (m *Metrics) Loaded(what string) { m.reloaded.WithLabelValues(what).SetToCurrentTime() }

// ClockSkew shows how far this machine's clock is ahead of Graph's, as the tenant's client last saw it. A tenant is shown once.
func (m *Metrics) ClockSkew(tenant string, skew func() time.Duration) error {
	return m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "parley_graph_clock_skew_seconds", Help: "How far this machine's clock is ahead of Graph's; negative when it is behind.",
		ConstLabels: prometheus.Labels{"tenant": tenant},
	}, func() float64 { return skew().Seconds() }))
}

// PermissionSuspected shows whether a source refuses every user of the last minutes without a reason. A tenant's source is shown once.
func (m *Metrics) PermissionSuspected(tenant, source string, suspected func(source string) bool) error {
	return m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "parley_graph_permission_suspected", Help: "1 while Graph refuses a source to every user of the last minutes without a reason, so that a permission may be missing, else 0.",
		ConstLabels: prometheus.Labels{"tenant": tenant, "source": source},
	}, func() float64 { return number(suspected(source)) }))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Graph returns the observer of one tenant's Graph client.
func (m *Metrics) Graph(tenant string) graph.Observer { return graphObserver{m, tenant} }

type graphObserver struct {
	m      *Metrics
	tenant string
}

var _ graph.Observer = graphObserver{}

func (o graphObserver) GraphRequest(source string, status int, _ time.Duration) {
	o.m.graphRequests.WithLabelValues(source, o.tenant, strconv.Itoa(status)).Inc()
}

func (o graphObserver) GraphWait(source string, waited time.Duration) {
	o.m.graphWait.WithLabelValues(source).Observe(waited.Seconds())
}

func (o graphObserver) CredentialState(ok bool) {
	o.m.credentialOK.WithLabelValues(o.tenant).Set(number(ok))
}
