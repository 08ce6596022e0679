package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

const tenantStream = "/v1:streamTenantEvents"

// post sends a POST with a JSON body; headers come in pairs.
func (h *harness) post(t *testing.T, path, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := h.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func nightOf(change func(*query.Tenant)) query.Tenant {
	req := query.Tenant{Events: query.Events{Caller: "anonymous", Tenant: tenantID}}
	if change != nil {
		change(&req)
	}
	return req
}

// TestTenantRequestsAreTheSameOverEachProtocol makes each request over gRPC, as a POST, and where that is possible as a GET.
func TestTenantRequestsAreTheSameOverEachProtocol(t *testing.T) { //nolint:tparallel // one after the other: the gateway notes what it was asked last
	t.Parallel()
	const shardText = `"shard":{"index":1,"count":4}`
	tests := map[string]struct {
		rpc   *parleyv1.StreamTenantEventsRequest
		body  string
		query string // - = there is none
		field string // that is refused
		asked query.Tenant
		token string
	}{
		"everything": {rpc: &parleyv1.StreamTenantEventsRequest{}, body: "", query: "", asked: nightOf(nil)},
		"an empty object": {
			rpc: &parleyv1.StreamTenantEventsRequest{Users: parleyv1.UserSelection_USER_SELECTION_ALL}, body: " {} ", query: "users=ALL", asked: nightOf(nil),
		},
		"all fields": {
			rpc: &parleyv1.StreamTenantEventsRequest{
				Users: parleyv1.UserSelection_USER_SELECTION_LICENSED, Shard: &parleyv1.Shard{Index: 1, Count: 4}, ResumeToken: "tok",
				StartTime: timestamppb.New(noon), EndTime: timestamppb.New(noon.Add(time.Hour)),
				Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}, View: viewMetadata,
				Filter: "kind = EVENT_KIND_SYSTEM", Deduplicate: true,
			},
			body: `{"users":"LICENSED",` + shardText + `,"resume_token":"tok","startTime":"` + noonText + `","end_time":"2026-11-02T14:00:00+0100",
				"sources":["SOURCE_CHAT",3],"view":"EVENT_VIEW_METADATA","filter":"kind = EVENT_KIND_SYSTEM","deduplicate":true,"userIds":null}`,
			query: "users=USER_SELECTION_LICENSED&shard.index=1&shard.count=4&resumeToken=tok&start_time=" + noonText +
				"&endTime=2026-11-02T14:00:00%2B01:00&sources=SOURCE_CHAT&sources=SOURCE_CALL&view=EVENT_VIEW_METADATA&filter=kind+%3D+EVENT_KIND_SYSTEM&deduplicate=true",
			asked: nightOf(func(r *query.Tenant) {
				r.Licensed, r.Shard, r.Shards, r.Deduplicate = true, 1, 4, true
				r.Start, r.End, r.View, r.Filter = noon, noon.Add(time.Hour), viewMetadata, "kind = EVENT_KIND_SYSTEM"
				r.Sources = []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}
			}),
			token: "tok",
		},
		"ids": {
			rpc: &parleyv1.StreamTenantEventsRequest{UserIds: []string{annaID, "b"}}, body: `{"user_ids":["` + annaID + `","b"]}`, query: "-",
			asked: nightOf(func(r *query.Tenant) { r.Users = []string{annaID, "b"} }),
		},
		"a principal name": {
			rpc: &parleyv1.StreamTenantEventsRequest{UserIds: []string{"b", annaUPN}}, body: `{"userIds":["b","` + annaUPN + `"]}`, query: "-", field: "user_ids[1]",
		},
		"oneself": {rpc: &parleyv1.StreamTenantEventsRequest{UserIds: []string{"me"}}, body: `{"userIds":["me"]}`, query: "-", field: "user_ids[0]"},
		"ids and a selection": {
			rpc:  &parleyv1.StreamTenantEventsRequest{UserIds: []string{"b"}, Users: parleyv1.UserSelection_USER_SELECTION_ALL},
			body: `{"user_ids":["b"],"users":"ALL"}`, query: "-", field: "user_ids",
		},
		"an id twice": {rpc: &parleyv1.StreamTenantEventsRequest{UserIds: []string{"b", "b"}}, body: `{"user_ids":["b","b"]}`, query: "-", field: "user_ids"},
		"a shard beyond": {
			rpc: &parleyv1.StreamTenantEventsRequest{Shard: &parleyv1.Shard{Index: 4, Count: 4}}, body: `{"shard":{"index":4,"count":4}}`,
			query: "shard.index=4&shard.count=4", field: "shard.index",
		},
		"no shards": {
			rpc: &parleyv1.StreamTenantEventsRequest{Shard: &parleyv1.Shard{}}, body: `{"shard":{}}`, query: "shard.index=0", field: "shard.count",
		},
		"a bad filter": {
			rpc: &parleyv1.StreamTenantEventsRequest{Filter: "kind ="}, body: `{"filter":"kind ="}`, query: "filter=kind+%3D", field: "filter",
		},
		"an unknown source": {
			rpc: &parleyv1.StreamTenantEventsRequest{Sources: []parleyv1.Source{5}}, body: `{"sources":["SOURCE_USAGE"]}`, query: "sources=SOURCE_USAGE", field: "sources[0]",
		},
	}
	h := start(t, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			outcome := apiCase{asked: test.asked, token: test.token}
			if test.field != "" {
				outcome = apiCase{code: codes.InvalidArgument, http: http.StatusBadRequest, reason: "INVALID_ARGUMENT", field: test.field}
			}
			checkStatus(t, outcome, invoke(t.Context(), h.conn, parleyv1.EventService_StreamTenantEvents_FullMethodName, true, test.rpc, &timeline.TenantFrame{}))
			checkAsked(t, h, outcome)
			for _, form := range []string{ndjson, sse} {
				// Over REST a field is named as it was sent.
				rest := outcome
				rest.field = ""
				resp := h.post(t, tenantStream, test.body, "Accept", form)
				if test.field == "" {
					checkAnswer(t, rest, resp, form)
				} else if e := parseError(t, body(t, resp)); e.reason() != rest.reason || resp.StatusCode != rest.http || len(e.fields()) == 0 {
					t.Errorf("%d %+v", resp.StatusCode, e)
				}
				checkAsked(t, h, outcome)
				if test.query == "-" {
					continue
				}
				resp = h.get(t, tenantStream+"?"+test.query, "Accept", form)
				if test.field == "" {
					checkAnswer(t, rest, resp, form)
				} else if resp.StatusCode != rest.http {
					t.Errorf("GET: %d", resp.StatusCode)
				}
				checkAsked(t, h, outcome)
			}
		})
	}
}

