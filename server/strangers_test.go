package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/admission"
)

// siege is a gateway that strangers attack, with small bounds, and an honest caller beside them at the same address.
type siege struct {
	*guarded

	trust *tls.Config // nil = no TLS
	calls *grpc.ClientConn
	web   *http.Transport
}

// besiege starts one. Patience is how long a client may take to begin.
func besiege(t *testing.T, secure bool, patience time.Duration) *siege {
	t.Helper()
	dir := t.TempDir()
	s := &siege{}
	s.guarded = startGuarded(t, func(c *server.Config) {
		c.Bounds = admission.Bounds{Unauthenticated: 16, UnauthenticatedPerPeer: 8, Authenticated: 8, Requests: 32, RequestsPerPeer: 16, Watches: 4}
		c.HeaderTime, c.Reflection = patience, true
		if secure {
			c.TLS = testTLS(t, dir, "")
		}
	})
	creds := insecure.NewCredentials()
	if secure {
		s.trust = &tls.Config{RootCAs: rootsOf(t, dir), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
		creds = credentials.NewTLS(s.trust.Clone())
	}
	s.calls = s.dialWith(t, creds)
	s.web = s.browser(t)
	s.serves(t)
	return s
}

func (s *siege) dialWith(t *testing.T, creds credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.server.GRPCAddr(), grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// another is one more client of gRPC, with a connection of its own.
func (s *siege) another(t *testing.T) *grpc.ClientConn {
	t.Helper()
	if s.trust == nil {
		return s.dialWith(t, insecure.NewCredentials())
	}
	return s.dialWith(t, credentials.NewTLS(s.trust.Clone()))
}

// browser is one more client of REST.
func (s *siege) browser(t *testing.T) *http.Transport {
	t.Helper()
	web := &http.Transport{TLSClientConfig: s.trust.Clone(), ForceAttemptHTTP2: true}
	t.Cleanup(web.CloseIdleConnections)
	return web
}

// serves fails the test unless the honest caller is served, over the connections that stand and over new ones.
func (s *siege) serves(t *testing.T) {
	t.Helper()
	for _, conn := range []*grpc.ClientConn{s.calls, s.another(t)} {
		_, err := parleyv1.NewUserServiceClient(conn).ListUsers(as(t.Context(), "officer"), &parleyv1.ListUsersRequest{})
		expect(t, "the honest caller", err, codes.OK, "")
	}
	scheme := "http://"
	if s.trust != nil {
		scheme = "https://"
	}
	for _, web := range []*http.Transport{s.web, s.browser(t)} {
		askREST(t, web, scheme+s.server.HTTPAddr()+"/v1/users")
	}
}

// raw is a connection to an address, by TLS with a protocol where one is named.
func (s *siege) raw(t *testing.T, address, protocol string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if protocol == "" {
		return conn
	}
	trust := s.trust.Clone()
	trust.NextProtos = []string{protocol}
	over := tls.Client(conn, trust)
	if err := over.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return over
}

// eachWay runs a test with TLS and without.
func eachWay(t *testing.T, patience time.Duration, test func(t *testing.T, s *siege)) {
	t.Helper()
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, besiege(t, secure, patience))
		})
	}
}

// cutOff waits until so many connections were hung up on. The result closes the others.
func cutOff(t *testing.T, name string, want int64, conns ...net.Conn) (leave func()) {
	t.Helper()
	var cut atomic.Int64
	var all sync.WaitGroup
	for _, conn := range conns {
		all.Go(func() {
			_, _ = io.Copy(io.Discard, conn) // settings may come
			cut.Add(1)
		})
	}
	for deadline := time.Now().Add(bearable); cut.Load() < want && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if cut.Load() < want {
		t.Errorf("%s: %d of %d connections were cut, want %d", name, cut.Load(), len(conns), want)
	}
	return func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
		all.Wait()
	}
}

