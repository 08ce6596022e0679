package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline/query"
)

// apiCase is one call, made over gRPC and over REST, with one outcome.
type apiCase struct {
	name string
	rpc  proto.Message
	rest string
	// The outcome: the code, its HTTP status, reason and bad field, or what the engine was asked.
	code   codes.Code
	http   int
	reason string
	field  string
	asked  any
	size   int
	token  string
}

var (
	noon     = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	noonText = "2026-11-02T12:00:00Z"
	anna     = "users/" + annaID
)

// asAsked compares the requests of the engine without the filters that were compiled for them.
var asAsked = cmpopts.IgnoreUnexported(query.Events{}, query.Conversations{}, query.Usage{}, query.Users{})

func walk(change func(*query.Events)) query.Events {
	req := query.Events{Caller: "anonymous", Tenant: tenantID, Owner: annaID, User: annaID}
	if change != nil {
		change(&req)
	}
	return req
}

func apiCases() []apiCase {
	const invalid = "INVALID_ARGUMENT"
	bad := func(name string, rpc proto.Message, path, field string) apiCase {
		return apiCase{name: name, rpc: rpc, rest: path, code: codes.InvalidArgument, http: http.StatusBadRequest, reason: invalid, field: field}
	}
	long := strings.Repeat("x", 257)
	base := "/v1/" + anna
	return []apiCase{
		{name: "events", rpc: &parleyv1.ListEventsRequest{Parent: anna}, rest: base + "/events", asked: walk(nil), size: 50},
		{
			name: "all parameters",
			rpc: &parleyv1.ListEventsRequest{
				Parent: anna, PageSize: 7, PageToken: "tok", StartTime: timestamppb.New(noon), EndTime: timestamppb.New(noon.Add(time.Hour)),
				Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}, OrderBy: "event_time desc",
				View: parleyv1.EventView_EVENT_VIEW_METADATA, Filter: "kind = EVENT_KIND_SYSTEM",
			},
			rest: base + "/events?page_size=7&pageToken=tok&start_time=" + noonText + "&endTime=2026-11-02T14:00:00%2B01:00" +
				"&sources=SOURCE_CHAT&sources=SOURCE_CALL&order_by=event_time+desc&view=EVENT_VIEW_METADATA&filter=kind+%3D+EVENT_KIND_SYSTEM",
			asked: walk(func(r *query.Events) {
				r.Start, r.End, r.OrderBy = noon, noon.Add(time.Hour), query.EventTimeDesc
				r.Sources = []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}
				r.View, r.Filter = parleyv1.EventView_EVENT_VIEW_METADATA, "kind = EVENT_KIND_SYSTEM"
			}),
			size: 7, token: "tok",
		},
		{name: "a page size above the most", rpc: &parleyv1.ListEventsRequest{Parent: anna, PageSize: 5000}, rest: base + "/events?pageSize=5000", asked: walk(nil), size: 1000},
		{
			name: "a chat's events", rpc: &parleyv1.ListEventsRequest{Parent: anna + "/conversations/" + chatID, OrderBy: "create_time desc"},
			rest: base + "/conversations/" + chatID + "/events?orderBy=create_time%20desc",
			asked: walk(func(r *query.Events) {
				r.Conversation, r.OrderBy, r.Sources = chatID, query.CreateTimeDesc, everySource
			}), size: 50,
		},
		{
			name: "calls below a chat", size: 50,
			rpc:  &parleyv1.ListEventsRequest{Parent: anna + "/conversations/" + chatID, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}},
			rest: base + "/conversations/" + chatID + "/events?sources=SOURCE_CHAT&sources=SOURCE_CALL",
			asked: walk(func(r *query.Events) {
				r.Conversation, r.Sources = chatID, []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}
			}),
		},
		{
			name: "conversations of every kind", size: 50,
			rpc: &parleyv1.ListConversationsRequest{Parent: anna, Sources: []parleyv1.Source{
				parleyv1.Source_SOURCE_CALL, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_COPILOT,
			}},
			rest: base + "/conversations?sources=SOURCE_CALL&sources=SOURCE_CHAT&sources=SOURCE_COPILOT",
			asked: query.Conversations{
				Caller: "anonymous", Tenant: tenantID, Owner: annaID, User: annaID,
				Sources: []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL, parleyv1.Source_SOURCE_CONVERSATION},
			},
		},
		{
			name: "the whole tenant", rpc: &parleyv1.ListEventsRequest{Parent: "users/-"}, rest: "/v1/users/-/events",
			asked: walk(func(r *query.Events) { r.Owner, r.User = "-", "" }), size: 50,
		},
		{name: "a user principal name", rpc: &parleyv1.ListEventsRequest{Parent: "users/" + annaUPN}, rest: "/v1/users/" + annaUPN + "/events", asked: walk(nil), size: 50},
		{
			name: "a name that Graph does not look up", rpc: &parleyv1.ListEventsRequest{Parent: "users/" + boUPN}, rest: "/v1/users/" + boUPN + "/events",
			asked: walk(func(r *query.Events) {
				r.Owner, r.User = boUPN, boUPN
				r.Unavailable = map[parleyv1.Source]parleyv1.SourceState{parleyv1.Source_SOURCE_CALL: parleyv1.SourceState_SOURCE_STATE_FAILED}
			}), size: 50,
		},
		{
			name: "calls of a name that Graph does not look up", rpc: &parleyv1.ListEventsRequest{Parent: "users/" + boUPN, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CALL}},
			rest: "/v1/users/" + boUPN + "/events?sources=SOURCE_CALL", code: codes.FailedPrecondition, http: http.StatusBadRequest,
			reason: "USER_ID_REQUIRED", field: "parent",
		},
		{
			name: "a name that nobody has", rpc: &parleyv1.ListEventsRequest{Parent: "users/no@contoso.example"}, rest: "/v1/users/no@contoso.example/events",
			code: codes.NotFound, http: http.StatusNotFound, reason: "NOT_FOUND",
		},
		bad("me for nobody", &parleyv1.ListEventsRequest{Parent: "users/me"}, "/v1/users/me/events", "parent"),
		bad("chats of the tenant", &parleyv1.ListEventsRequest{Parent: "users/-", Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}}, "/v1/users/-/events?sources=SOURCE_CHAT", "parent"),
		bad("conversations of the tenant", &parleyv1.ListConversationsRequest{Parent: "users/-"}, "/v1/users/-/conversations", "parent"),
		bad("an interval of chats", &parleyv1.ListConversationsRequest{Parent: anna, StartTime: timestamppb.New(time.Unix(1, 0))}, base+"/conversations?startTime=1970-01-01T00:00:01Z", "sources"),
		bad("an empty user", &parleyv1.ListEventsRequest{Parent: "users/"}, "/v1/users//events", "parent"),
		bad("a long user", &parleyv1.ListEventsRequest{Parent: "users/" + long}, "/v1/users/"+long+"/events", "parent"),
		bad("a slash", &parleyv1.ListEventsRequest{Parent: "users/a%2Fb"}, "/v1/users/a%2Fb/events", "parent"),
		bad("a backslash", &parleyv1.ListEventsRequest{Parent: `users/a\b`}, "/v1/users/a%5Cb/events", "parent"),
		bad("a control character", &parleyv1.ListEventsRequest{Parent: "users/a\x07b"}, "/v1/users/a%07b/events", "parent"),
		bad("a dot segment", &parleyv1.ListEventsRequest{Parent: "users/.."}, "/v1/users/%2e%2e/events", "parent"),
		bad("broken base64url", &parleyv1.ListEventsRequest{Parent: "users/~!"}, "/v1/users/~!/events", "parent"),
		bad("a negative page size", &parleyv1.ListEventsRequest{Parent: anna, PageSize: -1}, base+"/events?page_size=-1", "page_size"),
		bad("a source that is none", &parleyv1.ListEventsRequest{Parent: anna, Sources: []parleyv1.Source{9}}, base+"/events?sources=9", "sources"),
		bad("a source twice", &parleyv1.ListEventsRequest{Parent: anna, Sources: []parleyv1.Source{2, 2}}, base+"/events?sources=SOURCE_CHAT&sources=SOURCE_CHAT", "sources"),
		bad("an unknown order", &parleyv1.ListEventsRequest{Parent: anna, OrderBy: "kind"}, base+"/events?order_by=kind", "order_by"),
		bad("an unknown view", &parleyv1.ListEventsRequest{Parent: anna, View: 77}, base+"/events?view=77", "view"),
		bad("a long filter", &parleyv1.ListEventsRequest{Parent: anna, Filter: strings.Repeat("x", 513)}, base+"/events?filter="+strings.Repeat("x", 513), "filter"),
		bad("no period", &parleyv1.ListCopilotUsageRequest{}, "/v1/copilotUsage", "period"),
		bad("a period that is none", &parleyv1.ListCopilotUsageRequest{Period: "D8"}, "/v1/copilotUsage?period=D8", "period"),
		bad("a period of the other version", &parleyv1.ListCopilotUsageRequest{Period: "D28", Version: "v1"}, "/v1/copilotUsage?period=D28&version=v1", "period"),
		bad("an unknown order of chats", &parleyv1.ListConversationsRequest{Parent: anna, OrderBy: "topic"}, base+"/conversations?order_by=topic", "order_by"),
		bad("an event name that is none", &parleyv1.GetEventRequest{Name: anna + "/events/mail,1"}, base+"/events/mail,1", "name"),
		bad("a message of the tenant", &parleyv1.GetEventRequest{Name: "users/-/events/chat," + chatID + ",1"}, "/v1/users/-/events/chat,"+chatID+",1", "name"),
		{
			name: "a chat the user is not in", rpc: &parleyv1.ListEventsRequest{Parent: anna + "/conversations/19:other@thread.v2"},
			rest: base + "/conversations/19:other@thread.v2/events", code: codes.NotFound, http: http.StatusNotFound, reason: "NOT_FOUND",
		},
		{
			name: "a session of nobody", rpc: &parleyv1.GetConversationRequest{Name: anna + "/conversations/session-1"},
			rest: base + "/conversations/session-1", code: codes.NotFound, http: http.StatusNotFound, reason: "NOT_FOUND",
		},
		{
			name: "conversations", rpc: &parleyv1.ListConversationsRequest{Parent: anna, OrderBy: "last_message_time desc"},
			rest:  base + "/conversations?orderBy=last_message_time%20desc",
			asked: query.Conversations{Caller: "anonymous", Tenant: tenantID, Owner: annaID, User: annaID, ByLastMessage: true}, size: 50,
		},
		{
			name: "usage", rpc: &parleyv1.ListCopilotUsageRequest{Period: "D7", PageSize: 3}, rest: "/v1/copilotUsage?period=D7&pageSize=3",
			asked: query.Usage{Caller: "anonymous", Tenant: tenantID, Period: "D7"}, size: 3,
		},
		{
			name: "usage and users without a row", rest: "/v1/copilotUsage?period=D7&include=INACTIVE&filter=NOT%20last_activity_date:*",
			rpc:   &parleyv1.ListCopilotUsageRequest{Period: "D7", Include: parleyv1.CopilotUsageInclusion_COPILOT_USAGE_INCLUSION_INACTIVE, Filter: "NOT last_activity_date:*"},
			asked: query.Usage{Caller: "anonymous", Tenant: tenantID, Period: "D7", Inactive: true, Filter: "NOT last_activity_date:*"}, size: 50,
		},
		{
			name: "usage summary", rpc: &parleyv1.SummarizeCopilotUsageRequest{Period: "ALL", Version: "v2"}, rest: "/v1/copilotUsage:summarize?period=ALL&version=v2",
			asked: query.UsageCounts{Caller: "anonymous", Tenant: tenantID, Period: "ALL", Version: "v2"},
		},
		{
			name: "usage trends", rpc: &parleyv1.ListCopilotUsageTrendsRequest{Period: "D30", PageSize: 31}, rest: "/v1/copilotUsageTrends?period=D30&pageSize=31",
			asked: query.UsageCounts{Caller: "anonymous", Tenant: tenantID, Period: "D30"}, size: 31,
		},
		bad("a summary of no period", &parleyv1.SummarizeCopilotUsageRequest{}, "/v1/copilotUsage:summarize", "period"),
		bad("trends of a period of the other version", &parleyv1.ListCopilotUsageTrendsRequest{Period: "D30", Version: "v2"}, "/v1/copilotUsageTrends?period=D30&version=v2", "period"),
		bad("nobody to include", &parleyv1.ListCopilotUsageRequest{Period: "D7", Include: 7}, "/v1/copilotUsage?period=D7&include=7", "include"),
		bad(
			"a day that is none", &parleyv1.ListCopilotUsageRequest{Period: "D7", Filter: `last_activity_date < "30 days"`},
			"/v1/copilotUsage?period=D7&filter=last_activity_date%20%3C%20%2230%20days%22", "filter",
		),
		bad(
			"a field of usage that is not filtered", &parleyv1.ListCopilotUsageRequest{Period: "D7", Filter: `report_refresh_date < "2026-01-31"`},
			"/v1/copilotUsage?period=D7&filter=report_refresh_date%20%3C%20%222026-01-31%22", "filter",
		),
		{name: "users", rpc: &parleyv1.ListUsersRequest{}, rest: "/v1/users", asked: query.Users{Caller: "anonymous", Tenant: tenantID}, size: 50},
		{
			name: "some users", rpc: &parleyv1.ListUsersRequest{Filter: "id = x", View: viewMetadata}, rest: "/v1/users?filter=id%20%3D%20x&view=EVENT_VIEW_METADATA",
			asked: query.Users{Caller: "anonymous", Tenant: tenantID, View: viewMetadata, Filter: "id = x"}, size: 50,
		},
		bad(
			"a filter outside the view", &parleyv1.ListUsersRequest{Filter: "copilot.licensed = true", View: viewMetadata},
			"/v1/users?filter=copilot.licensed%20%3D%20true&view=EVENT_VIEW_METADATA", "filter",
		),
		bad(
			"a filter on a text outside the view", &parleyv1.ListEventsRequest{Parent: "users/" + annaUPN, Filter: "body.plain_text = x", View: viewMetadata},
			"/v1/users/"+annaUPN+"/events?filter=body.plain_text%20%3D%20x&view=EVENT_VIEW_METADATA", "filter",
		),
		{name: "a user", rpc: &parleyv1.GetUserRequest{Name: anna}, rest: base},
		{name: "a user by name", rpc: &parleyv1.GetUserRequest{Name: "users/" + annaUPN}, rest: "/v1/users/" + annaUPN},
		{
			name: "an unknown user", rpc: &parleyv1.GetUserRequest{Name: "users/" + unknownUser}, rest: "/v1/users/" + unknownUser,
			code: codes.NotFound, http: http.StatusNotFound, reason: "NOT_FOUND",
		},
		{
			name: "every user as one", rpc: &parleyv1.GetUserRequest{Name: "users/-"}, rest: "/v1/users/-",
			code: codes.InvalidArgument, http: http.StatusBadRequest, reason: invalid, field: "name",
		},
		{
			name: "more than there is", rpc: &parleyv1.ListEventsRequest{Parent: anna, Enrich: []parleyv1.Enrichment{0}}, rest: base + "/events?enrich=ENRICHMENT_UNSPECIFIED",
			code: codes.InvalidArgument, http: http.StatusBadRequest, reason: invalid, field: "enrich",
		},
		{
			name: "more than there is, of one event", rpc: &parleyv1.GetEventRequest{Name: anna + "/events/chat," + chatID + ",1", Enrich: []parleyv1.Enrichment{7}},
			rest: base + "/events/chat," + chatID + ",1?enrich=7",
			code: codes.InvalidArgument, http: http.StatusBadRequest, reason: invalid, field: "enrich",
		},
		{
			name: "names", rpc: &parleyv1.ListEventsRequest{Parent: anna, Enrich: []parleyv1.Enrichment{parleyv1.Enrichment_ENRICHMENT_NAMES}}, rest: base + "/events?enrich=NAMES",
			asked: query.Events{Caller: "anonymous", Tenant: tenantID, Owner: annaID, User: annaID, BoundTo: " names"}, size: 50,
		},
		{name: "a chat", rpc: &parleyv1.GetConversationRequest{Name: anna + "/conversations/" + chatID}, rest: base + "/conversations/" + chatID},
		{name: "an event", rpc: &parleyv1.GetEventRequest{Name: anna + "/events/chat," + chatID + ",1"}, rest: base + "/events/chat," + chatID + ",1"},
		{name: "a call of the tenant", rpc: &parleyv1.GetEventRequest{Name: "users/-/events/call,1"}, rest: "/v1/users/-/events/call,1"},
	}
}