func TestMalformedTenantBodiesAreErrors(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	refused := map[string]struct{ body, field, text string }{
		"a typing error":   {`{"resumetoken":"x"}`, "resumetoken", "did you mean resume_token?"},
		"in camel case":    {`{"startTme":"x"}`, "startTme", "did you mean startTime?"},
		"in the shard":     {`{"shard":{"number":1}}`, "shard.number", "shard.count"},
		"a parent":         {`{"parent":{"deep":[{}]}}`, "parent", "no such field"},
		"two spellings":    {`{"startTime":"` + noonText + `","start_time":"` + noonText + `"}`, "start", "two spellings"},
		"twice":            {`{"filter":"","filter":""}`, "filter", "more than once"},
		"a list":           {`["all"]`, "body", "JSON object"},
		"a word":           {`all`, "body", "JSON object"},
		"cut":              {`{"filter":"`, "body", "JSON object"},
		"cut in a list":    {`{"userIds":[`, "body", "JSON object"},
		"two objects":      {`{}{}`, "body", "JSON object"},
		"a text for ids":   {`{"user_ids":"a"}`, "user_ids", "a list"},
		"numbers for ids":  {`{"user_ids":[1]}`, "user_ids", "a text"},
		"ids in ids":       {`{"user_ids":[["a"]]}`, "user_ids", "a text"},
		"no ids":           {`{"userIds":[]}`, "userIds", "is empty; give its values, or leave it out"},
		"no sources":       {`{"sources":[]}`, "sources", "is empty; give its values, or leave it out"},
		"a text for true":  {`{"deduplicate":"true"}`, "deduplicate", "true or false"},
		"half a shard":     {`{"shard":{"index":0.5,"count":2}}`, "shard.index", "whole number"},
		"a shard as text":  {`{"shard":"1/2"}`, "shard", "an object"},
		"a time":           {`{"start_time":"yesterday"}`, "start_time", "RFC 3339"},
		"a time as number": {`{"start_time":1}`, "start_time", "a text"},
		"a selection":      {`{"users":"EVERYBODY"}`, "users", "USER_SELECTION_ALL"},
		"much too long":    {`{"filter":"` + strings.Repeat("a", 600<<10) + `"}`, "body", "512 KiB"},
	}
	for name, test := range refused {
		resp := h.post(t, tenantStream, test.body)
		text := body(t, resp)
		e := parseError(t, text)
		if resp.StatusCode != http.StatusBadRequest || e.reason() != "INVALID_ARGUMENT" || !strings.Contains(text, test.text) ||
			len(e.fields()) != 1 || !strings.HasPrefix(e.fields()[0], test.field) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	for name, test := range map[string]struct {
		method, path, kind string
		status             int
		allow, text        string
	}{
		"put":              {http.MethodPut, tenantStream, "", http.StatusMethodNotAllowed, "GET, POST", "METHOD_NOT_ALLOWED"},
		"head":             {http.MethodHead, tenantStream, "", http.StatusMethodNotAllowed, "GET, POST", ""},
		"post elsewhere":   {http.MethodPost, "/v1/" + anna + "/events", "", http.StatusMethodNotAllowed, "GET, HEAD", "METHOD_NOT_ALLOWED"},
		"post of a stream": {http.MethodPost, "/v1/" + anna + "/events:stream", "", http.StatusMethodNotAllowed, "GET", "METHOD_NOT_ALLOWED"},
		"another kind":     {http.MethodPost, tenantStream, "application/x-www-form-urlencoded", http.StatusBadRequest, "", "content-type"},
		"a query":          {http.MethodPost, tenantStream + "?users=ALL", "application/json", http.StatusBadRequest, "", "in the body"},
		"ids in a query":   {http.MethodGet, tenantStream + "?user_ids=a", "", http.StatusBadRequest, "", "body of a POST"},
		"another verb":     {http.MethodGet, "/v1:streamTenants", "", http.StatusNotFound, "", "NOT_FOUND"},
	} {
		resp := h.send(t, t.Context(), test.method, test.path, "Content-Type", test.kind)
		if text := body(t, resp); resp.StatusCode != test.status || resp.Header.Get("Allow") != test.allow || !strings.Contains(text, test.text) {
			t.Errorf("%s: %d, Allow %q: %s", name, resp.StatusCode, resp.Header.Get("Allow"), text)
		}
	}
	if requests, _, _ := h.take(); len(requests) > 0 {
		t.Errorf("the engine was asked %v", requests)
	}
}

// TestTenantFramesAreTheSameOverEachProtocol sends a frame of each kind, over gRPC, as lines and as server-sent events, with a selection of fields.
func TestTenantFramesAreTheSameOverEachProtocol(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.streamTenant = func(_ context.Context, emit func(*timeline.TenantFrame) error) error {
		for _, frame := range []*timeline.TenantFrame{
			{Frame: &parleyv1.StreamTenantEventsResponse_Notice{Notice: &parleyv1.Notice{Code: "END_CUT_TO_NOW"}}},
			{Frame: &parleyv1.StreamTenantEventsResponse_User{User: &parleyv1.UserSummary{User: anna, State: parleyv1.UserState_USER_STATE_READ, Complete: true}}},
			{Frame: &parleyv1.StreamTenantEventsResponse_Copies{Copies: &parleyv1.EventCopies{Copies: []*parleyv1.EventCopy{{Name: anna + "/events/e", Uid: "u"}}}}},
			{Frame: &parleyv1.StreamTenantEventsResponse_Checkpoint{Checkpoint: &parleyv1.TenantCheckpoint{ResumeToken: "one", UsersFinished: 1}}},
			{Frame: &parleyv1.StreamTenantEventsResponse_Summary{Summary: &parleyv1.TenantSummary{
				Outcome: parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE, Complete: true, UsersRead: 1, ResumeToken: "end",
			}}},
		} {
			if err := emit(frame); err != nil {
				return err
			}
		}
		return nil
	}
	var kinds []string
	for line := range strings.Lines(body(t, h.post(t, tenantStream+"?fields=uid", `{}`))) {
		var frame map[string]map[string]any
		if err := json.Unmarshal([]byte(line), &frame); err != nil || len(frame) != 1 {
			t.Fatalf("%v: %s", err, line)
		}
		for kind, value := range frame {
			kinds = append(kinds, kind)
			if kind == "summary" && (fmt.Sprint(value["usersRead"]) != "1" || value["complete"] != true || value["refusals"] == nil) {
				t.Errorf("%s", line)
			}
		}
	}
	if diff := cmp.Diff([]string{"notice", "user", "copies", "checkpoint", "summary"}, kinds); diff != "" {
		t.Error(diff)
	}
	text := body(t, h.get(t, tenantStream, "Accept", sse))
	for _, part := range []string{"event: user\ndata: ", "event: checkpoint\nid: one\ndata: ", "event: summary\nid: end\ndata: "} {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in %s", part, text)
		}
	}
	h.finished = "end"
	if resp := h.get(t, tenantStream, "Accept", sse, "Last-Event-Id", "end"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("a reader who comes back after the end gets %d", resp.StatusCode)
	}
}

