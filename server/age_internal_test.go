package server

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// aging is a server whose gRPC listener is a pipe, so that its clock can be virtual.
type aging struct {
	service.Engine

	server  *Server
	pipe    *bufconn.Listener
	dialled atomic.Int32
	stream  func(ctx context.Context, token string, emit func(*parleyv1.StreamEventsResponse) error) error
}

func (a *aging) StreamBatches(
	ctx context.Context, _ query.Sources, _ query.Events, token string,
	_ func(*timeline.Batch) error, emit func(*parleyv1.StreamEventsResponse) error,
) error {
	return a.stream(ctx, token, emit)
}

// numbered is a connection with an address of its own.
type numbered struct {
	net.Conn

	addr net.Addr
}

func (c *numbered) RemoteAddr() net.Addr { return c.addr }

// numbering gives the pipe's connections addresses, as TCP does.
type numbering struct {
	net.Listener

	last int
}

func (l *numbering) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.last++
	return &numbered{conn, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: l.last}}, nil
}

func newAging(t *testing.T) *aging {
	t.Helper()
	a := &aging{pipe: bufconn.Listen(256 << 10)}
	var err error
	a.server, err = New(Config{
		StreamAge: time.Hour,
		GRPCAddr:  "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Engine: a,
		Tenants: map[string]*service.Tenant{"contoso": {ID: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee01"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.server.public.Serve(&numbering{Listener: a.pipe}) }()
	t.Cleanup(func() {
		if err := a.server.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *aging) dial(t *testing.T, options ...grpc.DialOption) parleyv1.EventServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///pipe", append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			a.dialled.Add(1)
			return a.pipe.DialContext(ctx)
		}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return parleyv1.NewEventServiceClient(conn)
}

func request(token string) *parleyv1.StreamEventsRequest {
	return &parleyv1.StreamEventsRequest{Parent: "users/11111111-2222-4333-8444-555555555501", ResumeToken: token}
}

func checkpoint(token string) *parleyv1.StreamEventsResponse {
	return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: token}}}
}

// beat emits a checkpoint every 15 seconds, as long walks do.
func beat(ctx context.Context, token string, emit func(*parleyv1.StreamEventsResponse) error) error {
	for {
		token += "x"
		if err := emit(checkpoint(token)); err != nil {
			return err
		}
		select {
		case <-time.After(15 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestConnectionsAreRenewed lets a stream grow older than connections get: new calls go over another connection, the stream
// goes on until its grace ends, then says so with the token of its last checkpoint, and goes on from there.
func TestConnectionsAreRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAging(t)
		a.stream = beat
		client := a.dial(t)
		begin := time.Now()
		stream, err := client.StreamEvents(t.Context(), request(""))
		if err != nil {
			t.Fatal(err)
		}
		last, renewed := "", false
		for {
			frame, err := stream.Recv()
			if err != nil {
				st := status.Convert(err)
				if st.Code() != codes.Unavailable || apierror.Reason(st) != "STREAM_ENDED" {
					t.Errorf("the stream ended with %v", st)
				}
				if token := apierror.Info(st).GetMetadata()[apierror.MetaResumeToken]; token != last {
					t.Errorf("token %q, the last checkpoint's was %q", token, last)
				}
				break
			}
			last = frame.GetCheckpoint().GetResumeToken()
			if age := time.Since(begin); !renewed && age > 34*time.Minute {
				renewed = true
				ctx, cancel := context.WithCancel(t.Context())
				other, err := client.StreamEvents(ctx, request(""))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := other.Recv(); err != nil || a.dialled.Load() != 2 {
					t.Errorf("after %v: %d connections, %v", age, a.dialled.Load(), err)
				}
				cancel()
			}
		}
		// 30 minutes less a tenth, and 10 minutes less a tenth.
		if age := time.Since(begin); age != 36*time.Minute || !renewed {
			t.Errorf("the stream ended after %v", age)
		}
		again, err := client.StreamEvents(t.Context(), request(last))
		if err != nil {
			t.Fatal(err)
		}
		if frame, err := again.Recv(); err != nil || frame.GetCheckpoint().GetResumeToken() != last+"x" {
			t.Errorf("resumed: %v, %v", frame, err)
		}
	})
}

// TestClientsMayPingEveryHalfMinute lets clients ping every 30 seconds, with a stream that says nothing and without one, for half an hour.
func TestClientsMayPingEveryHalfMinute(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]bool{"idle stream": true, "no call": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAging(t)
				a.stream = func(ctx context.Context, _ string, emit func(*parleyv1.StreamEventsResponse) error) error {
					if err := emit(checkpoint("t")); err != nil || !open {
						return err
					}
					<-ctx.Done()
					return ctx.Err()
				}
				client := a.dial(t, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true}), grpc.WithIdleTimeout(0))
				stream, err := client.StreamEvents(t.Context(), request(""))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(26 * time.Minute)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				other, err := client.StreamEvents(ctx, request(""))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := other.Recv(); err != nil || a.dialled.Load() != 1 {
					t.Errorf("after half an hour of pings: %d connections, %v", a.dialled.Load(), err)
				}
			})
		})
	}
}

// TestClientsThatPingTooOftenAreCut sends pings by hand: who hammers is told so and cut, who pings as often as is allowed is answered.
func TestClientsThatPingTooOftenAreCut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		every time.Duration
		calm  bool
	}{
		"every 30 seconds": {30 * time.Second, true}, "every 10 seconds": {10 * time.Second, true},
		"every second": {time.Second, false}, "at once": {0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAging(t)
				conn, err := a.pipe.DialContext(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				framer := http2.NewFramer(conn, conn)
				if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
					t.Fatal(err)
				}
				if err := framer.WriteSettings(); err != nil {
					t.Fatal(err)
				}
				answered, told := make(chan struct{}, 100), make(chan string, 1)
				go func() {
					defer close(answered)
					for {
						frame, err := framer.ReadFrame()
						if err != nil {
							return
						}
						switch f := frame.(type) {
						case *http2.PingFrame:
							if f.IsAck() {
								answered <- struct{}{}
							}
						case *http2.GoAwayFrame:
							select {
							case told <- f.ErrCode.String() + " " + string(f.DebugData()):
							default:
							}
						}
					}
				}()
				const pings = 40
				for range pings {
					time.Sleep(c.every)
					if err := framer.WritePing(false, [8]byte{1}); err != nil {
						break
					}
				}
				synctest.Wait()
				reason := ""
				select {
				case reason = <-told:
				default:
				}
				if calm := reason == "" && len(answered) == pings; calm != c.calm {
					t.Errorf("%d of %d pings answered, told %q", len(answered), pings, reason)
				}
				if !c.calm && reason != "ENHANCE_YOUR_CALM too_many_pings" {
					t.Errorf("told %q", reason)
				}
			})
		})
	}
}
