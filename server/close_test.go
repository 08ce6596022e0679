package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/service"
)

// TestCloseEndsStreams stops a server with open streams of both kinds: one between batch and checkpoint, one idle.
func TestCloseEndsStreams(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	release := make(chan struct{})
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		if err := emitAll(emit, eventFrame("a"), checkpointFrame("t1"), eventFrame("b")); err != nil {
			return err
		}
		<-release // the stop comes while the checkpoint of b is still out
		if ctx.Err() != nil {
			return errors.New("ended between a batch and its checkpoint")
		}
		if err := emit(checkpointFrame("t2")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	stream, err := parleyv1.NewEventServiceClient(h.conn).StreamEvents(t.Context(), &parleyv1.StreamEventsRequest{Parent: anna})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	resp := h.get(t, streamPath)
	lines := bufio.NewReader(resp.Body)
	for range 3 {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	watch, err := grpc_health_v1.NewHealthClient(h.conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "parley.v1.EventService"})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("health %v %v", first, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), bearable)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- h.server.Close(ctx) }()
	if next, err := watch.Recv(); err != nil || next.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health while stopping %v %v", next, err)
	}
	for path, reason := range map[string]string{"/readyz": "", "/v1/users": "SHUTTING_DOWN"} {
		answer := h.get(t, path)
		text := body(t, answer)
		if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, reason) {
			t.Errorf("%s while stopping: %d %s", path, answer.StatusCode, text)
		}
	}
	close(release)

	var last error
	for last == nil {
		_, last = stream.Recv()
	}
	st := status.Convert(last)
	if st.Code() != codes.Unavailable || apierror.Reason(st) != "STREAM_ENDED" || apierror.Info(st).GetMetadata()[apierror.MetaResumeToken] != "t2" {
		t.Errorf("gRPC stream ended with %v", st.Proto())
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatalf("REST stream was cut: %v", err)
	}
	_, line, _ := strings.Cut(string(rest), `{"error":`)
	if e := parseError(t, strings.TrimSuffix(line, "}\n")); e.reason() != "STREAM_ENDED" || e.meta("resume_token") != "t2" {
		t.Errorf("REST stream ended with %s", rest)
	}
	cancelWatch(t, watch)
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("close took its whole bound")
	}
}

// cancelWatch reads a health watch to its end; the server ends it when it stops.
func cancelWatch(t *testing.T, watch grpc_health_v1.Health_WatchClient) {
	t.Helper()
	for {
		if _, err := watch.Recv(); err != nil {
			return
		}
	}
}

