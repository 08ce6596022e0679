package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/parley-gateway/parley/export"
)

// exportRun is a run as its metrics show it.
type exportRun interface {
	progressSource
	Name() string
}

// metrics are the metrics of the present run, for Prometheus. Each run of a process has series of its own, which end when the next one begins.
type metrics struct {
	mu  sync.Mutex
	run exportRun // nil until the first one begins
}

// setRun shows another run from now on.
func (m *metrics) setRun(run exportRun) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.run = run
}

var perRun = []string{"run"}

var (
	stateDesc    = desc("state", "1 for what the run does now: listing, reading, writing, publishing or ended.", "state")
	waitingDesc  = desc("waiting", "1 with the code of the notice for which the gateway lets the run wait.", "code")
	usersDesc    = desc("users", "Users of the run; absent until they are listed.")
	finishedDesc = desc("users_finished", "Users who were read to their end.")
	openDesc     = desc("users_open", "Users who are being read.")
	eventsDesc   = desc("events_total", "Events that this process has taken.")
	requestsDesc = desc("graph_requests_total", "Requests of Graph that the gateway has made for the run; they are known when a stream ends.")
	filesDesc    = desc("files_total", "Files of the run that are in their place.")
	bytesDesc    = desc("file_bytes_total", "Bytes of these files.")
	rowsDesc     = desc("rows_total", "Rows of these files.", "dataset")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("parley_export_"+name, help, append(perRun[:1:1], labels...), nil)
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		stateDesc, waitingDesc, usersDesc, finishedDesc, openDesc, eventsDesc, requestsDesc, filesDesc, bytesDesc, rowsDesc,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	run := m.run
	m.mu.Unlock()
	if run == nil {
		return
	}
	now, name := run.Progress(), run.Name()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, value, append([]string{name}, labels...)...)
	}
	for _, state := range export.States() {
		value := 0.
		if state == now.State {
			value = 1
		}
		send(stateDesc, prometheus.GaugeValue, value, string(state))
	}
	if now.Waiting != "" {
		send(waitingDesc, prometheus.GaugeValue, 1, now.Waiting)
	}
	if now.UsersTotal > 0 {
		send(usersDesc, prometheus.GaugeValue, float64(now.UsersTotal))
	}
	send(finishedDesc, prometheus.GaugeValue, float64(now.Users))
	send(openDesc, prometheus.GaugeValue, float64(now.Open))
	send(eventsDesc, prometheus.CounterValue, float64(now.Events))
	send(requestsDesc, prometheus.CounterValue, float64(now.GraphRequests))
	send(filesDesc, prometheus.CounterValue, float64(now.Files))
	send(bytesDesc, prometheus.CounterValue, float64(now.FileBytes))
	for dataset, rows := range now.Rows {
		send(rowsDesc, prometheus.CounterValue, float64(rows), dataset)
	}
}

// serve serves the metrics on an address until stop is called, and returns the address that it listens on.
func (m *metrics) serve(ctx context.Context, address string) (at net.Addr, stop func() error, err error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, nil, err
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("serving metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return listener.Addr(), func() error {
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}
