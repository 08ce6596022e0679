package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Shared counts the operations on the store that replicas share.
type Shared struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// Shared registers the metrics of a shared store, whose counters exist from the start.
func (m *Metrics) Shared(operations, results []string) (*Shared, error) {
	s := &Shared{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_shared_requests_total", Help: "Operations on the shared store, by operation and result.",
		}, []string{"op", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "parley_shared_request_duration_seconds", Help: "Time of operations on the shared store that were sent.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
		}),
	}
	for _, op := range operations {
		for _, result := range results {
			s.requests.WithLabelValues(op, result)
		}
	}
	for _, c := range []prometheus.Collector{s.requests, s.seconds} {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// SharedRequest counts an operation. One that was not sent took no time.
func (s *Shared) SharedRequest(op, result string, took time.Duration) {
	s.requests.WithLabelValues(op, result).Inc()
	if took > 0 {
		s.seconds.Observe(took.Seconds())
	}
}
