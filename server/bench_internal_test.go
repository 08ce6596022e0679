package server

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/timeline"
)

const benchUser = "11111111-2222-4333-8444-555555555501"

// keptEngine answers with what it was made with, as the timeline does from its cache; the other methods are not there.
type keptEngine struct {
	Engine

	page   *timeline.Page
	frames []*parleyv1.StreamEventsResponse
}

func (k *keptEngine) PageEvents(context.Context, timeline.Sources, timeline.EventsRequest, string, int) (*timeline.Page, error) {
	return k.page, nil
}

func (k *keptEngine) StreamEvents(_ context.Context, _ timeline.Sources, _ timeline.EventsRequest, _ string, emit func(*parleyv1.StreamEventsResponse) error) error {
	for _, frame := range k.frames {
		if err := emit(frame); err != nil {
			return err
		}
	}
	return nil
}

// newKept returns an engine with a page of events of about 2 KB each, and as many batches of them.
func newKept(tb testing.TB, events, batches int) *keptEngine {
	tb.Helper()
	text := make([]byte, 1500)
	for i := range text {
		text[i] = "Lorem ipsum, \"dolor\" sit amet\n"[i%30]
	}
	page := &parleyv1.EventBatch{}
	for range events {
		page.Events = append(page.Events, &parleyv1.Event{
			Name: "users/u/events/chat,19:a@thread.v2,1", Uid: "uid", Version: 7, EventTime: timestamppb.Now(), CreateTime: timestamppb.Now(),
			Actor:  &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u", DisplayName: "Ada"}},
			Body:   &parleyv1.Body{Content: string(text), ContentBytes: 1500},
			Detail: &parleyv1.Event_Chat{Chat: &parleyv1.ChatDetail{Reactions: []*parleyv1.Reaction{{ReactionType: "like"}}}},
		})
	}
	list, err := proto.Marshal(page)
	if err != nil {
		tb.Fatal(err)
	}
	k := &keptEngine{page: &timeline.Page{Events: list, Count: events, Message: &parleyv1.ListEventsResponse{
		NextPageToken: "token", Sources: []*parleyv1.SourceReport{{Source: parleyv1.Source_SOURCE_CHAT, State: parleyv1.SourceState_SOURCE_STATE_READ}},
	}}}
	for range batches {
		batch := &parleyv1.EventBatch{}
		batch.ProtoReflect().SetUnknown(list)
		k.frames = append(k.frames, &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}},
			&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "token"}}})
	}
	return k
}

// newBench is a server over an engine, with audit to a file, that is not started.
func newBench(tb testing.TB, engine Engine) *Server {
	tb.Helper()
	file, err := audit.OpenFile(filepath.Join(tb.TempDir(), "audit.jsonl"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	log := audit.New(file, audit.Options{})
	tb.Cleanup(func() { _ = log.Close() })
	s, err := New(Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Audit: log, Engine: engine,
		Tenants: map[string]*Tenant{"contoso": {ID: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee01"}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func benchRequest() *parleyv1.ListEventsRequest {
	return &parleyv1.ListEventsRequest{
		Parent: "users/" + benchUser, PageSize: 50, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT},
		StartTime: &timestamppb.Timestamp{Seconds: 1_790_000_000}, EndTime: &timestamppb.Timestamp{Seconds: 1_790_003_600},
	}
}

// told is the transport's side of a call.
type told struct{ md metadata.MD }

func (*told) Method() string                    { return parleyv1.EventService_ListEvents_FullMethodName }
func (t *told) SetHeader(md metadata.MD) error  { t.md = md; return nil }
func (t *told) SendHeader(md metadata.MD) error { t.md = md; return nil }
func (*told) SetTrailer(metadata.MD) error      { return nil }

// oneCall makes a unary call through the chain of the gRPC door, without a transport.
func oneCall(tb testing.TB, s *Server) func() {
	tb.Helper()
	links, err := s.chain(&identity{s: s, auth: s.authenticator(), door: doorGRPC}, overGRPC{})
	if err != nil {
		tb.Fatal(err)
	}
	transport := &told{}
	ctx := grpc.NewContextWithServerTransportStream(metadata.NewIncomingContext(tb.Context(), metadata.MD{
		"user-agent": {"x"}, ":authority": {"x"}, "content-type": {"application/grpc"},
	}), transport)
	info := &grpc.UnaryServerInfo{FullMethod: transport.Method()}
	handler := handle((&events{s: s}).ListEvents)
	request := benchRequest()
	return func() {
		answer, err := links.unary(ctx, request, info, handler)
		if err != nil || answer == nil || len(transport.md) == 0 {
			tb.Fatal(answer, err)
		}
	}
}

// BenchmarkChain is what the interceptors and the service take of a unary call.
func BenchmarkChain(b *testing.B) {
	call := oneCall(b, newBench(b, newKept(b, 1, 0)))
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

// BenchmarkCodec is what it takes to hand a batch of 50 encoded events to the transport.
func BenchmarkCodec(b *testing.B) {
	frame, c := newKept(b, 50, 1).frames[0], newCodec()
	b.ReportAllocs()
	for b.Loop() {
		data, err := c.Marshal(frame)
		if err != nil {
			b.Fatal(err)
		}
		data.Free()
	}
}

var _ = rest.Unmark
var _ = io.EOF
