package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
)

// large is an event that fills the windows of a connection.
func large() *parleyv1.Event {
	return &parleyv1.Event{Name: "users/u/events/large", Body: &parleyv1.Body{Content: strings.Repeat("x", 1<<20)}}
}

// flood emits a checkpoint and then batches for as long as somebody takes them.
func flood(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
	if err := emit(checkpointFrame("t1")); err != nil {
		return err
	}
	for ctx.Err() == nil {
		batch := &parleyv1.EventBatch{Events: []*parleyv1.Event{large()}}
		if err := emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// deaf sends a request over REST, whose answer nobody reads until the test does.
func (h *harness) deaf(t *testing.T, path, token string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.server.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(128 << 10); err != nil {
			t.Fatal(err)
		}
	}
	if token != "" {
		token = "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nGrpc-Timeout: 99999999H\r\n%s\r\n", path, h.server.HTTPAddr(), token); err != nil {
		t.Fatal(err)
	}
	return conn
}

// deafCall makes a call over gRPC, whose answer nobody reads until the test does.
func deafCall(t *testing.T, ctx context.Context, conn *grpc.ClientConn, method string, request any, options ...grpc.CallOption) grpc.ClientStream {
	t.Helper()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(request); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	return stream
}

// reaches waits for a counter.
func reaches(t *testing.T, n *atomic.Int64, want int64) {
	t.Helper()
	for deadline := time.Now().Add(bearable); n.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d, want %d", n.Load(), want)
		}
	}
}

// TestOneCallerHurtsNobody: work is bounded per caller. One user takes every place, by streams or lists, over
// both protocols, and reads nothing. Another one is served, and so is a third.
func TestOneCallerHurtsNobody(t *testing.T) {
	t.Parallel()
	const places = 16
	var streams, lists atomic.Int64
	h := startGuarded(t, func(c *server.Config) { c.MaxCalls, c.MaxStreams, c.CallerShare = places, places, 0.125 })
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		streams.Add(1)
		return flood(ctx, emit)
	}
	h.lists(func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		if lists.Add(1); lists.Load() <= places {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return &parleyv1.ListEventsResponse{Complete: true}, nil
	})
	var greedy []grpc.ClientStream
	for i := range places {
		if i%2 == 0 {
			h.deaf(t, "/v1/"+anna+"/events:stream", "owner")
			continue
		}
		greedy = append(greedy, deafCall(t, as(t.Context(), "owner"), h.conn, parleyv1.EventService_StreamEvents_FullMethodName, &parleyv1.StreamEventsRequest{Parent: anna}))
	}
	reaches(t, &streams, places)
	for i := range places {
		if i%2 == 0 {
			h.deaf(t, "/v1/"+anna+"/events", "owner")
			continue
		}
		deafCall(t, as(t.Context(), "owner"), h.conn, parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna})
	}
	reaches(t, &lists, places)

	client := parleyv1.NewEventServiceClient(h.conn)
	for range 2 { // the share of an honest caller
		served(t, "of a stream", func() error {
			stream, err := client.StreamEvents(as(t.Context(), "officer"), &parleyv1.StreamEventsRequest{Parent: anna})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		})
		served(t, "of a list", func() error {
			_, err := client.ListEvents(as(t.Context(), "officer"), &parleyv1.ListEventsRequest{Parent: anna})
			return err
		})
		served(t, "of a list over REST", func() error {
			resp := h.get(t, "/v1/users", "Authorization", "Bearer officer")
			if text := body(t, resp); resp.StatusCode != http.StatusOK {
				return errors.New(text)
			}
			return nil
		})
	}
	// The greedy one is told so, with the token of the last checkpoint, once they read.
	ended := 0
	for i := len(greedy) - 1; i >= 0 && ended == 0; i-- {
		for range 8 {
			if err := greedy[i].RecvMsg(&parleyv1.StreamEventsResponse{}); err != nil {
				st := status.Convert(err)
				if apierror.Reason(st) != "OVERLOADED" || apierror.Info(st).GetMetadata()[apierror.MetaResumeToken] != "t1" {
					t.Errorf("the greedy stream ended with %v", st)
				}
				ended++
				break
			}
		}
	}
	if ended == 0 {
		t.Log("the streams over REST made room")
	}
}

// TestStalledReadersLoseTheirPlace: a place is not held by nobody. A reader who takes nothing is given up, over both protocols; over
// gRPC the reader who comes back is told so, with a token and that to go on at once is right.
func TestStalledReadersLoseTheirPlace(t *testing.T) {
	t.Parallel()
	var ended atomic.Int64
	h := start(t, func(c *server.Config) { c.StreamStall = 3 * time.Second })
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		defer ended.Add(1)
		return flood(ctx, emit)
	}
	h.deaf(t, "/v1/"+anna+"/events:stream", "")
	reaches(t, &ended, 1)
	stream := deafCall(t, t.Context(), h.conn, parleyv1.EventService_StreamEvents_FullMethodName, &parleyv1.StreamEventsRequest{Parent: anna})
	reaches(t, &ended, 2)
	for {
		if err := stream.RecvMsg(&parleyv1.StreamEventsResponse{}); err != nil {
			checkPlannedEnd(t, err, "t1")
			return
		}
	}
}

