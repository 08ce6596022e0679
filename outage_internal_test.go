package parley

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// trouble answers in Graph's place, or passes a request on to Graph.
type trouble func(w http.ResponseWriter, r *http.Request, graph http.Handler)

// troubledGraph is a Graph that has trouble at times.
type troubledGraph struct {
	graph http.Handler

	mu    sync.Mutex
	now   trouble        // nil = none
	since map[string]int // requests by kind, since the trouble was set
	paths []string       // of these requests
}

// have sets the trouble, and forgets the requests.
func (g *troubledGraph) have(now trouble) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now, g.since, g.paths = now, map[string]int{}, nil
}

// asked returns the requests since the trouble was set, by kind, and their paths.
func (g *troubledGraph) asked() (byKind map[string]int, paths []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.since), slices.Clone(g.paths)
}

// ServeHTTP implements http.Handler.
func (g *troubledGraph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(nightAnswer)
	g.mu.Lock()
	now := g.now
	g.since[kindOf(r.URL.Path)]++
	g.paths = append(g.paths, r.URL.Path)
	g.mu.Unlock()
	if now == nil {
		g.graph.ServeHTTP(w, r)
		return
	}
	now(w, r, g.graph)
}

// refusal answers with a status, as Graph does in trouble.
func refusal(code int, headers ...string) trouble {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"error":{"code":"Trouble","message":""}}`)
	}
}

// of has the trouble with the requests of some kinds about some users alone; none = about everybody.
func (t trouble) of(kinds string, users ...string) trouble {
	return func(w http.ResponseWriter, r *http.Request, graph http.Handler) {
		about := func(user string) bool { return strings.Contains(strings.ToLower(r.URL.Path), user) }
		if strings.Contains(kinds, kindOf(r.URL.Path)) && (len(users) == 0 || slices.ContainsFunc(users, about)) {
			t(w, r, graph)
			return
		}
		graph.ServeHTTP(w, r)
	}
}

// until ends the trouble after a time.
func (t trouble) until(after time.Duration) trouble {
	end := time.Now().Add(after)
	return func(w http.ResponseWriter, r *http.Request, graph http.Handler) {
		if time.Now().After(end) {
			graph.ServeHTTP(w, r)
			return
		}
		t(w, r, graph)
	}
}

// reading is what streams over the tenant delivered.
type reading struct {
	events  map[string]map[string]int // how often each event came, by user
	users   map[string]*parleyv1.UserSummary
	summary *parleyv1.TenantSummary
	token   string
}

// read reads one stream. It returns the reason of an error; empty = the stream came to its summary.
func (n *reading) read(ctx context.Context, t *testing.T, client parleyv1.EventServiceClient, req *parleyv1.StreamTenantEventsRequest) string {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.StreamTenantEvents(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	uncommitted := map[string]map[string]int{}
	for n.summary == nil {
		frame, err := stream.Recv()
		if err != nil {
			return n.failed(t, err)
		}
		for _, event := range frame.GetBatch().GetEvents() {
			count(uncommitted, event.GetOwner(), fmt.Sprint(event.GetUid(), "@", event.GetVersion()), 1)
		}
		if user := frame.GetUser(); user != nil {
			n.users[user.GetUser()] = user
		}
		n.summary = frame.GetSummary()
		if frame.GetCheckpoint() != nil || n.summary != nil {
			n.token = frame.GetCheckpoint().GetResumeToken()
			for user, events := range uncommitted {
				for event, times := range events {
					count(n.events, user, event, times)
				}
			}
			clear(uncommitted)
		}
	}
	return ""
}

func count(events map[string]map[string]int, user, event string, times int) {
	if events[user] == nil {
		events[user] = map[string]int{}
	}
	events[user][event] += times
}

// failed returns the reason of the error of a stream, and takes its token.
func (n *reading) failed(t *testing.T, err error) string {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			if token := info.GetMetadata()["resume_token"]; token != "" {
				n.token = token
			}
			return info.GetReason()
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return "cut"
}

// incomplete are the ids of the users who are not whole, and may be when they are read again.
func (n *reading) incomplete() (ids []string) {
	for name, user := range n.users {
		if user.GetState() == parleyv1.UserState_USER_STATE_INCOMPLETE {
			ids = append(ids, strings.TrimPrefix(name, "users/"))
		}
	}
	slices.Sort(ids)
	return ids
}

// outage is a tenant whose night is read while Graph has trouble.
type outage struct {
	sim    *graphsim.Sim
	graph  *troubledGraph
	client parleyv1.EventServiceClient
	whole  map[string]map[string]int // what is read without trouble
}

// newOutage makes a tenant of n users, and reads its night once by another gateway.
func newOutage(t *testing.T, n int) *outage {
	t.Helper()
	time.Sleep(time.Until(nightStart().AddDate(0, 0, 1).Add(2 * time.Hour)))
	sim, err := graphsim.New(graphsim.Config{
		Plain: true, Seed: 20, Users: n, Chats: 2 * n, Messages: 20 * n, Interactions: 20 * n, Calls: 10 * n, Days: nightDays, Throttle: true, Steady: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := &outage{sim: sim, graph: &troubledGraph{graph: sim.Handler(), since: map[string]int{}}}
	o.client = parleyv1.NewEventServiceClient(nightGateway(t, o.graph))
	whole := o.reading()
	if reason := whole.read(t.Context(), t, parleyv1.NewEventServiceClient(nightGateway(t, sim.Handler())), o.request()); reason != "" || !whole.summary.GetComplete() {
		t.Fatalf("%s, %v", reason, whole.summary)
	}
	o.whole = whole.events
	return o
}

func (o *outage) request(ids ...string) *parleyv1.StreamTenantEventsRequest {
	return &parleyv1.StreamTenantEventsRequest{
		StartTime: timestamppb.New(nightStart()), EndTime: timestamppb.New(nightStart().AddDate(0, 0, 1)), UserIds: ids,
	}
}

func (*outage) reading() *reading {
	return &reading{events: map[string]map[string]int{}, users: map[string]*parleyv1.UserSummary{}}
}

// licensed returns users who are asked about in every source.
func (o *outage) licensed(n int) (ids []string) {
	oracle := o.sim.Oracle("")
	for user := range oracle.Users() {
		if oracle.Licensed(user.ID) && len(ids) < n {
			ids = append(ids, user.ID)
		}
	}
	return ids
}

// check holds that a night says exactly what it could not read: every user has a summary, the last summary counts and names them, and of a
// user who is read nothing is missing.
func (o *outage) check(t *testing.T, n *reading) {
	t.Helper()
	var states [4]int64
	for name, user := range n.users {
		states[user.GetState()]++
		whole := user.GetState() == parleyv1.UserState_USER_STATE_READ
		if diff := cmp.Diff(o.whole[name], n.events[name]); whole && diff != "" {
			t.Errorf("%s is read:\n%s", name, diff)
		}
		if user.GetComplete() != whole || (user.GetReason() == "") != whole {
			t.Errorf("%v", user)
		}
	}
	got, users := n.summary, 0
	for range o.sim.Oracle("").Users() {
		users++
	}
	named := slices.Sorted(slices.Values(got.GetIncompleteUsers()))
	for i := range named {
		named[i] = strings.TrimPrefix(named[i], "users/")
	}
	if len(n.users) != users || got.GetUsersRead() != states[parleyv1.UserState_USER_STATE_READ] ||
		got.GetUsersRefused() != states[parleyv1.UserState_USER_STATE_REFUSED] || got.GetUsersIncomplete() != states[parleyv1.UserState_USER_STATE_INCOMPLETE] {
		t.Errorf("%d of %d users have a summary: %v", len(n.users), users, got)
	}
	if diff := cmp.Diff(n.incomplete(), named); diff != "" {
		t.Errorf("other users are named than are incomplete:\n%s", diff)
	}
	for user, events := range n.events {
		for event, times := range events {
			if times != 1 || o.whole[user][event] != 1 {
				t.Errorf("%s came %d times", event, times)
			}
		}
	}
}

// again reads the users who are not whole, and nobody else: with what was there before, everything is.
func (o *outage) again(t *testing.T, before *reading) {
	t.Helper()
	ids := before.incomplete()
	if len(ids) == 0 {
		return
	}
	o.graph.have(nil)
	rest := o.reading()
	if reason := rest.read(t.Context(), t, o.client, o.request(ids...)); reason != "" || !rest.summary.GetComplete() || rest.summary.GetUsersRead() != int64(len(ids)) {
		t.Fatalf("%s, %v", reason, rest.summary)
	}
	_, paths := o.graph.asked()
	for _, path := range paths {
		kind, about := kindOf(path), func(id string) bool { return strings.Contains(path, id) }
		if (kind == "chat" || kind == "copilot") && !slices.ContainsFunc(ids, about) {
			t.Errorf("the second run asked for %s", path)
		}
	}
	both := maps.Clone(before.events)
	for user, events := range rest.events {
		if _, found := slices.BinarySearch(ids, strings.TrimPrefix(user, "users/")); !found {
			t.Errorf("events of %s, who was not asked for", user)
		}
		for event := range before.events[user] {
			if events[event] != 1 {
				t.Errorf("%s is not there any more", event)
			}
		}
		both[user] = events
	}
	if diff := cmp.Diff(o.whole, both); diff != "" {
		t.Errorf("both runs together are not the night:\n%s", diff)
	}
}

// TestNightThroughAnOutage has Graph down in a night, for everything and everybody. The requests of a short outage are made again until they are
// answered. In a longer one the users who are open fail, and those behind them are read when Graph is back. The night ends in any case, names
// who failed, and a second run reads them alone.
func TestNightThroughAnOutage(t *testing.T) {
	t.Parallel()
	const users = 150
	for name, test := range map[string]struct {
		after, takes time.Duration
		least, most  int // users who fail
	}{
		"of a second":                   {after: 2 * time.Second, takes: 1500 * time.Millisecond}, // four requests of a user take longer
		"of ten seconds":                {after: 2 * time.Second, takes: 10 * time.Second, most: users},
		"of ten minutes":                {after: 2 * time.Second, takes: 10 * time.Minute, least: 25, most: users}, // Copilot's limit allows no more before
		"of ten minutes, from the list": {after: 150 * time.Millisecond, takes: 10 * time.Minute, least: users, most: users},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOutage(t, users)
				down := time.AfterFunc(test.after, func() { o.graph.have(refusal(http.StatusServiceUnavailable)) })
				defer down.Stop()
				var during map[string]int
				back := time.AfterFunc(test.after+test.takes, func() {
					during, _ = o.graph.asked()
					o.graph.have(nil)
				})
				defer back.Stop()
				n, began := o.reading(), time.Now()
				if reason := n.read(t.Context(), t, o.client, o.request()); reason != "" {
					t.Fatal(reason)
				}
				if back.Stop() {
					during, _ = o.graph.asked()
				}
				o.check(t, n)
				failed := n.incomplete()
				t.Logf("%d of %d users failed in %v; requests in the outage: %v", len(failed), len(n.users), time.Since(began), during)
				if len(failed) < test.least || len(failed) > test.most {
					t.Errorf("%d users failed: %v", len(failed), n.summary)
				}
				for _, id := range failed {
					if user := n.users["users/"+id]; user.GetReason() != "GRAPH_UNAVAILABLE" {
						t.Errorf("%v", user)
					}
				}
				for _, kind := range []string{"chat", "copilot"} { // four requests ahead of a user, and four for the user
					if during[kind] > 8*users {
						t.Errorf("%d requests for %s in the outage", during[kind], kind)
					}
				}
				o.again(t, n)
			})
		})
	}
}