// TestHalfOpenConnections: what strangers hold is bounded. Connections that never begin, or begin and stop at any
// step, displace each other, and the caller at the same address is served over old connections and new ones.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	begun := http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // and settings
	eachWay(t, time.Minute, func(t *testing.T, s *siege) {
		t.Helper()
		for _, c := range []struct {
			name, begin string
			grpc, over  bool // over TLS that was finished
			protocol    string
		}{
			{name: "gRPC, nothing", grpc: true},
			{name: "gRPC, half a handshake", begin: "\x16\x03\x01\x40\x00", grpc: true, over: true},
			{name: "gRPC, half a preface", begin: http2.ClientPreface[:10], grpc: true, protocol: "h2"},
			{name: "gRPC, no call", begin: begun, grpc: true, protocol: "h2"},
			{name: "REST, nothing"},
			{name: "REST, half a handshake", begin: "\x16\x03\x01\x40\x00", over: true},
			{name: "REST, no request", protocol: "http/1.1"},
			{name: "REST, half a request", begin: "GET /v1/users HTTP/1.1\r\nHost: ", protocol: "http/1.1"},
			{name: "REST, no request of HTTP/2", begin: begun, over: true, protocol: "h2"},
			{name: "REST, half a header of HTTP/2", begin: begun + "\x00\x40\x00\x01\x04\x00\x00\x00\x01", over: true, protocol: "h2"},
		} {
			if c.over && s.trust == nil {
				continue
			}
			address, protocol := s.server.HTTPAddr(), c.protocol
			if c.grpc {
				address = s.server.GRPCAddr()
			}
			if s.trust == nil {
				protocol = ""
			}
			flood := make([]net.Conn, 0, 40)
			for range 40 {
				conn := s.raw(t, address, protocol)
				if _, err := io.WriteString(conn, c.begin); err != nil {
					t.Fatal(err)
				}
				flood = append(flood, conn)
			}
			leave := cutOff(t, c.name, 32, flood...)
			s.serves(t)
			leave()
		}
	})
}

// TestHalfOpenConnectionsAreBounded: with the bounds of the gateway, one address opens more connections to both listeners than one
// may and says nothing. Another address is served at once, and what stands is what one address may have.
func TestHalfOpenConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	from := func(address string) *net.Dialer {
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	}
	most := admission.DefaultBounds().UnauthenticatedPerPeer
	silent := make([]net.Conn, 0, most+200)
	for i := range cap(silent) {
		conn, err := from("127.0.0.2").DialContext(t.Context(), "tcp", []string{h.server.GRPCAddr(), h.server.HTTPAddr()}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, conn)
	}
	defer cutOff(t, "connections that say nothing", 200, silent...)()
	web := &http.Transport{DialContext: from("127.0.0.3").DialContext, DisableKeepAlives: true}
	for range 8 {
		askREST(t, web, h.base+"/v1/users")
		conn := h.dial(t)
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Errorf("over gRPC: %v", err)
		}
	}
	askREST(t, &http.Transport{DialContext: from("127.0.0.2").DialContext, DisableKeepAlives: true}, h.base+"/v1/users")
}

// TestUnknownHealthNamesAreAnsweredAtOnce: a name that no service has is not kept. Check and Watch of names nobody has, also of 60 KB,
// are answered at once, while those of services work.
func TestUnknownHealthNamesAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	eachWay(t, time.Minute, func(t *testing.T, s *siege) {
		t.Helper()
		client := grpc_health_v1.NewHealthClient(s.another(t))
		for i := range 100 {
			for _, name := range []string{strings.Repeat("x", 60_000+i), "parley.v1.EventService" + strings.Repeat(".", i+1), "PARLEY.V1.EVENTSERVICE", "\x00"} {
				request := &grpc_health_v1.HealthCheckRequest{Service: name}
				_, err := client.Check(t.Context(), request)
				expect(t, "check", err, codes.NotFound, "NOT_FOUND")
				watch, err := client.Watch(t.Context(), request)
				if err == nil {
					_, err = watch.Recv()
				}
				expect(t, "watch", err, codes.NotFound, "NOT_FOUND")
			}
		}
		watch, err := client.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "parley.v1.EventService"})
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := watch.Recv(); err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("a service: %v, %v", answer, err)
		}
		s.serves(t)
	})
}

// TestOpenStreamsOfStrangers: a connection has four streams of health and reflection; others have theirs, and one that ends makes
// room.
func TestOpenStreamsOfStrangers(t *testing.T) {
	t.Parallel()
	eachWay(t, time.Minute, func(t *testing.T, s *siege) {
		t.Helper()
		for name, open := range map[string]func(ctx context.Context, conn *grpc.ClientConn) error{
			"health": func(ctx context.Context, conn *grpc.ClientConn) error {
				watch, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
				if err == nil {
					_, err = watch.Recv()
				}
				return err
			},
			"reflection": func(ctx context.Context, conn *grpc.ClientConn) error {
				stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
				if err != nil {
					return err
				}
				err = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
				if err == nil || errors.Is(err, io.EOF) {
					_, err = stream.Recv()
				}
				return err
			},
		} {
			conn := s.another(t)
			first, leave := context.WithCancel(t.Context())
			t.Cleanup(leave)
			for range 4 {
				expect(t, name, open(first, conn), codes.OK, "")
			}
			for range 100 {
				expect(t, name+", one more", open(t.Context(), conn), codes.Unavailable, "OVERLOADED")
			}
			expect(t, name+", another connection", open(t.Context(), s.another(t)), codes.OK, "")
			_, err := parleyv1.NewUserServiceClient(conn).ListUsers(as(t.Context(), "officer"), &parleyv1.ListUsersRequest{})
			expect(t, name+", a call beside it", err, codes.OK, "")
			s.serves(t)
			leave()
			for deadline := time.Now().Add(bearable); ; time.Sleep(time.Millisecond) {
				err := open(t.Context(), conn)
				if err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: no room after four ended: %v", name, err)
				}
			}
		}
	})
}