// checkPlannedEnd fails the test unless an error is the planned end of a stream.
func checkPlannedEnd(t *testing.T, err error, token string) {
	t.Helper()
	st := status.Convert(err)
	retry := time.Duration(-1)
	for _, detail := range st.Details() {
		if r, ok := detail.(*errdetails.RetryInfo); ok {
			retry = r.GetRetryDelay().AsDuration()
		}
	}
	if st.Code() != codes.Unavailable || apierror.Reason(st) != "STREAM_ENDED" || apierror.Info(st).GetMetadata()[apierror.MetaResumeToken] != token || retry != 0 {
		t.Errorf("the stream ended with %v, to be repeated after %v", st, retry)
	}
}

// TestStreamsEndWithAge: over both protocols alike, at a checkpoint, with its token.
func TestStreamsEndWithAge(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *server.Config) { c.StreamAge = 200 * time.Millisecond })
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		if err := emit(checkpointFrame("t1")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	stream, err := parleyv1.NewEventServiceClient(h.conn).StreamEvents(t.Context(), &parleyv1.StreamEventsRequest{Parent: anna})
	for err == nil {
		_, err = stream.Recv()
	}
	checkPlannedEnd(t, err, "t1")
	text := body(t, h.get(t, "/v1/"+anna+"/events:stream"))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := strings.TrimSuffix(strings.TrimPrefix(lines[len(lines)-1], `{"error":`), "}")
	if e := parseError(t, line); e.reason() != "STREAM_ENDED" || e.meta("resume_token") != "t1" || !strings.Contains(line, `"retryDelay":"0s"`) {
		t.Errorf("over REST: %s", text)
	}
}

// TestPlaceIsHeldUntilTheLastByte: an answer that nobody reads keeps its place, over both protocols, and gives it back when it is
// read.
func TestPlaceIsHeldUntilTheLastByte(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(h *harness) (read func() error){
		"REST": func(h *harness) func() error {
			conn := h.deaf(t, "/v1/"+anna+"/events", "")
			return func() error {
				_, err := io.CopyN(io.Discard, conn, 10<<20)
				return err
			}
		},
		"gRPC": func(h *harness) func() error {
			call := deafCall(t, t.Context(), h.conn, parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna})
			return func() error { return call.RecvMsg(&parleyv1.ListEventsResponse{}) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var handled atomic.Int64
			h := start(t, func(c *server.Config) { c.MaxCalls = 1 })
			answer := &parleyv1.ListEventsResponse{Events: []*parleyv1.Event{large(), large(), large()}}
			if name == "REST" { // what the sockets of both sides hold is no place
				answer.Events = append(answer.Events, large(), large(), large(), large(), large(), large(), large())
			}
			h.lists(func(context.Context) (*parleyv1.ListEventsResponse, error) {
				defer handled.Add(1)
				return answer, nil
			})
			read := begin(h)
			reaches(t, &handled, 1)
			resp := h.get(t, "/v1/users")
			if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusServiceUnavailable || e.reason() != "OVERLOADED" {
				t.Errorf("an answer that nobody reads holds no place: %d", resp.StatusCode)
			}
			if err := read(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(bearable); ; time.Sleep(time.Millisecond) {
				resp := h.get(t, "/v1/users")
				if _, err := io.Copy(&bytes.Buffer{}, resp.Body); err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode == http.StatusOK {
					return
				}
				if time.Now().After(deadline) {
					t.Fatal("an answer that was read holds its place")
				}
			}
		})
	}
}

