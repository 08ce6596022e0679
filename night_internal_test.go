package parley

import (
	"context"
	"flag"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/wiretest"
)

// nightUsers is how many users TestNight reads; `make bench-night` reads thousands.
var nightUsers = flag.Int("night.users", 40, "users of the tenant whose night TestNight reads")

const (
	nightDays   = 10                     // that the simulator has messages and interactions of
	nightAnswer = 100 * time.Millisecond // what an answer of Graph takes
	// nightShare is the part of each of Graph's limits that a gateway uses, so that a burst is never above them.
	nightShare = 0.83
)

// nightStart begins the day that is read; the night is the one behind it.
func nightStart() time.Time { return time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC) }

// nightLimit is a limit of Graph, and the requests that count towards it.
type nightLimit struct {
	name      string
	perSecond float64
	kinds     []string
}

// nightLimits are those that run side by side.
func nightLimits() []nightLimit {
	return []nightLimit{
		{"Copilot", 30, []string{"copilot"}},
		{"chat", 200, []string{"chat"}},
		{"lists of calls", 40. / 20, []string{"calls"}},
		{"calls and participants", 1500. / 20, []string{"calls", "participants"}},
	}
}

// longest is the time that the longest of the limits takes for so many requests of each kind.
func longest(requests map[string]int, share float64) (time.Duration, string) {
	most, name := 0., ""
	for _, limit := range nightLimits() {
		n := 0
		for _, kind := range limit.kinds {
			n += requests[kind]
		}
		if took := float64(n) / (limit.perSecond * share); took > most {
			most, name = took, limit.name
		}
	}
	return time.Duration(most * float64(time.Second)), name
}

// nightGraph is a Graph that keeps its limits, and counts what it is asked.
type nightGraph struct {
	graph http.Handler
	began time.Time

	mu       sync.Mutex
	requests map[string]int
	refused  map[string]int           // answered 429
	last     map[string]time.Duration // since the beginning
}

// kindOf is the kind of request that a path is.
func kindOf(path string) string {
	switch path = strings.ToLower(path); {
	case strings.Contains(path, "/participants_v2"):
		return "participants"
	case strings.Contains(path, "/callrecords"):
		return "calls"
	case strings.Contains(path, "/copilot/"):
		return "copilot"
	case strings.Contains(path, "/chats"):
		return "chat"
	default:
		return "users"
	}
}

// ServeHTTP implements http.Handler.
func (g *nightGraph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, at, status := kindOf(r.URL.Path), time.Since(g.began), &statusOf{w, http.StatusOK}
	g.graph.ServeHTTP(status, r)
	g.mu.Lock()
	g.requests[kind]++
	g.last[kind] = at
	if status.code == http.StatusTooManyRequests {
		g.refused[kind]++
	}
	g.mu.Unlock()
	time.Sleep(nightAnswer)
}

// statusOf notes the status of an answer.
type statusOf struct {
	http.ResponseWriter

	code int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusOf) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// fewestRequests are the requests that no client of Graph can do without: pages of the documented sizes, each with its rows, one for whoever
// has none, and the participants of each call.
func fewestRequests(sim *graphsim.Sim, start, end time.Time) map[string]int {
	truth, fewest := sim.Oracle(""), map[string]int{}
	pages := func(source, user string, size int) int {
		rows := 0
		for range truth.Records(source, user, start, end) {
			rows++
		}
		return max(1, (rows+size-1)/size)
	}
	users := 0
	for person := range truth.Users() {
		users++
		fewest["chat"] += pages(graphsim.SourceChat, person.ID, 50)
		if truth.Licensed(person.ID) {
			fewest["copilot"] += pages(graphsim.SourceCopilot, person.ID, 100)
		}
	}
	fewest["users"] = (users + 998) / 999
	fewest["calls"] = pages(graphsim.SourceCall, "", 60)
	for range truth.Records(graphsim.SourceCall, "", start, end) {
		fewest["participants"]++
	}
	return fewest
}

