package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauge is a metric whose value is asked for at each scrape.
type gauge struct {
	name, help string
	value      func() float64
}

// gauges registers gauges with the same labels.
func (m *Metrics) gauges(all []gauge, labels prometheus.Labels) error {
	for _, g := range all {
		options := prometheus.GaugeOpts{Name: g.name, Help: g.help, ConstLabels: labels}
		if err := m.registry.Register(prometheus.NewGaugeFunc(options, g.value)); err != nil {
			return err
		}
	}
	return nil
}

// CacheState gives metrics the size of a cache; *cache.Cache is one.
type CacheState interface {
	// Bytes is the size of the cached values, Limit its bound.
	Bytes() int64
	Limit() int64
	CacheCounts
}

// CacheCounts are the counts of a cache.
type CacheCounts interface {
	// Entries is the number of values, Evictions the number of values that were dropped.
	Entries() int64
	Evictions() int64
}

// Memory shows how much memory the cache takes and may take, and whether memory is shed.
func (m *Metrics) Memory(cached CacheState, shedding func() bool) error {
	evictions := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "parley_cache_evictions_total", Help: "Cached values that were dropped for room or age.",
	}, func() float64 { return float64(cached.Evictions()) })
	if err := m.registry.Register(evictions); err != nil {
		return err
	}
	return m.gauges([]gauge{
		{"parley_cache_bytes", "Memory that cached values take.", func() float64 { return float64(cached.Bytes()) }},
		{"parley_cache_limit_bytes", "Memory that cached values may take; less than configured while memory is short.", func() float64 { return float64(cached.Limit()) }},
		{"parley_cache_entries", "Values that are cached, about.", func() float64 { return float64(cached.Entries()) }},
		{
			"parley_memory_shedding", "1 while memory is short: the cache is smaller than configured, or new streams are refused.",
			func() float64 { return number(shedding()) },
		},
	}, nil)
}

// ReadAhead shows how much memory calls hold or may still take for what is not sent yet, of the memory that there is for it.
func (m *Metrics) ReadAhead(committed func() int64, limit int64) error {
	return m.gauges([]gauge{
		{"parley_read_ahead_bytes", "Memory that calls hold, or may still take, for answers and events that are not sent yet.", func() float64 { return float64(committed()) }},
		{"parley_read_ahead_limit_bytes", "Memory that all calls may take for answers and events that are not sent yet.", func() float64 { return float64(limit) }},
	}, nil)
}

// TLSExpires shows when the certificate of the listeners ends.
func (m *Metrics) TLSExpires(at func() time.Time) error {
	return m.gauges([]gauge{{
		"parley_tls_certificate_expiration_timestamp_seconds", "When the certificate of the gRPC and REST listeners ends.",
		func() float64 { return float64(at().Unix()) },
	}}, nil)
}
