package metrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
)

// Kinds of calls, as places are counted.
const (
	KindCall   = "call"
	KindStream = "stream"
)

// Transports by which answers leave.
const (
	TransportGRPC = "grpc"
	TransportREST = "rest"
)

// SourceLabel is a source of events in the label "source" of metrics about calls and streams: "retained_chat" for
// SOURCE_RETAINED_CHAT. Metrics about requests to Graph have the label of the source's API instead, which several sources may share.
func SourceLabel(src parleyv1.Source) string {
	return strings.ToLower(strings.TrimPrefix(src.String(), "SOURCE_"))
}

// calls are the metrics of calls.
type calls struct {
	requestSeconds, streamSeconds, firstFrame *prometheus.HistogramVec
	streamsOpen                               *prometheus.GaugeVec
	eventsSent, bytesSent                     *prometheus.CounterVec
	// sentBy are the counters of eventsSent by transport and source, which each answer and frame adds to.
	sentBy map[string]map[parleyv1.Source]prometheus.Counter
}

func newCalls() calls {
	c := calls{
		requestSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_request_duration_seconds", Help: "Time from the start to the end of a call that is not a stream.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60, 120},
		}, []string{"rpc"}),
		streamSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_stream_duration_seconds", Help: "Time from the start to the end of a stream.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600},
		}, []string{"rpc"}),
		firstFrame: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_stream_first_frame_seconds", Help: "Time from the start of a stream to its first frame.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 60},
		}, []string{"rpc"}),
		streamsOpen: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "parley_streams_open", Help: "Streams that run, by method.",
		}, []string{"rpc"}),
		eventsSent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_events_sent_total", Help: "Events in answers and streams, by the source that they come from and the transport.",
		}, []string{"source", "transport"}),
		bytesSent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_bytes_sent_total", Help: "Bytes of answers and frames without headers, by transport: before compression, but of a compressed message over REST after it.",
		}, []string{"transport"}),
	}
	c.sentBy = map[string]map[parleyv1.Source]prometheus.Counter{}
	for _, transport := range []string{TransportGRPC, TransportREST} {
		c.sentBy[transport] = map[parleyv1.Source]prometheus.Counter{}
		for _, src := range source.EventSources() {
			c.sentBy[transport][src] = c.eventsSent.WithLabelValues(SourceLabel(src), transport)
		}
		c.bytesSent.WithLabelValues(transport)
	}
	return c
}

// rpcOf is the name of a method without its service. Only methods that exist get here.
func rpcOf(method string) string { return method[strings.LastIndexByte(method, '/')+1:] }

// Request counts one ended call that is not a stream. The method is a full gRPC name; the tenant is an alias of the configuration or empty;
// traceID is the id of the call's trace, empty where none is recorded.
func (m *Metrics) Request(method, code, reason, tenant, traceID string, took time.Duration) {
	rpc := rpcOf(method)
	m.requests.WithLabelValues(rpc, code, reason, tenant).Inc()
	observe(m.requestSeconds.WithLabelValues(rpc), took, traceID)
}

// StreamBegins counts a stream that runs until StreamEnds.
func (m *Metrics) StreamBegins(method string) { m.streamsOpen.WithLabelValues(rpcOf(method)).Inc() }

// StreamEnds counts one ended stream, as Request counts a call.
func (m *Metrics) StreamEnds(method, code, reason, tenant, traceID string, took time.Duration) {
	rpc := rpcOf(method)
	m.streamsOpen.WithLabelValues(rpc).Dec()
	m.requests.WithLabelValues(rpc, code, reason, tenant).Inc()
	observe(m.streamSeconds.WithLabelValues(rpc), took, traceID)
}

// observe notes a time, with the id of the trace that shows where it went.
func observe(to prometheus.Observer, took time.Duration, traceID string) {
	if with, ok := to.(prometheus.ExemplarObserver); ok && traceID != "" {
		with.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": traceID})
		return
	}
	to.Observe(took.Seconds())
}

// FirstFrame notes how long a stream took to its first frame.
func (m *Metrics) FirstFrame(method string, took time.Duration) {
	m.firstFrame.WithLabelValues(rpcOf(method)).Observe(took.Seconds())
}

// EventsSent counts the events of an answer or frame.
func (m *Metrics) EventsSent(transport string, sent *timeline.SourceCounts) {
	counters := m.sentBy[transport]
	for src, events := range sent {
		if events == 0 {
			continue
		}
		if counter, known := counters[parleyv1.Source(src)]; known {
			counter.Add(float64(events))
		}
	}
}

// BytesSent returns a function that counts bytes that leave by a transport.
func (m *Metrics) BytesSent(transport string) func(bytes int) {
	counter := m.bytesSent.WithLabelValues(transport)
	return func(bytes int) { counter.Add(float64(bytes)) }
}

// Places shows how many places of a kind are taken, and how many there are. A kind is shown once.
func (m *Metrics) Places(kind string, taken func() int64, limit int) error {
	return m.gauges([]gauge{
		{"parley_calls_in_flight", "Places that running calls or streams take; a large request takes several.", func() float64 { return float64(taken()) }},
		{"parley_calls_limit", "Places that there are for calls or streams.", func() float64 { return float64(limit) }},
	}, prometheus.Labels{"kind": kind})
}