// TestAPI makes each call over gRPC and REST, and as a stream over gRPC, as lines and as server-sent events, with TLS and
// without.
func TestAPI(t *testing.T) {
	for name, h := range map[string]*harness{"plain": start(t, nil), "TLS": startTLS(t)} {
		for _, tt := range apiCases() {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				t.Run("gRPC", func(t *testing.T) {
					checkStatus(t, tt, call(t.Context(), h, tt.rpc))
					checkAsked(t, h, tt)
				})
				t.Run("REST", func(t *testing.T) {
					checkAnswer(t, tt, h.get(t, tt.rest), "application/json")
					checkAsked(t, h, tt)
				})
				tt, method, request := streamOf(t, tt)
				if method == "" {
					return
				}
				t.Run("gRPC stream", func(t *testing.T) {
					checkStatus(t, tt, invoke(t.Context(), h.conn, method, true, request, &parleyv1.StreamEventsResponse{}))
					checkAsked(t, h, tt)
				})
				for _, form := range []string{ndjson, sse} {
					t.Run(form, func(t *testing.T) {
						text := checkAnswer(t, tt, h.get(t, tt.rest, "Accept", form), form)
						if tt.code == codes.OK && !strings.Contains(text, `{"summary":{"complete":true`) {
							t.Errorf("the stream ends with %s", text)
						}
						checkAsked(t, h, tt)
					})
				}
			})
		}
	}
}