// TestCloseWaitsForBalancers: a rollout loses no call. A server that stops says so and still serves, until its delay is
// over.
func TestCloseWaitsForBalancers(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *server.Config) { cfg.DrainDelay, cfg.MetricsAddr = time.Hour, "127.0.0.1:0" })
	watch, err := grpc_health_v1.NewHealthClient(h.conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("health %v %v", first, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- h.server.Close(ctx) }()
	if next, err := watch.Recv(); err != nil || next.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health while stopping %v %v", next, err)
	}
	for path, want := range map[string]int{"/readyz": http.StatusServiceUnavailable, "/livez": http.StatusOK, "/v1/users": http.StatusOK} {
		if answer := h.get(t, path); answer.StatusCode != want {
			t.Errorf("%s while balancers are waited for: %d", path, answer.StatusCode)
		}
	}
	if _, err := parleyv1.NewUserServiceClient(h.conn).ListUsers(t.Context(), &parleyv1.ListUsersRequest{}); err != nil {
		t.Errorf("a call while balancers are waited for: %v", err)
	}
	cancel()
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestCloseServesWhatWasOnItsWay: a rollout loses no call. Behind the delay, streams are refused and lists are served, and
// the answer asks for another connection.
func TestCloseServesWhatWasOnItsWay(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *server.Config) { cfg.DrainDelay = time.Nanosecond })
	running, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		if first.CompareAndSwap(false, true) {
			close(running)
			<-release // the stop waits for it
		}
		return emit(summaryFrame("end"))
	}
	stream, err := parleyv1.NewEventServiceClient(h.conn).StreamEvents(t.Context(), &parleyv1.StreamEventsRequest{Parent: anna})
	if err != nil {
		t.Fatal(err)
	}
	<-running
	closed := make(chan error, 1)
	go func() { closed <- h.server.Close(context.Background()) }()
	for stopping := false; !stopping; {
		answer := h.get(t, streamPath)
		stopping = strings.Contains(body(t, answer), "SHUTTING_DOWN")
	}
	if answer := h.get(t, "/v1/users"); answer.StatusCode != http.StatusOK || !answer.Close {
		t.Errorf("a list that was on its way: %d, the connection ends: %t", answer.StatusCode, answer.Close)
	}
	close(release)
	for err == nil {
		_, err = stream.Recv()
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestCloseIsBounded stops a server whose stream does not listen and whose reader does not read.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	entered := make(chan struct{})
	h.listEvents = func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	failed := make(chan error, 1)
	go func() {
		_, err := parleyv1.NewEventServiceClient(h.conn).ListEvents(context.Background(), &parleyv1.ListEventsRequest{Parent: anna})
		failed <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := h.server.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-failed; status.Code(err) != codes.Unavailable {
		t.Errorf("the cut call: %v", err)
	}
}

func TestCloseLetsCallsEnd(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK} {
		if resp := h.get(t, path); resp.StatusCode != want {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	entered := make(chan struct{})
	leave := make(chan struct{})
	h.listEvents = func(context.Context) (*parleyv1.ListEventsResponse, error) {
		close(entered)
		<-leave
		return &parleyv1.ListEventsResponse{}, nil
	}
	answer := make(chan int, 1)
	go func() {
		resp, err := h.web.Get(h.base + "/v1/" + anna + "/events")
		if err != nil {
			answer <- 0
			return
		}
		resp.Body.Close()
		answer <- resp.StatusCode
	}()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- h.server.Close(context.Background()) }()
	close(leave)
	if got := <-answer; got != http.StatusOK {
		t.Errorf("a running call ended with %d", got)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestCloseBeforeStart(t *testing.T) {
	t.Parallel()
	f := &fake{}
	s, err := server.New(server.Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "localhost:0", AdminAddr: "[::1]:0",
		Tenants: map[string]*service.Tenant{"contoso": f.tenant()},
		Engine:  f,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestWrongSettingsAreErrors(t *testing.T) {
	t.Parallel()
	f := &fake{}
	good := func() server.Config {
		return server.Config{
			GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0",
			Tenants: map[string]*service.Tenant{"contoso": f.tenant()},
			Engine:  f,
		}
	}
	tests := []struct {
		name   string
		change func(*server.Config)
		field  string
	}{
		{"gRPC on all addresses", func(c *server.Config) { c.GRPCAddr = ":9090" }, "GRPCAddr"},
		{"REST on all addresses", func(c *server.Config) { c.HTTPAddr = "0.0.0.0:8080" }, "HTTPAddr"},
		{"admin on the network", func(c *server.Config) { c.AdminAddr = "10.0.0.1:9091" }, "AdminAddr"},
		{"a name", func(c *server.Config) { c.HTTPAddr = "parley.example:8080" }, "HTTPAddr"},
		{"all of IPv6", func(c *server.Config) { c.GRPCAddr = "[::]:9090" }, "GRPCAddr"},
		{"no port", func(c *server.Config) { c.GRPCAddr = "127.0.0.1" }, "GRPCAddr"},
		{"an unknown mode", func(c *server.Config) { c.AuthMode = "basic" }, "AuthMode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := good()
			tt.change(&cfg)
			_, err := server.New(cfg)
			var wrong *server.ConfigError
			if !errors.As(err, &wrong) || wrong.Field != tt.field {
				t.Errorf("error %v, want one of %s", err, tt.field)
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	f := &fake{}
	s, err := server.New(server.Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: h.server.HTTPAddr(), AdminAddr: "127.0.0.1:0",
		Tenants: map[string]*service.Tenant{"contoso": f.tenant()},
		Engine:  f,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Start(t.Context())
	var wrong *server.ConfigError
	if !errors.As(err, &wrong) || wrong.Field != "HTTPAddr" {
		t.Errorf("error %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
