package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
)

// unread has the owner make lists until they hold every place. Their answers are there and nobody reads them. The result ends
// the last of them.
func unread(t *testing.T, h *harness, answered *atomic.Int64, places int, begin func(h *harness) (leave func())) (leave func()) {
	t.Helper()
	h.lists(func(context.Context) (*parleyv1.ListEventsResponse, error) {
		defer answered.Add(1)
		answer := &parleyv1.ListEventsResponse{Complete: true}
		if answered.Load() < int64(places) {
			for range 10 { // more than the sockets of both sides hold
				answer.Events = append(answer.Events, large())
			}
		}
		return answer, nil
	})
	for i := range places {
		leave = begin(h)
		reaches(t, answered, int64(i+1))
	}
	return leave
}

// unreadOver are the ways of making a list that nobody reads.
func unreadOver(t *testing.T) map[string]func(h *harness) (leave func()) {
	t.Helper()
	return map[string]func(h *harness) func(){
		"REST": func(h *harness) func() {
			conn := h.deaf(t, "/v1/"+anna+"/events", "owner")
			return func() { _ = conn.Close() }
		},
		"gRPC, a call that is cancelled": func(h *harness) func() {
			ctx, cancel := context.WithCancel(as(t.Context(), "owner"))
			deafCall(t, ctx, h.dial(t), parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna})
			return cancel
		},
		"gRPC, a connection that others share": func(h *harness) func() {
			ctx, cancel := context.WithCancel(as(t.Context(), "owner"))
			deafCall(t, ctx, h.conn, parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna})
			return cancel
		},
		"gRPC, a connection that breaks": func(h *harness) func() {
			var raw net.Conn
			conn := h.dial(t, grpc.WithContextDialer(func(ctx context.Context, addr string) (_ net.Conn, err error) {
				raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
				return raw, err
			}))
			deafCall(t, as(t.Context(), "owner"), conn, parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna})
			return func() { _ = raw.Close() }
		},
	}
}

// TestUnreadAnswersMakeRoom: a place for others is found within a second. One caller holds every place by
// answers that are written and not read, over both protocols. Others are served.
func TestUnreadAnswersMakeRoom(t *testing.T) {
	t.Parallel()
	for name, begin := range unreadOver(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const places = 3
			var answered atomic.Int64
			h := startGuarded(t, func(c *server.Config) { c.MaxCalls, c.CallerShare = places, 0.34 })
			unread(t, h.harness, &answered, places, begin)
			client := parleyv1.NewEventServiceClient(h.conn)
			for range 2 {
				served(t, "over gRPC", func() error {
					_, err := client.ListEvents(as(t.Context(), "officer"), &parleyv1.ListEventsRequest{Parent: anna})
					return err
				})
				served(t, "over REST", usersOverREST(t, h))
			}
		})
	}
}

// incompressible is an event that fills the windows of a connection also when it is compressed.
func incompressible(t *testing.T) *parleyv1.Event {
	t.Helper()
	random := make([]byte, 1<<18)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	return &parleyv1.Event{Name: "users/u/events/large", Body: &parleyv1.Body{Content: hex.EncodeToString(random)}}
}