// TestUnknownMethodsAreAnsweredAtOnce: streams of methods that do not exist are answered at once, although their callers end nothing.
func TestUnknownMethodsAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	eachWay(t, time.Minute, func(t *testing.T, s *siege) {
		t.Helper()
		conn := s.another(t)
		for i := range 300 {
			method := []string{"/parley.v1.EventService/Nothing", "/nobody.v1.Nothing/Nothing", "/" + strings.Repeat("x", 5000) + "/y", "/grpc.health.v1.Health/Nothing"}[i%4]
			stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
			if err == nil {
				err = stream.RecvMsg(&parleyv1.User{})
			}
			if status.Code(err) != codes.Unimplemented {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
		s.serves(t)
	})
}

// TestCallsWithoutAMessage: a call of any method whose message does not come ends, whoever makes it, and gives its place back.
func TestCallsWithoutAMessage(t *testing.T) {
	t.Parallel()
	eachWay(t, 1500*time.Millisecond, func(t *testing.T, s *siege) {
		t.Helper()
		for _, token := range []string{"", "owner"} {
			ctx := t.Context()
			if token != "" {
				ctx = as(ctx, token)
			}
			for _, method := range []string{
				parleyv1.EventService_ListEvents_FullMethodName, parleyv1.EventService_StreamEvents_FullMethodName,
				grpc_health_v1.Health_Check_FullMethodName, grpc_health_v1.Health_Watch_FullMethodName,
				grpc_reflection_v1.ServerReflection_ServerReflectionInfo_FullMethodName,
			} {
				stream, err := s.calls.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
				if err == nil {
					err = stream.RecvMsg(&parleyv1.User{})
				}
				want := codes.Canceled
				if token == "" && method == parleyv1.EventService_StreamEvents_FullMethodName {
					want = codes.Unauthenticated // known by the headers
				}
				if status.Code(err) != want {
					t.Errorf("%s of %q: %v, want %s", method, token, err, want)
				}
			}
		}
		s.serves(t)
	})
}

// TestManyHalfCalls: requests without an accepted caller are bounded: calls whose message does not come, and refusals that nobody
// reads. Their connections are cut, and the caller at the same address is served.
func TestManyHalfCalls(t *testing.T) {
	t.Parallel()
	eachWay(t, time.Minute, func(t *testing.T, s *siege) {
		t.Helper()
		protocol := ""
		if s.trust != nil {
			protocol = "h2"
			conn := s.raw(t, s.server.HTTPAddr(), protocol)
			half(t, conn, 60, true, [][2]string{{":method", "GET"}, {":scheme", "https"}, {":path", "/v1/users"}, {":authority", "127.0.0.1"}})
			cutOff(t, "60 refusals that nobody reads", 1, conn)()
			s.serves(t)
		}
		for _, path := range []string{parleyv1.EventService_ListEvents_FullMethodName, grpc_health_v1.Health_Check_FullMethodName} {
			conn := s.raw(t, s.server.GRPCAddr(), protocol)
			half(t, conn, 60, false, [][2]string{
				{":method", "POST"},
				{":scheme", "http"},
				{":path", path},
				{":authority", "parley"},
				{"content-type", "application/grpc"},
				{"te", "trailers"},
			})
			cutOff(t, "60 calls without a message", 1, conn)()
			s.serves(t)
		}
	})
}

// half opens streams on a connection and reads none of their answers. Without end, their messages do not come.
func half(t *testing.T, conn net.Conn, streams int, end bool, headers [][2]string) {
	t.Helper()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, nil)
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := range streams {
		block.Reset()
		for _, field := range headers {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				t.Fatal(err)
			}
		}
		head := http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end}
		if err := framer.WriteHeaders(head); err != nil {
			return // the server hung up
		}
	}
}
