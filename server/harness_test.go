package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	annaID   = "11111111-2222-4333-8444-555555555501"
	annaUPN  = "anna@contoso.example"
	boUPN    = "bo@contoso.example" // the look-up is refused
	carlaUPN = "carla@contoso.example"

	grpcProtocol = "grpc"
	restProtocol = "rest"
	chatID       = "19:2da4c29f6d7041eca70b638b43d45437@thread.v2"
	tenantID     = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee01"
)

// fake is everything below the server.
type fake struct {
	mu       sync.Mutex
	requests []any // what the engines were asked
	tokens   []string
	sizes    []int
	finished string            // the token of a stream that has ended
	report   source.UsageQuery // that was downloaded last

	listEvents   func(ctx context.Context) (*parleyv1.ListEventsResponse, error)
	streamEvents func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error
	streamTenant func(ctx context.Context, emit func(*timeline.TenantFrame) error) error
	getEvent     func(owner, user string, ref source.Ref) (*parleyv1.Event, error)
	getChat      func(owner, user, id string) (*parleyv1.Conversation, error)
	download     func(ctx context.Context) (io.ReadCloser, error)
	content      func(user string, ref source.Ref, id string) (io.ReadCloser, string, error)
}

// lists changes what lists of events answer, between requests. That the answer before is read by now does not tell the race
// detector that its handler is done: it does not see writev.
func (f *fake) lists(answer func(ctx context.Context) (*parleyv1.ListEventsResponse, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listEvents = answer
}

func (f *fake) note(request any, token string, size int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, request)
	f.tokens = append(f.tokens, token)
	f.sizes = append(f.sizes, size)
}

// take returns what was asked since the last take.
func (f *fake) take() (requests []any, tokens []string, sizes []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests, tokens, sizes = f.requests, f.tokens, f.sizes
	f.requests, f.tokens, f.sizes = nil, nil, nil
	return requests, tokens, sizes
}

func (f *fake) PageEvents(ctx context.Context, _ query.Sources, req query.Events, token string, size int) (*timeline.Page, error) {
	f.note(req, token, size)
	f.mu.Lock()
	list := f.listEvents
	f.mu.Unlock()
	if list != nil {
		answer, err := list(ctx)
		if err != nil {
			return nil, err
		}
		return pageOf(answer)
	}
	return pageOf(&parleyv1.ListEventsResponse{Complete: true})
}

// askedAround is what a list around an event asks for.
type askedAround struct {
	Request query.Events
	At      query.Anchor
}

func (f *fake) PageAround(ctx context.Context, have query.Sources, req query.Events, at query.Anchor, token string, size int) (*timeline.Page, error) {
	page, err := f.PageEvents(ctx, have, req, token, size)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[len(f.requests)-1] = askedAround{req, at}
	return page, err
}

// pageOf is the page that an answer is.
func pageOf(answer *parleyv1.ListEventsResponse) (*timeline.Page, error) {
	list, err := proto.Marshal(&parleyv1.EventBatch{Events: answer.GetEvents()})
	if err != nil {
		return nil, err
	}
	page := &timeline.Page{Message: proto.CloneOf(answer), Events: list, Count: len(answer.GetEvents())}
	page.Message.Events = nil
	return page, nil
}

func (f *fake) StreamBatches(
	ctx context.Context, _ query.Sources, req query.Events, token string,
	take func(*timeline.Batch) error, emit func(*parleyv1.StreamEventsResponse) error,
) error {
	back := req.Reconnect
	req.Reconnect = false
	f.note(req, token, 0)
	if back && token == f.finished {
		return nil
	}
	if f.streamEvents != nil {
		return f.streamEvents(ctx, inPieces(emit, take))
	}
	return emit(summaryFrame("end"))
}

func (f *fake) StreamTenantBatches(
	ctx context.Context, _ query.Sources, req query.Tenant, token string, _ func(*timeline.Batch) error, emit func(*timeline.TenantFrame) error,
) error {
	back := req.Reconnect
	req.Reconnect = false
	f.note(req, token, 0)
	if back && token == f.finished {
		return nil
	}
	if f.streamTenant != nil {
		return f.streamTenant(ctx, emit)
	}
	summary := &parleyv1.TenantSummary{Outcome: parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE, Complete: true, ResumeToken: "end"}
	return emit(&timeline.TenantFrame{Frame: &parleyv1.StreamTenantEventsResponse_Summary{Summary: summary}})
}

