package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestOneLineDescribesACall: one line says what a call was. Who, by which way, what came of it, and the ids by which it is found.
func TestOneLineDescribesACall(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.lists(func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		graph.CountSent(ctx)
		graph.CountSent(ctx)
		return &parleyv1.ListEventsResponse{Events: []*parleyv1.Event{{Uid: "a"}}, Complete: true}, nil
	})
	body(t, h.get(t, "/v1/"+anna+"/events", "X-Request-Id", "mine", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
	line := lastCall(t, h.log.String())
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

// lastCall is the last line of a log that tells of a call.
func lastCall(t *testing.T, log string) (line map[string]any) {
	t.Helper()
	for text := range strings.Lines(log) {
		if strings.Contains(text, `"msg":"call"`) {
			line = nil
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	return line
}

// TestUnreadRequestsAreSeen: a caller who is refused is seen. A request over REST that cannot be read is counted and logged
// as a call of its method, with its caller, and a stranger is told nothing of it.
func TestUnreadRequestsAreSeen(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	events, stream := "/v1/"+anna+"/events", "/v1/"+anna+"/events:stream"
	counts := make(map[string]int)
	for name, c := range map[string]struct {
		method, path, body, rpc string
		headers                 []string
	}{
		"a number":         {http.MethodGet, events + "?page_size=many", "", "EventService/ListEvents", nil},
		"no parameter":     {http.MethodGet, events + "?no_such=1", "", "EventService/ListEvents", nil},
		"given twice":      {http.MethodGet, events + "?filter=a&filter=b", "", "EventService/ListEvents", nil},
		"no query":         {http.MethodGet, events + "?a=%zz", "", "EventService/ListEvents", nil},
		"empty fields":     {http.MethodGet, events + "?fields=", "", "EventService/ListEvents", nil},
		"a time to live":   {http.MethodGet, events, "", "EventService/ListEvents", []string{"Grpc-Timeout", "soon"}},
		"a head":           {http.MethodHead, events + "?page_size=many", "", "EventService/ListEvents", nil},
		"a stream":         {http.MethodGet, stream + "?sources=SOURCE_NONE", "", "EventService/StreamEvents", nil},
		"a stream's time":  {http.MethodGet, stream + "?start_time=yesterday", "", "EventService/StreamEvents", nil},
		"server-sent":      {http.MethodGet, stream + "?view=NONE", "", "EventService/StreamEvents", []string{"Accept", sse, "Last-Event-Id", "t0"}},
		"a body":           {http.MethodPost, tenantStream, `{"shard":1}`, "EventService/StreamTenantEvents", nil},
		"no JSON":          {http.MethodPost, tenantStream, `all`, "EventService/StreamTenantEvents", nil},
		"a query and body": {http.MethodPost, tenantStream + "?users=ALL", `{}`, "EventService/StreamTenantEvents", nil},
		"a download":       {http.MethodGet, "/v1/copilotUsage:download?period=D7&report=NONE", "", "CopilotUsageService/DownloadCopilotUsage", nil},
	} {
		for _, who := range []struct {
			authorization, code, reason string
			status                      int
		}{
			{"Bearer officer", "InvalidArgument", "INVALID_ARGUMENT", http.StatusBadRequest},
			{"", "Unauthenticated", "CALLER_UNAUTHENTICATED", http.StatusUnauthorized},
		} {
			request, err := http.NewRequestWithContext(t.Context(), c.method, g.base+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(c.headers); i += 2 {
				request.Header.Set(c.headers[i], c.headers[i+1])
			}
			if who.authorization != "" {
				request.Header.Set("Authorization", who.authorization)
			}
			answer, err := g.web.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			text := body(t, answer)
			if c.method != http.MethodHead {
				if e := parseError(t, text); e.reason() != who.reason {
					t.Errorf("%s: %s", name, text)
				}
			}
			if answer.StatusCode != who.status {
				t.Errorf("%s: %d", name, answer.StatusCode)
			}
			line := lastCall(t, g.log.String())
			caller, _ := line["caller"].(string)
			if line["rpc"] != "/parley.v1."+c.rpc || line["code"] != who.code || line["reason"] != who.reason || line["transport"] != "rest" ||
				(caller == "") != (who.authorization == "") {
				t.Errorf("%s: the log has %v", name, line)
			}
			_, rpc, _ := strings.Cut(c.rpc, "/")
			counts[fmt.Sprintf("parley_requests_total{code=%q,reason=%q,rpc=%q,tenant=\"\"}", who.code, who.reason, rpc)]++
		}
	}
	g.base = "http://" + g.server.AdminAddr()
	text := body(t, g.get(t, "/metrics"))
	for series, want := range counts {
		if line := fmt.Sprintf("%s %d\n", series, want); !strings.Contains(text, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	if !g.untouched() {
		t.Error("Graph was asked")
	}
}
