package tracing_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/internal/tracing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFromEnvironment: nothing is traced unless a receiver is named, and mistakes name their variable.
func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, c := range map[string]struct {
		env    map[string]string
		traced bool
		wrong  string
	}{
		"no receiver":         {map[string]string{"OTEL_SERVICE_NAME": "x"}, false, ""},
		"a receiver":          {map[string]string{endpoint: "http://127.0.0.1:9"}, true, ""},
		"of traces":           {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"}, true, ""},
		"by gRPC":             {map[string]string{endpoint: "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true, ""},
		"by another protocol": {map[string]string{endpoint: "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, false, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		"traces by another":   {map[string]string{endpoint: "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "x"}, false, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"},
		"another exporter":    {map[string]string{endpoint: "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "zipkin"}, false, "OTEL_TRACES_EXPORTER"},
		"no exporter":         {map[string]string{endpoint: "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"disabled":            {map[string]string{endpoint: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, false, ""},
	} {
		provider, err := tracing.FromEnvironment(t.Context(), func(key string) string { return c.env[key] }, "test")
		if (provider != nil) != c.traced || (err == nil) != (c.wrong == "") || err != nil && !strings.HasPrefix(err.Error(), c.wrong+": ") {
			t.Errorf("%s: traced %t, %v", name, provider != nil, err)
		}
		if provider != nil {
			if err := provider.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