// inPieces hands batches over as the timeline does, each event a piece of its own.
func inPieces(emit func(*parleyv1.StreamEventsResponse) error, take func(*timeline.Batch) error) func(*parleyv1.StreamEventsResponse) error {
	return func(frame *parleyv1.StreamEventsResponse) error {
		if list := frame.GetBatch().ProtoReflect().GetUnknown(); len(list) > 0 {
			return take(&timeline.Batch{Runs: [][]byte{list}})
		}
		if len(frame.GetBatch().GetEvents()) == 0 {
			return emit(frame)
		}
		batch := &timeline.Batch{Count: len(frame.GetBatch().GetEvents())}
		for _, event := range frame.GetBatch().GetEvents() {
			piece, err := proto.Marshal(&parleyv1.EventBatch{Events: []*parleyv1.Event{event}})
			if err != nil {
				return err
			}
			batch.Runs = append(batch.Runs, piece)
		}
		return take(batch)
	}
}

func (f *fake) ListConversations(_ context.Context, _ query.Sources, req query.Conversations, token string, size int) (*parleyv1.ListConversationsResponse, error) {
	f.note(req, token, size)
	return &parleyv1.ListConversationsResponse{Complete: true}, nil
}

func (f *fake) StreamConversations(_ context.Context, _ query.Sources, req query.Conversations, token string, emit func(*parleyv1.StreamConversationsResponse) error) error {
	f.note(req, token, 0)
	return emit(&parleyv1.StreamConversationsResponse{Frame: &parleyv1.StreamConversationsResponse_Summary{Summary: &parleyv1.Summary{Complete: true}}})
}

// LastEvent and Describe find nothing: no conversation is derived from events.
func (f *fake) LastEvent(_ context.Context, _ query.Sources, req query.Events) (*parleyv1.Event, *timeline.Reading, error) {
	return nil, nothingRead(req), nil
}

func (f *fake) Describe(_ context.Context, _ query.Sources, req query.Events, _ int, _ *derived.Groups) (*timeline.Reading, error) {
	return nothingRead(req), nil
}

func nothingRead(req query.Events) *timeline.Reading {
	src := req.Sources[0]
	return &timeline.Reading{
		Source: src, Complete: true, Report: &parleyv1.SourceReport{Source: src, State: parleyv1.SourceState_SOURCE_STATE_READ},
	}
}

func (f *fake) ListCopilotUsage(_ context.Context, _ query.Sources, req query.Usage, token string, size int) (*parleyv1.ListCopilotUsageResponse, error) {
	f.note(req, token, size)
	return &parleyv1.ListCopilotUsageResponse{Complete: true}, nil
}

func (f *fake) StreamCopilotUsage(_ context.Context, _ query.Sources, req query.Usage, token string, emit func(*parleyv1.StreamCopilotUsageResponse) error) error {
	f.note(req, token, 0)
	return emit(&parleyv1.StreamCopilotUsageResponse{Frame: &parleyv1.StreamCopilotUsageResponse_Summary{Summary: &parleyv1.Summary{Complete: true}}})
}

func (f *fake) SummarizeCopilotUsage(_ context.Context, _ query.Sources, req query.UsageCounts) (*parleyv1.SummarizeCopilotUsageResponse, error) {
	f.note(req, "", 0)
	return &parleyv1.SummarizeCopilotUsageResponse{Complete: true}, nil
}

func (f *fake) ListCopilotUsageTrends(_ context.Context, _ query.Sources, req query.UsageCounts, token string, size int) (*parleyv1.ListCopilotUsageTrendsResponse, error) {
	f.note(req, token, size)
	return &parleyv1.ListCopilotUsageTrendsResponse{Complete: true}, nil
}

func (f *fake) ListUsers(_ context.Context, _ query.Sources, req query.Users, token string, size int) (*parleyv1.ListUsersResponse, error) {
	f.note(req, token, size)
	return &parleyv1.ListUsersResponse{Users: []*parleyv1.User{{Name: "users/" + annaID, Id: annaID}}, Complete: true}, nil
}

// Event implements source.EventGetter.
func (f *fake) Event(_ context.Context, owner, user string, ref source.Ref) (*parleyv1.Event, error) {
	if f.getEvent != nil {
		return f.getEvent(owner, user, ref)
	}
	return &parleyv1.Event{Name: "users/" + owner + "/events/x", Source: &parleyv1.EventSource{Source: ref.Source, Id: ref.ID}}, nil
}

// Conversations implements source.ConversationReader.
func (f *fake) Conversations(context.Context, source.ConversationQuery, string) (*source.Page[*parleyv1.Conversation], error) {
	return &source.Page[*parleyv1.Conversation]{}, nil
}

// Conversation implements source.ConversationReader.
func (f *fake) Conversation(_ context.Context, owner, user, id string) (*parleyv1.Conversation, error) {
	if f.getChat != nil {
		return f.getChat(owner, user, id)
	}
	if id != chatID && !source.EveryUserHas(id) {
		return nil, &graph.Error{Kind: graph.KindNotFound, Status: http.StatusNotFound}
	}
	return &parleyv1.Conversation{Name: "users/" + owner + "/conversations/" + id, ChatId: id}, nil
}