// TestTenantRunsOnce begins a stream while an equal one runs: without a token it waits for the other one and is refused, with one it
// ends the other one.
func TestTenantRunsOnce(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	begun := make(chan struct{}, 10)
	h.streamTenant = func(ctx context.Context, emit func(*timeline.TenantFrame) error) error {
		checkpoint := &parleyv1.TenantCheckpoint{ResumeToken: "one"}
		if err := emit(&timeline.TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Checkpoint{Checkpoint: checkpoint}}); err != nil {
			return err
		}
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	client := parleyv1.NewEventServiceClient(h.conn)
	open := func(ctx context.Context, req *parleyv1.StreamTenantEventsRequest) (next func() error) {
		stream, err := client.StreamTenantEvents(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		return func() error {
			_, err := stream.Recv()
			return err
		}
	}
	first := open(t.Context(), &parleyv1.StreamTenantEventsRequest{})
	if err := first(); err != nil {
		t.Fatal(err)
	}
	<-begun
	second := open(t.Context(), &parleyv1.StreamTenantEventsRequest{})()
	if st := status.Convert(second); st.Code() != codes.Aborted || apierror.Reason(st) != "ALREADY_RUNNING" || apierror.RetryDelay(st) == 0 {
		t.Errorf("the second stream: %v", second)
	}
	// Another part of the users is other work.
	ctx, cancel := context.WithCancel(t.Context())
	if err := open(ctx, &parleyv1.StreamTenantEventsRequest{Shard: &parleyv1.Shard{Index: 1, Count: 2}})(); err != nil {
		t.Errorf("another shard: %v", err)
	}
	<-begun
	cancel()
	third := open(t.Context(), &parleyv1.StreamTenantEventsRequest{ResumeToken: "one"})
	if err := third(); err != nil {
		t.Errorf("the stream that goes on: %v", err)
	}
	<-begun
	err := first()
	st := status.Convert(err)
	if st.Code() != codes.Aborted || apierror.Reason(st) != "ALREADY_RUNNING" || apierror.RetryDelay(st) != 0 || apierror.Info(st).GetMetadata()["resume_token"] != "one" {
		t.Errorf("the first stream: %v, %v", err, st.Details())
	}
	// A caller who leaves may begin anew at once.
	ctx, cancel = context.WithCancel(t.Context())
	other := &parleyv1.StreamTenantEventsRequest{Deduplicate: true}
	if err := open(ctx, other)(); err != nil {
		t.Fatal(err)
	}
	<-begun
	cancel()
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	if err := open(ctx, other)(); err != nil && err != io.EOF { //nolint:errorlint // as Recv returns it
		t.Errorf("a caller who has left begins anew: %v", err)
	}
}
