package timeline_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// people are the sources and the directory of a tenant.
type people struct {
	graphs map[string]map[parleyv1.Source]*fakeGraph // by user
	users  []*parleyv1.User                          // in the order of the directory
	// listing may replace a page of the directory.
	listing func(page *source.Page[*parleyv1.User]) (*source.Page[*parleyv1.User], error)

	mu           sync.Mutex
	open, widest int // readings at one time
}

// newPeople makes n users with events of both sources in a span; every fifth one has none.
func newPeople(n int, start, end time.Time) *people {
	p := &people{graphs: map[string]map[parleyv1.Source]*fakeGraph{}}
	for i := range n {
		// The order of the directory is not that of the ids.
		p.add(fmt.Sprintf("00000000-0000-4000-8000-%012d", (i*11)%n), start, end, i%5*4)
	}
	return p
}

func (p *people) add(id string, start, end time.Time, rows int) {
	p.users = append(p.users, &parleyv1.User{Name: "users/" + id, Id: id, Copilot: &parleyv1.CopilotLicence{Licensed: new(len(p.users)%2 == 0)}})
	own := map[parleyv1.Source]*fakeGraph{}
	for _, src := range []parleyv1.Source{chat, copilot} {
		g := &fakeGraph{src: src, size: 5, rows: spread(id+"-", rows, start, end)}
		for i := range g.rows {
			g.rows[i].conversation = "19:x"
		}
		own[src] = g
	}
	p.graphs[id] = own
}

// share gives all users one message.
func (p *people) share(at time.Time, id string, version int64) {
	for _, own := range p.graphs {
		own[chat].rows = append(own[chat].rows, row{at: at, created: at, id: id, version: version, conversation: "19:x"})
	}
}

// stagger delays the answers for some users more than for others, so that batches leave before all users are read.
func (p *people) stagger() {
	for i, id := range p.ids() {
		for _, g := range p.graphs[id] {
			g.delay = time.Duration(1+i%9) * 120 * time.Millisecond
		}
	}
}

func (p *people) ids() []string { return slices.Sorted(maps.Keys(p.graphs)) }

// sources read from the people.
func (p *people) sources() query.Sources {
	return query.Sources{
		Events: map[parleyv1.Source]source.EventReader{chat: peopleEvents{p, chat}, copilot: peopleEvents{p, copilot}},
		Users:  peopleUsers{p},
	}
}

type peopleEvents struct {
	*people

	src parleyv1.Source
}

func (p peopleEvents) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	p.mu.Lock()
	p.open++
	p.widest = max(p.widest, p.open)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.open--
		p.mu.Unlock()
	}()
	own, ok := p.graphs[q.User]
	if !ok {
		return nil, fail(graph.KindNotFound)
	}
	return own[p.src].Events(ctx, q, link)
}

type peopleUsers struct{ *people }

func (p peopleUsers) Users(_ context.Context, q source.UserQuery, link string) (*source.Page[*parleyv1.User], error) {
	if len(q.IDs) > 0 {
		return p.find(q.IDs, link)
	}
	from := 0
	_, _ = fmt.Sscan(link, &from)
	to := min(from+9, len(p.users))
	page := &source.Page[*parleyv1.User]{Items: p.users[from:to], Rows: to - from, Requests: 1, ReadAt: time.Now()}
	if to < len(p.users) {
		page.Next = strconv.Itoa(to)
	}
	if p.listing != nil {
		return p.listing(page)
	}
	return page, nil
}

// find gives the users with the ids, on a page behind an empty one.
func (p peopleUsers) find(ids []string, link string) (*source.Page[*parleyv1.User], error) {
	page := &source.Page[*parleyv1.User]{Requests: 1, ReadAt: time.Now()}
	if link == "" {
		page.Next = "rest"
	} else {
		for _, user := range p.users {
			if slices.Contains(ids, user.GetId()) {
				page.Items = append(page.Items, user)
			}
		}
	}
	page.Rows = len(page.Items)
	if p.listing != nil {
		return p.listing(page)
	}
	return page, nil
}

func (peopleUsers) User(context.Context, string) (*parleyv1.User, error) {
	return nil, fail(graph.KindNotFound)
}

func (peopleUsers) UserID(context.Context, string) (string, error) {
	return "", fail(graph.KindNotFound)
}

// night is what a stream over the tenant delivered.
type night struct {
	names   []string // of the events, each with its version
	copies  []string
	users   map[string]*parleyv1.UserSummary
	order   []string // users, in the order of their summaries
	notices []string
	summary *parleyv1.TenantSummary

	places []nightPlace
}

