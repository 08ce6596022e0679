package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/inproc"
	"github.com/parley-gateway/parley/server/interceptor"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

const benchUser = "11111111-2222-4333-8444-555555555501"

// benchStart is the beginning of the hour that is kept.
var benchStart = time.Unix(1_790_000_000, 0).UTC()

// keptEngine is the timeline over a cache that holds an hour of one user; its streams send what it was made with.
type keptEngine struct {
	*timeline.Engine

	sources query.Sources
	list    []byte // the events as a list field
	count   int
	batches int
}

func (k *keptEngine) StreamBatches(
	_ context.Context, _ query.Sources, _ query.Events, _ string, take func(*timeline.Batch) error, emit func(*parleyv1.StreamEventsResponse) error,
) error {
	batch := &timeline.Batch{Runs: [][]byte{k.list}, Count: k.count}
	for range k.batches {
		if err := take(batch); err != nil {
			return err
		}
		if err := emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "token"}}}); err != nil {
			return err
		}
	}
	return nil
}

// hour reads the events of the kept hour.
type hour struct{ items []source.Item }

// Events implements source.EventReader.
func (h hour) Events(_ context.Context, q source.EventQuery, _ string) (*source.Page[source.Item], error) {
	page := &source.Page[source.Item]{Requests: 1, ReadAt: time.Now()}
	for _, item := range h.items {
		if !item.Time.Before(q.Start) && item.Time.Before(q.End) {
			page.Items, page.Rows = append(page.Items, item), page.Rows+1
		}
	}
	return page, nil
}

