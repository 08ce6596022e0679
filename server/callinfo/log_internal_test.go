package callinfo

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/requestid"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestTraceIDs reads traceparents as W3C Trace Context writes them; any other is no trace.
func TestTraceIDs(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		parent: "0af7651916cd43dd8448eb211c80319c", "01" + parent[2:] + "-more": "0af7651916cd43dd8448eb211c80319c",
		"": "", "00": "", parent + "-more": "", "ff" + parent[2:]: "", strings.ToUpper(parent): "", parent[:54]: "", "01" + parent[2:] + "more": "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": "", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": "",
		"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01": "", "00-0af7651916cd43dd8448eb211c80319z-b7ad6b7169203331-01": "",
	} {
		if got := traceIDOf([]string{given}); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	if traceIDOf(nil) != "" || traceIDOf([]string{parent, parent}) != "" {
		t.Error("none or two are a trace")
	}
}

// TestLinesNameTheirCall: one call is found by one id. Every line that is logged under a call has its ids, once, whatever
// floor logs it.
func TestLinesNameTheirCall(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := Logger(Logger(slog.New(slog.NewJSONHandler(&out, nil))))
	line := func(ctx context.Context) map[string]any {
		out.Reset()
		logger.With("floor", 1).InfoContext(ctx, "x")
		got := map[string]any{}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	incoming := metadata.NewIncomingContext(t.Context(), metadata.Pairs(requestid.Header, "mine", headerTraceparent, parent))
	ctx := NewContext(incoming, "/parley.v1.EventService/ListEvents", GRPC)
	if got := line(context.WithoutCancel(ctx)); got["request_id"] != "mine" || got["trace_id"] != "0af7651916cd43dd8448eb211c80319c" || got["floor"] != 1.0 {
		t.Errorf("%v", got)
	}
	if strings.Count(out.String(), "request_id") != 1 {
		t.Errorf("%s", &out)
	}
	if got := line(requestid.NewContext(t.Context(), "early")); got["request_id"] != "early" || got["trace_id"] != nil {
		t.Errorf("before the call begins: %v", got)
	}
	if got := line(t.Context()); got["request_id"] != nil {
		t.Errorf("outside of a call: %v", got)
	}
	logger.WithGroup("g").InfoContext(ctx, "x")
	graph.CountSent(ctx)
	if graph.CountSent(t.Context()); FromContext(ctx).GraphRequests.Load() != 1 {
		t.Error("a request to Graph is not counted for its call")
	}
}