// startTLS runs a server over TLS, and makes its clients use it.
func startTLS(t *testing.T) *harness {
	t.Helper()
	dir := t.TempDir()
	h := start(t, func(c *server.Config) { c.TLS = testTLS(t, dir, "") })
	conf := &tls.Config{RootCAs: rootsOf(t, dir), MinVersion: tls.VersionTLS12}
	conn, err := grpc.NewClient(h.server.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(conf.Clone())))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(func() {
		_ = conn.Close()
		transport.CloseIdleConnections()
	})
	_ = h.conn.Close()
	h.conn, h.base, h.web.Transport = conn, "https://"+h.server.HTTPAddr(), transport
	return h
}

// streamOf is the case of the stream with the same request; the method is empty where there is none.
func streamOf(t *testing.T, tt apiCase) (stream apiCase, method string, request proto.Message) {
	t.Helper()
	var to proto.Message
	switch tt.rpc.(type) {
	case *parleyv1.ListEventsRequest:
		method, to = parleyv1.EventService_StreamEvents_FullMethodName, &parleyv1.StreamEventsRequest{}
	case *parleyv1.ListConversationsRequest:
		method, to = parleyv1.ConversationService_StreamConversations_FullMethodName, &parleyv1.StreamConversationsRequest{}
	case *parleyv1.ListCopilotUsageRequest:
		method, to = parleyv1.CopilotUsageService_StreamCopilotUsage_FullMethodName, &parleyv1.StreamCopilotUsageRequest{}
	default:
		return tt, "", nil
	}
	if tt.field == "page_size" {
		return tt, "", nil
	}
	tt.rpc.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch name := field.Name(); name {
		case "page_size":
		case "page_token":
			to.ProtoReflect().Set(to.ProtoReflect().Descriptor().Fields().ByName("resume_token"), value)
		default:
			to.ProtoReflect().Set(to.ProtoReflect().Descriptor().Fields().ByName(name), value)
		}
		return true
	})
	path, parameters, _ := strings.Cut(tt.rest, "?")
	values, err := url.ParseQuery(parameters)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"page_size", "pageSize"} {
		values.Del(name)
	}
	if token := values.Get("pageToken"); token != "" {
		values.Del("pageToken")
		values.Set("resumeToken", token)
	}
	tt.rest, tt.size = path+":stream?"+values.Encode(), 0
	return tt, method, to
}