// TestBytesAreShared: one caller's few streams hold all the memory that there is for events; another caller's stream is admitted,
// and the largest of the first ones ends. A second one of the first caller ends nobody's.
func TestBytesAreShared(t *testing.T) {
	t.Parallel()
	books := ledger.New(ledger.Config{Limit: 1000, Floor: 100})
	sizes := make(chan int64, 8)
	var began atomic.Int64
	h := startGuarded(t, func(c *server.Config) { c.Ledger, c.CallerShare = books, 0.125 })
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		size := <-sizes
		ledger.From(ctx).Add(size)
		defer ledger.From(ctx).Add(-size)
		began.Add(1)
		if err := emit(checkpointFrame(fmt.Sprint("of ", size))); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	open := func(who string, size int64) grpc.ServerStreamingClient[parleyv1.StreamEventsResponse] {
		sizes <- size
		stream, err := parleyv1.NewEventServiceClient(h.conn).StreamEvents(as(t.Context(), who), &parleyv1.StreamEventsRequest{Parent: anna})
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	small := open("owner", 300)
	reaches(t, &began, 1)
	large := open("owner", 650)
	reaches(t, &began, 2)
	if _, err := large.Recv(); err != nil {
		t.Fatal(err)
	}
	honest := open("officer", 100)
	if frame, err := honest.Recv(); err != nil {
		t.Errorf("an honest stream: %v, %v", frame, err)
	}
	_, err := large.Recv()
	if st := status.Convert(err); apierror.Reason(st) != "OVERLOADED" || !strings.HasPrefix(apierror.Info(st).GetMetadata()[apierror.MetaResumeToken], "of ") {
		t.Errorf("the largest stream: %v", err)
	}
	if _, err := small.Recv(); err != nil {
		t.Errorf("the small stream: %v", err)
	}
}

// TestAnswersCountUntilTheyAreRead: answers that nobody has read hold bytes of the same books as streams do, over both protocols. Who
// holds most above a share gets no more, and others do.
func TestAnswersCountUntilTheyAreRead(t *testing.T) {
	t.Parallel()
	const answers, events = 3, 10 // of a MiB each
	for name, c := range map[string]struct {
		each  int64 // bytes of an answer
		begin func(h *harness) (leave func())
	}{
		"REST": {2 * events << 20, func(h *harness) func() {
			conn := h.deaf(t, "/v1/"+anna+"/events", "owner")
			return func() { _ = conn.Close() }
		}},
		"gRPC": {events << 20, func(h *harness) func() {
			ctx, leave := context.WithCancel(as(t.Context(), "owner"))
			deafCall(t, ctx, h.conn, parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna})
			return leave
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			books := ledger.New(ledger.Config{Limit: answers*c.each + 1<<20})
			var answered atomic.Int64
			h := startGuarded(t, func(c *server.Config) { c.Ledger, c.CallerShare = books, 0.125 })
			answer := &parleyv1.ListEventsResponse{Events: slices.Repeat([]*parleyv1.Event{large()}, events)}
			h.lists(func(context.Context) (*parleyv1.ListEventsResponse, error) {
				defer answered.Add(1)
				return answer, nil
			})
			leave := make([]func(), 0, answers)
			for i := range answers {
				leave = append(leave, c.begin(h.harness))
				reaches(t, &answered, int64(i+1))
			}
			list := func(who string) error {
				_, err := parleyv1.NewEventServiceClient(h.dial(t)).ListEvents(as(t.Context(), who), &parleyv1.ListEventsRequest{Parent: anna},
					grpc.MaxCallRecvMsgSize(events<<20+1<<10))
				return err
			}
			until(t, "the answers are counted", func() bool { return books.Committed() >= answers*c.each })
			if err := list("owner"); apierror.Reason(status.Convert(err)) != "OVERLOADED" {
				t.Errorf("who holds all gets more: %v", err)
			}
			// Nor is anything read for who holds more than all.
			books.Open(0).Add(2 << 20)
			made := answered.Load()
			if err := list("owner"); apierror.Reason(status.Convert(err)) != "OVERLOADED" || answered.Load() != made {
				t.Errorf("an answer was made for who holds more than all: %v", err)
			}
			if err := list("officer"); err != nil {
				t.Errorf("another caller: %v", err)
			}
			for _, end := range leave {
				end()
			}
			until(t, "nothing is counted of answers whose readers have left", func() bool { return books.Committed() == 2<<20 })
		})
	}
}

// until waits for a state.
func until(t *testing.T, name string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bearable); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(name)
		}
	}
}

// TestCallsUnderWayCount: a large list counts by what it is expected to take while it is made. Who holds most above a share begins no
// more, and one of theirs ends when another caller finds no room.
func TestCallsUnderWayCount(t *testing.T) {
	t.Parallel()
	books := ledger.New(ledger.Config{Limit: 10 << 20}) // three lists of a thousand rows
	var begun atomic.Int64
	h := startGuarded(t, func(c *server.Config) { c.Ledger, c.CallerShare = books, 0.125 })
	h.lists(func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		if begun.Add(1) > 3 {
			return &parleyv1.ListEventsResponse{Complete: true}, nil
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	client := parleyv1.NewEventServiceClient(h.conn)
	list := func(who string) error {
		_, err := client.ListEvents(as(t.Context(), who), &parleyv1.ListEventsRequest{Parent: anna, PageSize: 1000})
		return err
	}
	ended := make(chan error, 3)
	for i := range 3 {
		go func() { ended <- list("owner") }()
		reaches(t, &begun, int64(i+1))
	}
	if err := list("owner"); apierror.Reason(status.Convert(err)) != "OVERLOADED" || begun.Load() != 3 {
		t.Errorf("one more of a caller whose lists hold all memory: %v", err)
	}
	if err := list("officer"); err != nil {
		t.Errorf("another caller: %v", err)
	}
	if err := <-ended; apierror.Reason(status.Convert(err)) != "OVERLOADED" {
		t.Errorf("the list that makes room: %v", err)
	}
}
