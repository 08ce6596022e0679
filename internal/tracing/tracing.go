// Package tracing implements the Tracer of package spans by OpenTelemetry, and sends the spans to the receiver that OpenTelemetry's
// environment variables name.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-gateway/parley/internal/spans"
)

// scope names the code that makes the spans.
const scope = "github.com/parley-gateway/parley"

// Variables of OpenTelemetry that decide whether, where and how spans are sent. The library reads the others itself.
const (
	disabled       = "OTEL_SDK_DISABLED"
	exporter       = "OTEL_TRACES_EXPORTER"
	endpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	traceEndpoint  = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	protocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	tracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// Provider sends spans until it is closed.
type Provider struct{ *sdk.TracerProvider }

// FromEnvironment returns the provider that the environment asks for; nil where it names no endpoint. Sampling follows the caller's
// decision, unless OTEL_TRACES_SAMPLER says otherwise.
func FromEnvironment(ctx context.Context, getenv func(string) string, version string) (*Provider, error) {
	if getenv(endpoint) == "" && getenv(traceEndpoint) == "" || strings.EqualFold(getenv(disabled), "true") {
		return nil, nil //nolint:nilnil // nothing is traced
	}
	switch getenv(exporter) {
	case "", "otlp":
	case "none":
		return nil, nil //nolint:nilnil // as above
	default:
		return nil, fmt.Errorf("%s: is none of otlp, none", exporter)
	}
	client, err := newClient(getenv)
	if err != nil {
		return nil, err
	}
	sender, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", endpoint, err)
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "parley"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err), sender.Shutdown(ctx))
	}
	return &Provider{sdk.NewTracerProvider(sdk.WithBatcher(sender), sdk.WithResource(described))}, nil
}

// newClient returns the client of the protocol that the environment names; by default OTLP over HTTP.
func newClient(getenv func(string) string) (otlptrace.Client, error) {
	variable, name := protocol, getenv(protocol)
	if own := getenv(tracesProtocol); own != "" {
		variable, name = tracesProtocol, own
	}
	switch name {
	case "grpc":
		return otlptracegrpc.NewClient(), nil
	case "", "http/protobuf":
		return otlptracehttp.NewClient(), nil
	default:
		return nil, fmt.Errorf("%s: is none of grpc, http/protobuf", variable)
	}
}

// closeTime bounds the sending of the last spans.
const closeTime = 5 * time.Second

// Close sends the last spans and ends the provider.
func (p *Provider) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return p.Shutdown(ctx)
}

// Tracer begins spans of a provider.
type Tracer struct{ tracer trace.Tracer }

var _ spans.Tracer = Tracer{}

// New returns a Tracer.
func New(provider trace.TracerProvider) Tracer { return Tracer{provider.Tracer(scope)} }

// Start implements spans.Tracer.
//
//nolint:spancheck // the caller ends the span
func (t Tracer) Start(ctx context.Context, name string, kind spans.Kind) (context.Context, spans.Span) {
	kinds := [...]trace.SpanKind{spans.Internal: trace.SpanKindInternal, spans.Server: trace.SpanKindServer, spans.Client: trace.SpanKindClient}
	ctx, began := t.tracer.Start(ctx, name, trace.WithSpanKind(kinds[kind]))
	return ctx, span{began}
}

// Place implements spans.Tracer.
func (t Tracer) Place(ctx context.Context) spans.Place {
	current := trace.SpanContextFromContext(ctx)
	return spans.Place{Trace: current.TraceID(), Span: current.SpanID()}
}

// Remote returns a context below a span of the caller's.
func (t Tracer) Remote(ctx context.Context, place spans.Place, sampled bool) context.Context {
	var flags trace.TraceFlags
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: place.Trace, SpanID: place.Span, TraceFlags: flags.WithSampled(sampled), Remote: true,
	}))
}

// Recorded reports whether the span of a context is recorded.
func (t Tracer) Recorded(ctx context.Context) bool { return trace.SpanFromContext(ctx).IsRecording() }

// span is a span of OpenTelemetry.
type span struct{ trace.Span }

// Set implements spans.Span.
func (s span) Set(key string, value any) {
	switch v := value.(type) {
	case string:
		s.SetAttributes(attribute.String(key, v))
	case bool:
		s.SetAttributes(attribute.Bool(key, v))
	case int64:
		s.SetAttributes(attribute.Int64(key, v))
	case float64:
		s.SetAttributes(attribute.Float64(key, v))
	}
}

// Link implements spans.Span.
func (s span) Link(to spans.Place) {
	s.AddLink(trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: to.Trace, SpanID: to.Span, TraceFlags: trace.FlagsSampled})})
}

// End implements spans.Span.
func (s span) End(failed string) {
	if failed != "" {
		s.SetStatus(codes.Error, failed)
	}
	s.Span.End()
}