func checkStatus(t *testing.T, tt apiCase, err error) {
	t.Helper()
	if got := status.Code(err); got != tt.code {
		t.Fatalf("code %v, want %v: %v", got, tt.code, err)
	}
	if got := apierror.Reason(status.Convert(err)); got != tt.reason {
		t.Errorf("reason %q, want %q", got, tt.reason)
	}
	checkFields(t, tt, fieldsOf(err))
}

// checkAnswer checks a REST answer, whose media type is that of its kind if it is no error, and returns its text.
func checkAnswer(t *testing.T, tt apiCase, resp *http.Response, kind string) string {
	t.Helper()
	text, want := body(t, resp), tt.http
	if want == 0 {
		want = http.StatusOK
	}
	if resp.StatusCode != want {
		t.Fatalf("status %d, want %d: %s", resp.StatusCode, want, text)
	}
	if tt.code != codes.OK {
		kind = "application/json"
		e := parseError(t, text)
		if e.Code != int(tt.code) || e.reason() != tt.reason {
			t.Errorf("error %d %s, want %d %s", e.Code, e.reason(), tt.code, tt.reason)
		}
		checkFields(t, tt, e.fields())
	}
	if got := resp.Header.Get("Content-Type"); got != kind {
		t.Errorf("content type %q, want %q", got, kind)
	}
	if resp.Header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	return text
}