// TestNight reads a day of all users of a tenant from a Graph that keeps its limits, in virtual time: without a 429, whole, and with
// little more than the fewest requests. It prints bar 14 of docs/performance.md.
func TestNight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, end := nightStart(), nightStart().AddDate(0, 0, 1)
		time.Sleep(time.Until(end.Add(2 * time.Hour)))
		n := *nightUsers
		sim, err := graphsim.New(graphsim.Config{
			Plain: true, Seed: 14, Users: n, Chats: 4 * n, Messages: 30 * n, Interactions: 20 * n, Calls: 28 * n, Days: nightDays, Throttle: true, Steady: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		fewest := fewestRequests(sim, start, end)
		graph := &nightGraph{
			graph: sim.Handler(), began: time.Now(), requests: map[string]int{}, refused: map[string]int{}, last: map[string]time.Duration{},
		}
		conn := nightGateway(t, graph)
		events, summary := readNight(t, parleyv1.NewEventServiceClient(conn), &parleyv1.StreamTenantEventsRequest{
			StartTime: timestamppb.New(start), EndTime: timestamppb.New(end),
		})
		took := time.Since(graph.began)
		graph.mu.Lock()
		defer graph.mu.Unlock()
		all, least := 0, 0
		for _, kind := range []string{"users", "copilot", "chat", "calls", "participants"} {
			all, least = all+graph.requests[kind], least+fewest[kind]
			t.Logf("%-12s %6d requests, %6d at the fewest, %d × 429, the last one after %v", kind, graph.requests[kind], fewest[kind], graph.refused[kind],
				graph.last[kind].Round(time.Second))
			if graph.refused[kind] > 0 {
				t.Errorf("%d requests were refused", graph.refused[kind])
			}
		}
		for _, share := range []float64{nightShare, 1} {
			least, name := longest(fewest, share)
			t.Logf("bar 14: %d users, %d events in %.2f minutes; %s at %.0f %% of its limit: %.2f minutes; ratio %.3f", n, events, took.Minutes(), name,
				100*share, least.Minutes(), took.Seconds()/least.Seconds())
		}
		t.Logf("bar 14: %d requests, %d at the fewest: ratio %.3f", all, least, float64(all)/float64(least))
		if summary.GetOutcome() == parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE || summary.GetUsersRead() != int64(n) || events == 0 {
			t.Errorf("%d events: %v", events, summary)
		}
		if float64(all) > 1.1*float64(least)+20 {
			t.Errorf("%d requests, %d would do", all, least)
		}
	})
}

// nightGateway runs a gateway over a Graph, without sockets, and returns a connection to it.
func nightGateway(t *testing.T, graph http.Handler) *grpc.ClientConn {
	t.Helper()
	cfg := Config{
		Tenants:   map[string]Tenant{"night": {BaseURL: "http://127.0.0.1:8090", Credential: "none", transport: wiretest.New(graph)}},
		AuditFile: filepath.Join(t.TempDir(), "audit"),
	}
	rpc := bufconn.Listen(1 << 20)
	cfg.GRPC.Listener, cfg.HTTP.Listener, cfg.Admin.Listener = rpc, bufconn.Listen(1), bufconn.Listen(1)
	gateway, err := New(cfg)
	if err == nil {
		err = gateway.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("passthrough:night", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return rpc.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := gateway.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// readNight reads all frames. Where the stream ends before, because of its age, it goes on from the last token.
func readNight(t *testing.T, client parleyv1.EventServiceClient, req *parleyv1.StreamTenantEventsRequest) (events int, summary *parleyv1.TenantSummary) {
	t.Helper()
	for {
		before := req.GetResumeToken()
		n, summary, err := readFrames(t.Context(), client, req)
		events += n
		switch {
		case summary != nil:
			return events, summary
		case req.GetResumeToken() == before:
			t.Fatalf("the stream has ended without progress: %v", err)
		default:
			t.Logf("the stream goes on: %v", err)
		}
	}
}

func readFrames(
	ctx context.Context, client parleyv1.EventServiceClient, req *parleyv1.StreamTenantEventsRequest,
) (events int, summary *parleyv1.TenantSummary, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.StreamTenantEvents(ctx, req)
	if err != nil {
		return 0, nil, err
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			return events, nil, err
		}
		events += len(frame.GetBatch().GetEvents())
		if checkpoint := frame.GetCheckpoint(); checkpoint != nil {
			req.ResumeToken = checkpoint.GetResumeToken()
		}
		if summary := frame.GetSummary(); summary != nil {
			return events, summary, nil
		}
	}
}