// TestPlacesOfEveryAnswer: a place is held until the last byte is out. Whatever an answer is made of, it keeps its
// place while nobody reads it, and gives it back when it is read.
func TestPlacesOfEveryAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []grpc.CallOption
		stream  bool
		event   *parleyv1.Event
		count   int
	}{
		"a list":                     {nil, false, large(), 3},
		"a compressed list":          {[]grpc.CallOption{grpc.UseCompressor(gzip.Name)}, false, incompressible(t), 3},
		"a list of small events":     {nil, false, &parleyv1.Event{Name: "users/u/events/small"}, 10_000},
		"a compressed stream":        {[]grpc.CallOption{grpc.UseCompressor(gzip.Name)}, true, incompressible(t), 1},
		"a stream of small events":   {nil, true, &parleyv1.Event{Name: "users/u/events/small"}, 10_000},
		"a stream of a larger event": {nil, true, large(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var handled atomic.Int64
			h := start(t, func(c *server.Config) { c.MaxCalls, c.MaxStreams = 1, 1 })
			events := slices.Repeat([]*parleyv1.Event{c.event}, c.count)
			h.lists(func(context.Context) (*parleyv1.ListEventsResponse, error) {
				defer handled.Add(1)
				return &parleyv1.ListEventsResponse{Events: events}, nil
			})
			h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
				defer handled.Add(1)
				return emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: &parleyv1.EventBatch{Events: events}}})
			}
			ctx, room := t.Context(), grpc.MaxCallRecvMsgSize(16<<20)
			var call grpc.ClientStream
			if c.stream {
				call = deafCall(t, ctx, h.conn, parleyv1.EventService_StreamEvents_FullMethodName, &parleyv1.StreamEventsRequest{Parent: anna}, append(c.options, room)...)
			} else {
				call = deafCall(t, ctx, h.conn, parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna}, append(c.options, room)...)
			}
			another := func() error {
				if c.stream {
					other := deafCall(t, ctx, h.dial(t), parleyv1.EventService_StreamEvents_FullMethodName, &parleyv1.StreamEventsRequest{Parent: anna}, room)
					return other.RecvMsg(&parleyv1.StreamEventsResponse{})
				}
				_, err := parleyv1.NewEventServiceClient(h.dial(t)).ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: anna}, room)
				return err
			}
			reaches(t, &handled, 1)
			var err error
			for begin := time.Now(); time.Since(begin) < time.Second; { // compressing takes a while
				if err = another(); apierror.Reason(status.Convert(err)) != "OVERLOADED" {
					t.Fatalf("an answer that nobody reads holds no place: %v", err)
				}
			}
			for err = nil; err == nil; {
				var answer proto.Message = &parleyv1.ListEventsResponse{}
				if c.stream {
					answer = &parleyv1.StreamEventsResponse{}
				}
				err = call.RecvMsg(answer)
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			served(t, "after an answer that was read", another)
		})
	}
}

// served waits until a call succeeds. On a busy machine the answers before it may still be rendered, or be under way to the sockets. Given
// up by nobody, they would stay for StreamStall, two minutes.
func served(t *testing.T, name string, call func() error) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; {
		err := call()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("an honest call %s: %v", name, err)
		}
	}
}

// usersOverREST is a call of an honest caller.
func usersOverREST(t *testing.T, h *guarded) func() error {
	t.Helper()
	return func() error {
		resp := h.get(t, "/v1/users", "Authorization", "Bearer officer")
		if text := body(t, resp); resp.StatusCode != http.StatusOK {
			return errors.New(text)
		}
		return nil
	}
}

// TestPlacesOfWhoLeaves: a place is held until the last byte is out. A caller who leaves without having read an
// answer gives the place back, also where the connection is closed with it.
func TestPlacesOfWhoLeaves(t *testing.T) {
	t.Parallel()
	for name, begin := range unreadOver(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answered atomic.Int64
			h := startGuarded(t, func(c *server.Config) { c.MaxCalls = 1 })
			unread(t, h.harness, &answered, 1, begin)()
			served(t, "after one whose reader has left", usersOverREST(t, h))
		})
	}
}