func checkFields(t *testing.T, tt apiCase, fields []string) {
	t.Helper()
	if got := strings.Join(fields, " "); !strings.HasPrefix(got, tt.field) || tt.field == "" && got != "" {
		t.Errorf("bad fields %q, want %q", got, tt.field)
	}
}

// call sends a unary request by its type.
func call(ctx context.Context, h *harness, request proto.Message) error {
	var err error
	switch req := request.(type) {
	case *parleyv1.ListEventsRequest:
		_, err = parleyv1.NewEventServiceClient(h.conn).ListEvents(ctx, req)
	case *parleyv1.GetEventRequest:
		_, err = parleyv1.NewEventServiceClient(h.conn).GetEvent(ctx, req)
	case *parleyv1.ListConversationsRequest:
		_, err = parleyv1.NewConversationServiceClient(h.conn).ListConversations(ctx, req)
	case *parleyv1.GetConversationRequest:
		_, err = parleyv1.NewConversationServiceClient(h.conn).GetConversation(ctx, req)
	case *parleyv1.ListCopilotUsageRequest:
		_, err = parleyv1.NewCopilotUsageServiceClient(h.conn).ListCopilotUsage(ctx, req)
	case *parleyv1.SummarizeCopilotUsageRequest:
		_, err = parleyv1.NewCopilotUsageServiceClient(h.conn).SummarizeCopilotUsage(ctx, req)
	case *parleyv1.ListCopilotUsageTrendsRequest:
		_, err = parleyv1.NewCopilotUsageServiceClient(h.conn).ListCopilotUsageTrends(ctx, req)
	case *parleyv1.GetUserRequest:
		_, err = parleyv1.NewUserServiceClient(h.conn).GetUser(ctx, req)
	case *parleyv1.ListUsersRequest:
		_, err = parleyv1.NewUserServiceClient(h.conn).ListUsers(ctx, req)
	default:
		err = errors.New("no such request")
	}
	return err
}

func checkAsked(t *testing.T, h *harness, tt apiCase) {
	t.Helper()
	requests, tokens, sizes := h.take()
	if tt.asked == nil {
		if len(requests) != 0 {
			t.Errorf("the engine was asked %v", requests)
		}
		return
	}
	if diff := cmp.Diff([]any{tt.asked}, requests, asAsked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{tt.token}, tokens); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{tt.size}, sizes); diff != "" {
		t.Errorf("page size (-want +got):\n%s", diff)
	}
}

// everySource are the sources below a conversation for a request that names none.
var everySource = []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}
