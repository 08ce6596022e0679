package e2e_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/internal/tracing"
)

// spanReceiver is a receiver of OpenTelemetry's protocol.
type spanReceiver struct {
	collector.UnimplementedTraceServiceServer

	mu    sync.Mutex
	spans []*otlp.Span
	text  strings.Builder // everything that was received
}

// Export implements the receiver's service.
func (r *spanReceiver) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.WriteString(protojson.Format(request))
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// of returns the spans of a trace by their ids.
func (r *spanReceiver) of(id string) map[string]*otlp.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := make(map[string]*otlp.Span)
	for _, span := range r.spans {
		if hex.EncodeToString(span.GetTraceId()) == id {
			found[hex.EncodeToString(span.GetSpanId())] = span
		}
	}
	return found
}

// ServeHTTP is the receiver over HTTP.
func (r *spanReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	sent := &collector.ExportTraceServiceRequest{}
	if err := errors.Join(err, proto.Unmarshal(body, sent)); err != nil || request.URL.Path != "/v1/traces" {
		http.Error(w, "no spans", http.StatusBadRequest)
		return
	}
	answer, err := r.Export(request.Context(), sent)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text, err := proto.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(text) // the gateway is gone if this fails
}

// traceTo starts a receiver that speaks a protocol of OpenTelemetry, and a provider that sends to it.
func traceTo(t *testing.T, protocol string) (*spanReceiver, *tracing.Provider) {
	t.Helper()
	receiver := &spanReceiver{}
	address := ""
	switch protocol {
	case "grpc":
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		collector.RegisterTraceServiceServer(server, receiver)
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		t.Cleanup(func() {
			server.Stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
		address = "http://" + listener.Addr().String()
	case "http/protobuf":
		server := httptest.NewServer(receiver)
		t.Cleanup(server.Close)
		address = server.URL
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	provider, err := tracing.FromEnvironment(t.Context(), os.Getenv, "test")
	if err != nil || provider == nil {
		t.Fatalf("%v %v", provider, err)
	}
	t.Cleanup(func() {
		if err := provider.Close(); err != nil {
			t.Error(err)
		}
	})
	return receiver, provider
}

// startedTraced starts a gateway whose calls are traced.
func startedTraced(t *testing.T, settings config.Settings, provider trace.TracerProvider) *parley.Gateway {
	t.Helper()
	running, err := settings.NewGateway(parley.Config{Logger: slog.New(slog.DiscardHandler), Version: "test", TracerProvider: provider})
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, running.Close) })
	return running
}

// attribute is the text of an attribute.
func attribute(span *otlp.Span, key string) string {
	for _, each := range span.GetAttributes() {
		if each.GetKey() == key {
			return each.GetValue().GetStringValue()
		}
	}
	return ""
}