// nightPlace is what was delivered before a checkpoint.
type nightPlace struct {
	checkpoint *parleyv1.TenantCheckpoint
	events     int
	users      int
}

func newNight() *night { return &night{users: map[string]*parleyv1.UserSummary{}} }

func (n *night) take(b *timeline.Batch) error {
	batch := &parleyv1.EventBatch{}
	if err := proto.Unmarshal(slices.Concat(b.Runs...), batch); err != nil {
		return err
	}
	if len(batch.GetEvents()) != b.Count {
		return fmt.Errorf("%d events are counted as %d", len(batch.GetEvents()), b.Count)
	}
	for _, e := range batch.GetEvents() {
		n.names = append(n.names, fmt.Sprint(e.GetSource().GetSource(), " ", e.GetName(), "@", e.GetVersion()))
	}
	return nil
}

func (n *night) emit(frame *timeline.TenantFrame) error {
	switch f := frame.GetFrame().(type) {
	case *parleyv1.StreamTenantEventsResponse_Notice:
		n.notices = append(n.notices, f.Notice.GetCode())
	case *parleyv1.StreamTenantEventsResponse_Copies:
		for _, c := range f.Copies.GetCopies() {
			n.copies = append(n.copies, c.GetName()+" "+c.GetUid())
		}
	case *parleyv1.StreamTenantEventsResponse_User:
		n.users[f.User.GetUser()] = f.User
		n.order = append(n.order, f.User.GetUser())
	case *parleyv1.StreamTenantEventsResponse_Checkpoint:
		n.places = append(n.places, nightPlace{f.Checkpoint, len(n.names), len(n.order)})
	case *parleyv1.StreamTenantEventsResponse_Summary:
		n.summary = f.Summary
	}
	return nil
}

// read reads a whole night, or the rest behind a token.
func (p *people) read(t *testing.T, e *timeline.Engine, req query.Tenant, token string) *night {
	t.Helper()
	n := newNight()
	if err := e.StreamTenantBatches(t.Context(), p.sources(), req, token, n.take, n.emit); err != nil {
		t.Fatalf("stream: %v", err)
	}
	if n.summary == nil || len(n.order) != len(n.users) {
		t.Fatalf("%d summaries of %d users, and of all %v", len(n.order), len(n.users), n.summary)
	}
	return n
}

// alone are the events of the users read one by one, in the order of a stream of each.
func (p *people) alone(t *testing.T, e *timeline.Engine, req query.Tenant, ids []string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, id := range ids {
		for _, event := range stream(t, e, p.sources(), req.OfUser(id), "").events {
			all[id] = append(all[id], fmt.Sprint(event.GetSource().GetSource(), " ", event.GetName(), "@", event.GetVersion()))
		}
	}
	return all
}

// byUser divides names of events by user.
func byUser(names []string) map[string][]string {
	all := map[string][]string{}
	for _, name := range names {
		id, _, _ := strings.Cut(strings.SplitN(name, "users/", 2)[1], "/")
		all[id] = append(all[id], name)
	}
	return all
}

func nightRequest(start, end time.Time) query.Tenant {
	return query.Tenant{Events: query.Events{Caller: "c", Tenant: "t", Start: start, End: end}}
}

func TestTenantStreamIsTheStreamsOfItsUsers(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(90, start, end)
	e := newEngine(t, timeline.Config{})
	req := nightRequest(start, end)
	n := p.read(t, e, req, "")
	if diff := cmp.Diff(p.alone(t, e, req, p.ids()), byUser(n.names)); diff != "" {
		t.Error(diff)
	}
	if got := n.summary; got.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE || !got.GetComplete() || got.GetUsersRead() != 90 ||
		len(got.GetFailures())+len(got.GetRefusals())+len(got.GetIncompleteUsers())+len(got.GetRefusedUsers()) > 0 {
		t.Errorf("%v", got)
	}
	counted := int64(0)
	for _, report := range n.summary.GetSources() {
		counted += report.GetCounts().GetEvents()
		if report.GetSettledUntil() == nil {
			t.Errorf("%v is settled at no time", report.GetSource())
		}
	}
	if counted != int64(len(n.names)) || len(n.users) != 90 {
		t.Errorf("%d events and %d users, counted %d", len(n.names), len(n.users), counted)
	}
	for _, user := range n.users {
		if user.GetState() != readState || !user.GetComplete() || len(user.GetSources()) != 2 {
			t.Errorf("%v", user)
		}
	}
	again := p.read(t, e, req, n.summary.GetResumeToken())
	again.summary.ResumeToken, n.summary.ResumeToken = "", ""
	if diff := cmp.Diff(n.summary, again.summary, protocmp.Transform()); diff != "" || len(again.names) > 0 {
		t.Errorf("%d events behind the end: %s", len(again.names), diff)
	}
	req.Reconnect = true
	if err := e.StreamTenantBatches(t.Context(), p.sources(), req, p.read(t, e, req, "").summary.GetResumeToken(), nil, nil); err != nil {
		t.Errorf("a reader who comes back: %v", err)
	}
}