// Users implements source.UserReader.
func (f *fake) Users(context.Context, source.UserQuery, string) (*source.Page[*parleyv1.User], error) {
	return &source.Page[*parleyv1.User]{}, nil
}

// User implements source.UserReader. Nobody is unknown but who is called so.
func (f *fake) User(_ context.Context, user string) (*parleyv1.User, error) {
	if user == unknownUser {
		return nil, &graph.Error{Kind: graph.KindNotFound, Status: http.StatusNotFound, Code: "Request_ResourceNotFound"}
	}
	return &parleyv1.User{
		Name: "users/" + user, Id: user, DisplayName: "Anna", UserPrincipalName: annaUPN, Department: "Sales", JobTitle: "Analyst", Country: "Japan",
		AccountEnabled: new(true), UserType: "Member", Copilot: &parleyv1.CopilotLicence{Licensed: new(true)},
	}, nil
}

// unknownUser is nobody's id.
const unknownUser = "00000000-0000-4000-8000-00000000dead"

// UserID implements source.UserReader.
func (f *fake) UserID(_ context.Context, upn string) (string, error) {
	switch upn {
	case annaUPN:
		return annaID, nil
	case carlaUPN:
		return carlaID, nil
	case boUPN:
		return "", &graph.Error{Kind: graph.KindForbidden, Status: http.StatusForbidden}
	default:
		return "", &graph.Error{Kind: graph.KindNotFound, Status: http.StatusNotFound, Code: "Request_ResourceNotFound"}
	}
}

// Download implements service.ReportDownloader.
func (f *fake) Download(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error) {
	f.mu.Lock()
	f.report = q
	f.mu.Unlock()
	if f.download == nil {
		return io.NopCloser(strings.NewReader("")), "text/csv", nil
	}
	body, err := f.download(ctx)
	return body, "text/csv", err
}

// HostedContent implements service.ContentReader.
func (f *fake) HostedContent(_ context.Context, user string, ref source.Ref, id string) (io.ReadCloser, string, error) {
	if f.content == nil {
		return io.NopCloser(strings.NewReader("")), "image/png", nil
	}
	return f.content(user, ref, id)
}

var (
	_ service.ContentReader     = (*fake)(nil)
	_ service.Engine            = (*fake)(nil)
	_ source.EventGetter        = (*fake)(nil)
	_ source.ConversationReader = (*fake)(nil)
	_ source.UserReader         = (*fake)(nil)
	_ service.ReportDownloader  = (*fake)(nil)
)

// bearable is how long tests wait for a state that comes at once unless the machine is busy.
const bearable = 2 * time.Minute

// harness is a running server with a client of each kind.
type harness struct {
	*fake

	server *server.Server
	conn   *grpc.ClientConn
	web    *http.Client
	base   string
	log    *logBuffer
}

// logBuffer is a log that tests read.
type logBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// tenant is the tenant that reads from the fake.
func (f *fake) tenant() *service.Tenant {
	getters := map[parleyv1.Source]source.EventGetter{
		parleyv1.Source_SOURCE_CHAT: f, parleyv1.Source_SOURCE_CALL: f, parleyv1.Source_SOURCE_COPILOT: f,
	}
	return &service.Tenant{ID: tenantID, Sources: query.Sources{Getters: getters, Conversations: f, Users: f}, Reports: f, Contents: f}
}

// start runs a server on free ports and stops it with the test.
func start(tb testing.TB, change func(*server.Config)) *harness {
	tb.Helper()
	h := &harness{fake: &fake{}, log: &logBuffer{}}
	cfg := server.Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0",
		Tenants:   map[string]*service.Tenant{"contoso": h.tenant()},
		Engine:    h,
		Logger:    slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OpenAPI:   []byte(`{"openapi":"3.1.0"}`),
		Version:   "test",
		DrainTime: 5 * time.Second,
		CallTime:  time.Minute, // a busy machine may take longer than the usual 20 seconds
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if h.server, err = server.New(cfg); err != nil {
		tb.Fatal(err)
	}
	if err := h.server.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if h.conn, err = grpc.NewClient(h.server.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	h.web = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	h.base = "http://" + h.server.HTTPAddr()
	tb.Cleanup(func() {
		_ = h.conn.Close()
		transport.CloseIdleConnections()
		if err := h.server.Close(context.Background()); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return h
}

// get sends a GET; headers come in pairs. The path is sent as it is.
func (h *harness) get(t *testing.T, path string, headers ...string) *http.Response {
	t.Helper()
	return h.send(t, t.Context(), http.MethodGet, path, headers...)
}

func (h *harness) send(t *testing.T, ctx context.Context, method, path string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, h.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	resp, err := h.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// body reads an answer to its end.
func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
