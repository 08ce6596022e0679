// Package metrics holds the gateway's Prometheus metrics. The server, the Graph clients, the cache and the shared store report to it what
// happened (Request, Graph, CacheRequest, Shared) or give functions that are asked at each scrape (Places, Memory, GraphLimits). Handler
// serves all of it as text. The names of metrics and labels are a contract with dashboards and alerts; no label holds a user.
package metrics

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/parley-gateway/parley/cache"
)

// Metrics holds the gateway's metrics in one registry and the metrics of the process in another. It is safe for concurrent use.
type Metrics struct {
	registry, process *prometheus.Registry
	requests          *prometheus.CounterVec
	graphRequests     *prometheus.CounterVec
	graphSeconds      *prometheus.HistogramVec
	graphWait         *prometheus.HistogramVec
	cacheRequests     *prometheus.CounterVec
	streamsIncomplete *prometheus.CounterVec
	credentialOK      *prometheus.GaugeVec
	auditFailures     prometheus.Counter
	auditOK           prometheus.Gauge
	reloads           *prometheus.CounterVec
	reloaded          *prometheus.GaugeVec
	shed              *prometheus.CounterVec

	calls
}

var _ cache.Observer = (*Metrics)(nil)

// Causes of Shed.
const (
	ShedMemory  = "memory"
	ShedCalls   = "calls"
	ShedStreams = "streams"
	// ShedBytes: streams and answers hold all memory that there is for them.
	ShedBytes = "read_ahead"
	// ShedOpen: a connection has too many health watches and reflections.
	ShedOpen = "open"
	// ShedConnections: a connection was closed to make room for others.
	ShedConnections = "connections"
	// ShedBodies: bodies of requests over REST that are being read take all room that there is for them.
	ShedBodies = "bodies"
)

// What files hold, as reloads name them.
const (
	FilesCertificates = "certificates"
	FilesPolicy       = "policy"
	FilesSealKeys     = "seal keys"
	FilesCredentials  = "credentials"
	FilesSharedKeys   = "shared keys"
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
		graphRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_graph_requests_total", Help: "Requests to Graph, by source, tenant and HTTP status (0 = no answer).",
		}, []string{"source", "tenant", "status"}),
		graphSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_graph_request_duration_seconds", Help: "Time from sending a request to Graph to the headers of its answer, without waiting before it.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"source", "tenant"}),
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
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_reloads_total", Help: "Changed files that were read again, by what they hold and result (ok, failed).",
		}, []string{"what", "result"}),
		reloaded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "parley_reload_last_success_timestamp_seconds", Help: "When files were last read with success, at the start or after a change, by what they hold.",
		}, []string{"what"}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_shed_total", Help: "Calls that were refused, and connections that were closed, because the gateway had no room, by cause: memory, calls, streams, read_ahead, open, connections, bodies.",
		}, []string{"cause"}),
		calls: newCalls(),
	}
	m.zeroLabels()
	if err := m.registerAll(version, revision); err != nil {
		return nil, err
	}
	return m, nil
}

// zeroLabels shows the counters of reloads and refusals from the start, with 0, so that an alert on their increase sees the first one.
func (m *Metrics) zeroLabels() {
	for _, what := range []string{FilesCertificates, FilesPolicy, FilesSealKeys, FilesCredentials, FilesSharedKeys} {
		m.reloads.WithLabelValues(what, reloadOK)
		m.reloads.WithLabelValues(what, reloadFailed)
	}
	for _, cause := range []string{ShedMemory, ShedCalls, ShedStreams, ShedBytes, ShedOpen, ShedConnections, ShedBodies} {
		m.shed.WithLabelValues(cause)
	}
}

// registerAll registers the metrics of the gateway and the build, and the metrics of the process.
func (m *Metrics) registerAll(version, revision string) error {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "parley_build_info", Help: "Always 1; the labels say which build runs.",
	}, []string{"version", "revision", "go_version"})
	build.WithLabelValues(version, revision, runtime.Version()).Set(1)
	for _, c := range []prometheus.Collector{
		m.requests, m.requestSeconds, m.streamSeconds, m.firstFrame, m.streamsOpen, m.eventsSent, m.bytesSent,
		m.graphRequests, m.graphSeconds, m.graphWait, m.cacheRequests, m.streamsIncomplete, m.credentialOK,
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

// Collector returns the gateway's metrics without the metrics of the process, for a registry of somebody else. It is registered
// after the last metric of a part was added.
func (m *Metrics) Collector() prometheus.Collector { return m.registry }

// Handler serves the metrics of the gateway and of the process in Prometheus' formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, m.process}, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// CacheRequest counts one look-up; the result is a word such as hit or miss. It implements cache.Observer.
func (m *Metrics) CacheRequest(source, result string) {
	m.cacheRequests.WithLabelValues(source, result).Inc()
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
	m.auditOK.Set(number(ok))
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

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