// TestTenantResumesBehindEveryCheckpoint reads the rest behind every checkpoint, with batches that are small.
func TestTenantResumesBehindEveryCheckpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, end := base()
		p := newPeople(70, start, end)
		p.stagger()
		e := newEngine(t, timeline.Config{})
		req := nightRequest(start, end)
		whole := p.read(t, e, req, "")
		if len(whole.places) < 8 {
			t.Fatalf("%d checkpoints", len(whole.places))
		}
		want := byUser(whole.names)
		for i, place := range whole.places {
			token := place.checkpoint.GetResumeToken()
			if len(token) > 8<<10 {
				t.Errorf("a token has %d bytes", len(token))
			}
			rest := p.read(t, e, req, token)
			got := byUser(append(slices.Clone(whole.names[:place.events]), rest.names...))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("checkpoint %d: %s", i, diff)
			}
			if users := append(slices.Clone(whole.order[:place.users]), rest.order...); len(users) != 70 {
				t.Fatalf("checkpoint %d of %d: %d and %d users; %v", i, len(whole.places), place.users, len(rest.order), rest.summary)
			}
			if rest.summary.GetUsersRead() != 70 || !rest.summary.GetComplete() {
				t.Errorf("checkpoint %d: %v", i, rest.summary)
			}
			if diff := cmp.Diff(whole.summary.GetSources(), rest.summary.GetSources(), protocmp.Transform(),
				protocmp.IgnoreFields(&parleyv1.SourceCounts{}, "pages", "from_cache", "graph_requests"), // windows are read again
				protocmp.IgnoreFields(&parleyv1.TenantSourceReport{}, "settled_until")); diff != "" {
				t.Errorf("checkpoint %d: %s", i, diff)
			}
		}
	})
}

// TestTenantResumesInTheMiddleOfUsers reads the rest behind every checkpoint of users whose events come in many batches.
func TestTenantResumesInTheMiddleOfUsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().UTC().AddDate(0, -2, 0)
		end := start.AddDate(0, 0, 20)
		p := newPeople(1, start, end)
		for i := range 5 {
			p.add(fmt.Sprintf("10000000-0000-4000-8000-%012d", i), start, end, 40+25*i)
		}
		p.stagger()
		e := newEngine(t, timeline.Config{WindowsAtOnce: 2})
		req := nightRequest(start, end)
		whole := p.read(t, e, req, "")
		want, most := byUser(whole.names), 0
		for i, place := range whole.places {
			most = max(most, len(place.checkpoint.GetUsers()))
			rest := p.read(t, e, req, place.checkpoint.GetResumeToken())
			if diff := cmp.Diff(want, byUser(append(slices.Clone(whole.names[:place.events]), rest.names...))); diff != "" {
				t.Fatalf("checkpoint %d: %s", i, diff)
			}
			if len(place.checkpoint.GetResumeToken()) > 8<<10 || !rest.summary.GetComplete() || rest.summary.GetUsersRead() != 6 {
				t.Errorf("checkpoint %d: a token of %d bytes, %v", i, len(place.checkpoint.GetResumeToken()), rest.summary)
			}
		}
		t.Logf("%d checkpoints, and %d users in one", len(whole.places), most)
		if most < 2 || most > 4 || len(whole.places) < 6 {
			t.Errorf("%d checkpoints, and %d users in one", len(whole.places), most)
		}
	})
}