// TestPlacesOfStreamsNobodyReads: a place is held until the last byte is out, for streams over gRPC whose method
// has ended: what is queued counts, makes room for others, and goes with its reader.
func TestPlacesOfStreamsNobodyReads(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, share float64) (h *guarded, raw net.Conn) {
		t.Helper()
		var ended atomic.Int64
		h = startGuarded(t, func(c *server.Config) { c.MaxStreams, c.CallerShare = 2, share })
		h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
			defer ended.Add(1)
			batch := &parleyv1.EventBatch{Events: []*parleyv1.Event{large()}}
			return emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}})
		}
		conn := h.dial(t, grpc.WithContextDialer(func(ctx context.Context, addr string) (_ net.Conn, err error) {
			raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			return raw, err
		}))
		for range 2 {
			deafCall(t, as(t.Context(), "owner"), conn, parleyv1.EventService_StreamEvents_FullMethodName, &parleyv1.StreamEventsRequest{Parent: anna})
		}
		reaches(t, &ended, 2)
		return h, raw
	}
	stream := func(t *testing.T, h *guarded) func() error {
		t.Helper()
		return func() error {
			frames, err := parleyv1.NewEventServiceClient(h.conn).StreamEvents(as(t.Context(), "officer"), &parleyv1.StreamEventsRequest{Parent: anna})
			if err != nil {
				return err
			}
			_, err = frames.Recv()
			return err
		}
	}
	t.Run("held", func(t *testing.T) {
		t.Parallel()
		h, raw := begin(t, 1)
		if err := stream(t, h)(); status.Code(err) != codes.Unavailable {
			t.Errorf("what is queued for a reader who takes nothing holds no place: %v", err)
		}
		_ = raw.Close()
		served(t, "after a connection that broke", stream(t, h))
	})
	t.Run("makes room", func(t *testing.T) {
		t.Parallel()
		h, _ := begin(t, 0.5)
		served(t, "over gRPC", stream(t, h))
	})
}

// TestUnreadAnswersMakeRoomOverTLS is TestUnreadAnswersMakeRoom where both protocols use TLS, REST in both versions of HTTP.
func TestUnreadAnswersMakeRoomOverTLS(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(t *testing.T, h *guarded, over *tls.Config) (leave func()){
		"gRPC": func(t *testing.T, h *guarded, over *tls.Config) func() {
			t.Helper()
			conn, err := grpc.NewClient(h.server.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(over)))
			if err != nil {
				t.Fatal(err)
			}
			deafCall(t, as(t.Context(), "owner"), conn, parleyv1.EventService_ListEvents_FullMethodName, &parleyv1.ListEventsRequest{Parent: anna})
			return func() { _ = conn.Close() }
		},
		"HTTP/1.1": func(t *testing.T, h *guarded, over *tls.Config) func() {
			t.Helper()
			return deafOverTLS(t, h, over, "http/1.1")
		},
		"HTTP/2": func(t *testing.T, h *guarded, over *tls.Config) func() {
			t.Helper()
			return deafOverTLS(t, h, over, "h2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const places = 3
			var answered atomic.Int64
			dir := t.TempDir()
			h := startGuarded(t, func(c *server.Config) { c.MaxCalls, c.CallerShare, c.TLS = places, 0.34, testTLS(t, dir, "") })
			over := &tls.Config{RootCAs: rootsOf(t, dir), MinVersion: tls.VersionTLS12}
			unread(t, h.harness, &answered, places, func(*harness) func() {
				leave := begin(t, h, over)
				t.Cleanup(leave)
				return leave
			})
			conn, err := grpc.NewClient(h.server.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(over)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			for range 2 {
				served(t, "over gRPC", func() error {
					_, err := parleyv1.NewEventServiceClient(conn).ListEvents(as(t.Context(), "officer"), &parleyv1.ListEventsRequest{Parent: anna})
					return err
				})
			}
		})
	}
}

// deafOverTLS sends a request over REST, whose answer nobody reads.
func deafOverTLS(t *testing.T, h *guarded, over *tls.Config, protocol string) (leave func()) {
	t.Helper()
	conf := over.Clone()
	conf.NextProtos, conf.ServerName = []string{protocol}, "127.0.0.1"
	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.server.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if protocol == "http/1.1" {
		if _, err := fmt.Fprintf(conn, "GET /v1/%s/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer owner\r\n\r\n", anna, h.server.HTTPAddr()); err != nil {
			t.Fatal(err)
		}
		return func() { _ = raw.Close() }
	}
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", http.MethodGet},
		{":scheme", "https"},
		{":authority", h.server.HTTPAddr()},
		{":path", "/v1/" + anna + "/events"},
		{"authorization", "Bearer owner"},
	} {
		if err := fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	framer := http2.NewFramer(conn, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})); err != nil {
		t.Fatal(err)
	}
	return func() { _ = raw.Close() }
}
