package e2e_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/server/apierror"
)

// weathers are networks that calls must survive.
func weathers() map[string]weather {
	return map[string]weather{
		"latency":              {latency: 5 * time.Millisecond},
		"drip":                 {latency: 200 * time.Microsecond, chunk: 700},
		"cut":                  {cut: 60_000, times: 6},
		"reset":                {cut: 60_000, reset: true, times: 6},
		"half open":            {cut: 40_000, freeze: 300 * time.Millisecond, reset: true, times: 3},
		"cut at the gateway":   {cut: 2, times: 3},
		"reset at the gateway": {cut: 2, reset: true, times: 3},
	}
}

// TestNetworkToGraph lets the network between the gateway and Graph misbehave: no event is lost or doubled, and calls end.
func TestNetworkToGraph(t *testing.T) {
	t.Parallel()
	for name, w := range weathers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, w, weather{})
			n.check(t)
			if w.cut > 0 && n.graph.struck() == 0 {
				t.Error("no connection was cut")
			}
		})
	}
}

// TestNetworkToClients lets the network between clients and the gateway misbehave: what a client has to read again after its
// last token is read again, and nothing else.
func TestNetworkToClients(t *testing.T) {
	t.Parallel()
	for name, w := range weathers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, weather{}, w)
			n.check(t)
			if w.cut > 0 && n.gateway.struck() == 0 {
				t.Error("no connection was cut")
			}
		})
	}
}

// network is a gateway with a proxy on either side.
type network struct {
	sim            *graphsim.Sim
	graph, gateway *proxy
	events         parleyv1.EventServiceClient
}

func newNetwork(t *testing.T, toGraph, toGateway weather) *network {
	t.Helper()
	n := &network{}
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	// Not started: its links then name whatever host it was asked under, which is the proxy.
	if n.sim, err = graphsim.New(graphsim.Config{Messages: 3000, Interactions: 600, Calls: 100, SigningKey: key}); err != nil {
		t.Fatal(err)
	}
	served := httptest.NewUnstartedServer(n.sim.Handler())
	served.EnableHTTP2 = true
	served.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	served.StartTLS()
	t.Cleanup(served.Close)
	n.graph = through(t, strings.TrimPrefix(served.URL, "https://"), toGraph)

	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: served.Certificate().Raw})
	settings := settingsFor(t, "https://"+n.graph.addr(), ca)
	settings.AuditFile = file(t, "audit", nil)
	running := started(t, settings, slog.DiscardHandler)
	n.gateway = through(t, running.Addrs().GRPC, toGateway)
	soon := backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.2, MaxDelay: 50 * time.Millisecond}
	conn, err := grpc.NewClient(n.gateway.addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	n.events = parleyv1.NewEventServiceClient(conn)
	return n
}

// check reads a stream, going on from its tokens and over its gaps, and compares it with the oracle.
func (n *network) check(t *testing.T) {
	t.Helper()
	end := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -5)
	start := end.AddDate(0, 0, -14)
	user := n.sim.DemoUser().ID
	got := map[string]string{}
	n.follow(t, &parleyv1.StreamEventsRequest{
		Parent: "users/" + user, StartTime: timestamppb.New(start), EndTime: timestamppb.New(end), Sources: []parleyv1.Source{
			parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL,
		},
	}, got)
	want := map[string]int{}
	for _, src := range []string{graphsim.SourceCopilot, graphsim.SourceChat, graphsim.SourceCall} {
		for range n.sim.Oracle("").Records(src, user, start, end) {
			want[src]++
		}
	}
	have := map[string]int{}
	for _, src := range got {
		have[src]++
	}
	if !maps.Equal(have, want) {
		t.Errorf("%v, the oracle knows %v", have, want)
	}
}

// follow is what a careful client does.
func (n *network) follow(t *testing.T, req *parleyv1.StreamEventsRequest, got map[string]string) {
	t.Helper()
	for range 40 {
		summary, err := n.read(t, req, got)
		switch {
		case err != nil && errors.Is(t.Context().Err(), context.Canceled):
			return
		case err != nil:
			time.Sleep(20 * time.Millisecond) // a client waits before it dials again
		case summary.GetComplete():
			return
		default:
			t.Fatalf("gaps where only the network was bad: %v", summary.GetNotices())
		}
	}
	t.Fatal("the stream never ended")
}

// read reads one stream; its last token goes into the request.
func (n *network) read(t *testing.T, req *parleyv1.StreamEventsRequest, got map[string]string) (*parleyv1.Summary, error) {
	t.Helper()
	stream, err := n.events.StreamEvents(t.Context(), req)
	if err != nil {
		return nil, err
	}
	fresh := map[string]string{} // since the last checkpoint
	for {
		frame, err := stream.Recv()
		if err != nil {
			if token := apierror.Info(status.Convert(err)).GetMetadata()[apierror.MetaResumeToken]; token != "" && token != req.GetResumeToken() {
				t.Error("the error knows a token that no frame carried")
			}
			if errors.Is(err, io.EOF) {
				t.Error("a stream ended without a summary")
			}
			return nil, err
		}
		for _, e := range frame.GetBatch().GetEvents() {
			key := fmt.Sprint(e.GetUid(), "@", e.GetVersion())
			if _, known := got[key]; known {
				t.Errorf("%s came again behind its checkpoint", key)
			}
			fresh[key] = strings.ToLower(strings.TrimPrefix(e.GetSource().GetSource().String(), "SOURCE_"))
		}
		if token := frame.GetCheckpoint().GetResumeToken(); token != "" {
			req.ResumeToken = token
			maps.Copy(got, fresh)
			clear(fresh)
		}
		if summary := frame.GetSummary(); summary != nil {
			return summary, nil
		}
	}
}