func TestTenantCheckpointsSayWhatWasReached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().UTC().AddDate(0, -2, 0)
		end := start.AddDate(0, 1, 0)
		p := newPeople(1, start, end)
		p.add("00000000-0000-4000-8000-00000000000f", start, end, 300)
		p.stagger()
		n := p.read(t, newEngine(t, timeline.Config{WindowsAtOnce: 2}), nightRequest(start, end), "")
		seen := false
		for _, place := range n.places {
			for _, user := range place.checkpoint.GetUsers() {
				seen = true
				for _, progress := range user.GetSources() {
					reached := progress.GetReachedTime().AsTime()
					for _, name := range n.names[place.events:] {
						if strings.HasPrefix(name, progress.GetSource().String()) && strings.Contains(name, user.GetUser()) {
							var i int
							_, _ = fmt.Sscanf(name[strings.LastIndexByte(name, '-')+1:], "%04d", &i)
							if at := start.Add(end.Sub(start) / 300 * time.Duration(i)); at.Before(reached.Add(-time.Millisecond)) {
								t.Fatalf("%s comes after a checkpoint that has reached %v", name, reached)
							}
						}
					}
				}
			}
			if total := place.checkpoint.GetUsersTotal(); total != 2 {
				t.Errorf("%d users in all", total)
			}
		}
		if !seen {
			t.Error("no checkpoint has a user")
		}
	})
}

func TestTenantShardsDivideTheUsers(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(60, start, end)
	e := newEngine(t, timeline.Config{})
	seen := map[string]int{}
	for shard := range 4 {
		req := nightRequest(start, end)
		req.Shard, req.Shards = shard, 4
		n := p.read(t, e, req, "")
		if len(n.users) == 0 || len(n.users) == 60 {
			t.Errorf("shard %d has %d users", shard, len(n.users))
		}
		for user := range n.users {
			seen[user]++
		}
	}
	for _, id := range p.ids() {
		if seen["users/"+id] != 1 {
			t.Errorf("%s is in %d shards", id, seen["users/"+id])
		}
	}
	// These parts never change: programs have divided their work by them.
	for id, want := range map[string]int{"": 5, "a": 4, "A": 4, "3F2504E0-4f89-41d3-9a0c-0305e82c3301": query.ShardOf("3f2504e0-4f89-41d3-9a0c-0305e82c3301", 8)} {
		if got := query.ShardOf(id, 8); got != want {
			t.Errorf("%q is in part %d, want %d", id, got, want)
		}
	}
}

func TestTenantReadsTheAskedUsersOnly(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(20, start, end)
	e := newEngine(t, timeline.Config{})
	req := nightRequest(start, end)
	req.Licensed = true
	n := p.read(t, e, req, "")
	for _, user := range p.users {
		if got := n.users[user.GetName()] != nil; got != user.GetCopilot().GetLicensed() {
			t.Errorf("%s is read: %v", user.GetName(), got)
		}
	}
	req = nightRequest(start, end)
	req.Users = []string{p.ids()[7], p.ids()[2], "someone-else"}
	n = p.read(t, e, req, "")
	if diff := cmp.Diff(p.alone(t, e, req, p.ids()[2:3]), byUser(n.names)); len(n.users) != 3 || p.graphs[p.ids()[7]][chat] == nil ||
		diff == "" && len(p.graphs[p.ids()[7]][chat].rows) > 0 {
		t.Errorf("%d users: %s", len(n.users), diff)
	}
	gone := n.users["users/someone-else"]
	if gone.GetState() != refusedState || gone.GetReason() != "NOT_FOUND" || gone.GetComplete() {
		t.Errorf("%v", gone)
	}
	if got := n.summary; got.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS || got.GetUsersRefused() != 1 || got.GetUsersRead() != 2 ||
		!slices.Equal(got.GetRefusedUsers(), []string{"users/someone-else"}) || len(got.GetRefusals()) != 2 || got.GetRefusals()[0].GetCount() != 1 {
		t.Errorf("%v", got)
	}
}

func TestTenantSendsASharedMessageOnce(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(30, start, end)
	p.share(start.Add(time.Hour), "shared", 7)
	e := newEngine(t, timeline.Config{})
	req := nightRequest(start, end)
	plain := p.read(t, e, req, "")
	req.Deduplicate = true
	n := p.read(t, e, req, "")
	shared := 0
	for _, name := range n.names {
		if strings.Contains(name, "/shared@7") {
			shared++
		}
	}
	if shared != 1 || len(n.copies) != 29 || len(n.names)+len(n.copies) != len(plain.names) {
		t.Errorf("the message comes %d times; %d events and %d copies of %d", shared, len(n.names), len(n.copies), len(plain.names))
	}
	for _, c := range n.copies {
		if !strings.HasSuffix(c, " SOURCE_CHAT/shared") || !strings.HasPrefix(c, "users/") {
			t.Errorf("copy %q", c)
		}
	}
}