// newKept returns an engine over an hour of events of about 2 KB each, and as many batches of them.
func newKept(tb testing.TB, events, batches int) *keptEngine {
	tb.Helper()
	text := make([]byte, 1500)
	for i := range text {
		text[i] = "Lorem ipsum, \"dolor\" sit amet\n"[i%30]
	}
	all, reader := &parleyv1.EventBatch{}, hour{}
	for i := range events {
		at := benchStart.Add(time.Duration(i) * time.Second)
		event := &parleyv1.Event{
			Name: "users/u/events/chat,19:a@thread.v2," + strconv.Itoa(i), Uid: "uid" + strconv.Itoa(i), Version: 7,
			EventTime: timestamppb.New(at), CreateTime: timestamppb.New(at),
			Actor:  &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u", DisplayName: "Ada"}},
			Body:   &parleyv1.Body{Content: string(text), ContentSize: 1500},
			Detail: &parleyv1.Event_Chat{Chat: &parleyv1.ChatDetail{Reactions: []*parleyv1.Reaction{{ReactionType: "like"}}}},
		}
		item, err := source.NewItem(event)
		if err != nil {
			tb.Fatal(err)
		}
		item.Time, item.Created, item.Key = at, at, strconv.Itoa(i)
		all.Events, reader.items = append(all.Events, event), append(reader.items, item)
	}
	list, err := proto.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	engine, err := timeline.New(timeline.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := cache.New(cache.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pages.Close)
	chats := readers.New(pages, readers.Config{}).Events(reader, readers.Scope{Tenant: "contoso", Source: parleyv1.Source_SOURCE_CHAT})
	return &keptEngine{
		Engine: engine, list: list, count: events, batches: batches,
		sources: query.Sources{Events: map[parleyv1.Source]source.EventReader{parleyv1.Source_SOURCE_CHAT: chats}},
	}
}

// newBench is a server over an engine, with audit to a file, that is not started.
func newBench(tb testing.TB, engine *keptEngine) *Server {
	tb.Helper()
	file, err := audit.OpenFile(filepath.Join(tb.TempDir(), "audit.jsonl"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	log := audit.New(file, audit.Options{})
	tb.Cleanup(func() { _ = log.Close() })
	s, err := New(Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Audit: log, Engine: engine,
		Tenants: map[string]*service.Tenant{"contoso": {ID: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee01", Sources: engine.sources}},
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
		StartTime: timestamppb.New(benchStart), EndTime: timestamppb.New(benchStart.Add(time.Hour)),
	}
}

// oneCall makes a unary call through the chain of gRPC, without a transport.
func oneCall(tb testing.TB, s *Server) func() {
	tb.Helper()
	chain, err := interceptor.Chain(&s.interceptors, callinfo.GRPC)
	if err != nil {
		tb.Fatal(err)
	}
	conn := inproc.New(chain.Unary(), chain.Stream())
	s.services.Register(conn)
	ctx := metadata.NewOutgoingContext(tb.Context(), metadata.MD{
		"user-agent": {"x"}, ":authority": {"x"}, "content-type": {"application/grpc"},
	})
	request := benchRequest()
	return func() {
		var header metadata.MD
		call := &inproc.Call{}
		err := conn.Invoke(inproc.NewContext(ctx, call), parleyv1.EventService_ListEvents_FullMethodName, request, &parleyv1.ListEventsResponse{}, grpc.Header(&header))
		if page, ok := call.Answer.(*timeline.Page); err != nil || !ok || page.Count == 0 || len(header) == 0 {
			tb.Fatal(call.Answer, err)
		}
		call.End()
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
	kept, c := newKept(b, 50, 1), newCodec()
	frame := &timeline.Batch{Runs: [][]byte{kept.list}, Count: 50}
	b.ReportAllocs()
	for b.Loop() {
		data, err := c.Marshal(frame)
		if err != nil {
			b.Fatal(err)
		}
		data.Free()
	}
}

// sink is the cheapest http.ResponseWriter.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(status int) {
	s.status = status
}

func (s *sink) Write(b []byte) (int, error) {
	s.bytes += len(b)
	return len(b), nil
}

// SetWriteDeadline is what http.ResponseController looks for.
func (*sink) SetWriteDeadline(time.Time) error { return nil }

func listURL() string {
	return "/v1/users/" + benchUser + "/events?startTime=2026-09-21T14:13:20Z&endTime=2026-09-21T15:13:20Z&sources=SOURCE_CHAT&pageSize=50"
}

// onePage asks for a page over REST, without a network.
func onePage(tb testing.TB, s *Server) func() {
	tb.Helper()
	face, err := s.newREST()
	if err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, listURL(), http.NoBody)
	w := &sink{header: http.Header{}}
	return func() {
		clear(w.header) // keeps its room
		w.status, w.bytes = http.StatusOK, 0
		face.ServeHTTP(w, r)
		if w.status != http.StatusOK || w.bytes < 1000 {
			tb.Fatalf("%d, %d bytes", w.status, w.bytes)
		}
	}
}

// serve starts a server and returns a client of each kind.
func serve(b *testing.B, engine *keptEngine) (*Server, *grpc.ClientConn) {
	b.Helper()
	s := newBench(b, engine)
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	conn, err := grpc.NewClient(s.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return s, conn
}

// bytesCodec is a client's codec that decodes nothing.
type bytesCodec struct{ codec }

func (c bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if size, ok := v.(*int); ok {
		*size = data.Len()
		return nil
	}
	return c.codec.Unmarshal(data, v)
}

// BenchmarkListEventsUnary is a page of 50 kept events over gRPC, client and server in one process.
func BenchmarkListEventsUnary(b *testing.B) {
	_, conn := serve(b, newKept(b, 50, 0))
	request, size := benchRequest(), 0
	b.ReportAllocs()
	for b.Loop() {
		err := conn.Invoke(b.Context(), parleyv1.EventService_ListEvents_FullMethodName, request, &size, grpc.ForceCodecV2(bytesCodec{newCodec()}))
		if err != nil || size < 1000 {
			b.Fatal(err, size)
		}
	}
	b.SetBytes(int64(size))
}

// BenchmarkStreamCached is 40 batches of 250 kept events over gRPC.
func BenchmarkStreamCached(b *testing.B) {
	_, conn := serve(b, newKept(b, 250, 40))
	total := 0
	b.ReportAllocs()
	for b.Loop() {
		stream, err := conn.NewStream(b.Context(), &grpc.StreamDesc{ServerStreams: true}, parleyv1.EventService_StreamEvents_FullMethodName, grpc.ForceCodecV2(bytesCodec{newCodec()}))
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(stream.SendMsg(&parleyv1.StreamEventsRequest{Parent: "users/" + benchUser}), stream.CloseSend()); err != nil {
			b.Fatal(err)
		}
		size := 0
		for total = 0; err == nil; total += size {
			err = stream.RecvMsg(&size)
		}
		if !errors.Is(err, io.EOF) || total < 1000 {
			b.Fatal(err, total)
		}
	}
	b.SetBytes(int64(total))
}

// BenchmarkRESTList is a page of 50 kept events over HTTP, beside the same bytes from net/http alone.
func BenchmarkRESTList(b *testing.B) {
	kept := newKept(b, 50, 0)
	s, _ := serve(b, kept)
	page := get(b, "http://"+s.HTTPAddr()+listURL())
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page) // the client tells
	}))
	defer static.Close()
	for name, address := range map[string]string{"parley": "http://" + s.HTTPAddr() + listURL(), "static": static.URL} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			for b.Loop() {
				get(b, address)
			}
		})
	}
}

func get(tb testing.TB, address string) []byte {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		tb.Fatal(resp.Status, err)
	}
	return body
}

// BenchmarkRESTPage is what the REST face, the chain and the service take of a kept page.
func BenchmarkRESTPage(b *testing.B) {
	page := onePage(b, newBench(b, newKept(b, 50, 0)))
	b.ReportAllocs()
	for b.Loop() {
		page()
	}
}
