package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestCallLine is of the kind "one line says what a call was": who, by which way, what came of it, and the ids by which it is found.
func TestCallLine(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.lists(func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		graph.CountSent(ctx)
		graph.CountSent(ctx)
		return &parleyv1.ListEventsResponse{Events: []*parleyv1.Event{{Uid: "a"}}, Complete: true}, nil
	})
	body(t, h.get(t, "/v1/"+anna+"/events", "X-Request-Id", "mine", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	var line map[string]any
	for text := range strings.Lines(h.log.String()) {
		if strings.Contains(text, `"msg":"call"`) {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	for field, want := range map[string]any{
		"rpc": "/parley.v1.EventService/ListEvents", "code": "OK", "reason": "", "transport": "rest", "tenant": "contoso", "events": 1.0, "complete": true,
		"graph_requests": 2.0, "request_id": "mine", "trace_id": "0af7651916cd43dd8448eb211c80319c",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	caller, _ := line["caller"].(string)
	if took, ok := line["took_ms"].(float64); !ok || took <= 0 || len(caller) != 16 || caller == "anonymous" {
		t.Errorf("took %v ms, caller %q", line["took_ms"], caller)
	}
}
