package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/server/apierror"
)

// nightRun is what one call of StreamTenantEvents delivered.
type nightRun struct {
	events  []*parleyv1.Event
	users   []*parleyv1.UserSummary
	places  []nightPlace
	summary *parleyv1.TenantSummary
}

// nightPlace is a checkpoint, with what was delivered before it.
type nightPlace struct {
	token         string
	events, users int
}

func (n *nightRun) take(frame *parleyv1.StreamTenantEventsResponse) {
	n.events = append(n.events, frame.GetBatch().GetEvents()...)
	if user := frame.GetUser(); user != nil {
		n.users = append(n.users, user)
	}
	if checkpoint := frame.GetCheckpoint(); checkpoint != nil {
		n.places = append(n.places, nightPlace{checkpoint.GetResumeToken(), len(n.events), len(n.users)})
	}
	if summary := frame.GetSummary(); summary != nil {
		n.summary = summary
	}
}

// names are the events by name and version, sorted.
func (n *nightRun) names() []string {
	names := make([]string, 0, len(n.events))
	for _, event := range n.events {
		names = append(names, fmt.Sprint(event.GetName(), "@", event.GetVersion()))
	}
	slices.Sort(names)
	return names
}

// records are the events as user, source, container and id, sorted.
func (n *nightRun) records() []string {
	ids := identities(n.events)
	for i, event := range n.events {
		ids[i] = event.GetOwner() + " " + event.GetSource().GetSource().String() + " " + ids[i]
	}
	return sorted(ids)
}

// states are the users by name, with the state and reason of each.
func (n *nightRun) states() map[string]string {
	states := map[string]string{}
	for _, user := range n.users {
		states[user.GetUser()] = strings.TrimPrefix(user.GetState().String(), "USER_STATE_") + " " + user.GetReason()
	}
	return states
}

// night is a tenant with what is read of it.
type night struct {
	*tenantUnderTest

	start, end time.Time
}

// newNight serves a tenant of 40 users, whose data stand still: one in seven has no licence, and two are guests.
func newNight(t *testing.T, planned ...faults.Fault) *night {
	t.Helper()
	return nightOf(t, 4000, planned...)
}

// nightOf is newNight with a number of messages.
func nightOf(t *testing.T, messages int, planned ...faults.Fault) *night {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	g := serve(t, graphsim.Config{Messages: messages, Interactions: 4000, Calls: 300, Faults: planned, Now: func() time.Time { return now }}, nil)
	end := now.Truncate(24*time.Hour).AddDate(0, 0, -4)
	return &night{g, end.AddDate(0, 0, -5), end}
}

func (n *night) request() *parleyv1.StreamTenantEventsRequest {
	return &parleyv1.StreamTenantEventsRequest{StartTime: timestamp(n.start), EndTime: timestamp(n.end)}
}

// held are the records that the simulator holds of some users, as nightRun.records gives them.
func (n *night) held(users map[string]bool) (records []string) {
	oracle := n.sim.Oracle("")
	for user := range oracle.Users() {
		if users != nil && !users["users/"+user.ID] {
			continue
		}
		for _, src := range []string{graphsim.SourceChat, graphsim.SourceCopilot, graphsim.SourceCall} {
			for record := range oracle.Records(src, user.ID, n.start, n.end) {
				records = append(records, "users/"+user.ID+" SOURCE_"+strings.ToUpper(src)+" "+record.Container+" "+record.ID)
			}
		}
	}
	return sorted(records)
}

// read reads a stream over gRPC to its end.
func (n *night) read(t *testing.T, request *parleyv1.StreamTenantEventsRequest) *nightRun {
	t.Helper()
	run, err := n.until(t, request, func(*nightRun) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	if run.summary == nil {
		t.Fatal("the stream has no summary")
	}
	return run
}

// until reads a stream over gRPC until a condition holds, and leaves it.
func (n *night) until(t *testing.T, request *parleyv1.StreamTenantEventsRequest, enough func(*nightRun) bool) (*nightRun, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := parleyv1.NewEventServiceClient(n.conn).StreamTenantEvents(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	run := &nightRun{}
	for !enough(run) {
		frame, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return run, nil
		}
		if err != nil {
			return run, err
		}
		run.take(frame)
	}
	return run, nil
}

// rest reads a stream over REST to its end: by GET, or by POST where the request is to be the body.
func (n *night) rest(t *testing.T, method, form string, request *parleyv1.StreamTenantEventsRequest) *nightRun {
	t.Helper()
	path, content := "/v1:streamTenantEvents", []byte(nil)
	if method == http.MethodPost {
		var err error
		if content, err = protojson.Marshal(request); err != nil {
			t.Fatal(err)
		}
	} else {
		path += "?" + url.Values{
			"startTime": {request.GetStartTime().AsTime().Format(time.RFC3339)}, "endTime": {request.GetEndTime().AsTime().Format(time.RFC3339)},
		}.Encode()
	}
	return n.frames(t, method, path, form, content)
}

// frames reads a stream over REST to its end.
func (n *night) frames(t *testing.T, method, path, form string, content []byte) *nightRun {
	t.Helper()
	ask, err := http.NewRequestWithContext(t.Context(), method, n.base+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	ask.Header.Set("Accept", form)
	if content != nil {
		ask.Header.Set("Content-Type", "application/json")
	}
	answer, err := n.http.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), form) {
		t.Fatalf("HTTP %d, %s", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	run := &nightRun{}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		line := lines.Text()
		if form == "text/event-stream" {
			var isData bool
			if line, isData = strings.CutPrefix(line, "data: "); !isData {
				continue
			}
		}
		frame := &parleyv1.StreamTenantEventsResponse{}
		if err := protojson.Unmarshal([]byte(line), frame); err != nil {
			t.Fatalf("%v in %.300s", err, line)
		}
		run.take(frame)
	}
	if err := lines.Err(); err != nil || run.summary == nil {
		t.Fatalf("%v, summary %v", err, run.summary)
	}
	return run
}

// TestNight reads everything of a tenant, over gRPC and in every form of REST: each event once, and the same every time.
func TestNight(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	oracle := n.sim.Oracle("")
	first := n.read(t, n.request())
	if diff := cmp.Diff(n.held(nil), first.records()); diff != "" {
		t.Errorf("the night is not what Graph holds:\n%s", diff)
	}
	summary := first.summary
	if summary.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE || !summary.GetComplete() || summary.GetUsersRead() != 40 ||
		len(summary.GetRefusals())+len(summary.GetFailures()) > 0 {
		t.Errorf("%v", summary)
	}
	unlicensed := 0
	for _, user := range first.users {
		id := strings.TrimPrefix(user.GetUser(), "users/")
		want := parleyv1.SourceState_SOURCE_STATE_READ
		if !oracle.Licensed(id) {
			unlicensed++
			want = parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE
		}
		at := slices.IndexFunc(user.GetSources(), func(r *parleyv1.SourceReport) bool { return r.GetSource() == parleyv1.Source_SOURCE_COPILOT })
		if got := user.GetSources()[at].GetState(); got != want || user.GetState() != parleyv1.UserState_USER_STATE_READ || !user.GetComplete() {
			t.Errorf("%s: Copilot %v, want %v; %v", id, got, want, user)
		}
		if asked := n.askedAbout(graphsim.SourceCopilot, id); (asked > 0) != oracle.Licensed(id) {
			t.Errorf("%s: Copilot was asked %d times", id, asked)
		}
	}
	if unlicensed < 5 {
		t.Errorf("%d users have no licence: too few to prove anything", unlicensed)
	}
	for name, again := range map[string]func() *nightRun{
		"gRPC":         func() *nightRun { return n.read(t, n.request()) },
		"GET, NDJSON":  func() *nightRun { return n.rest(t, http.MethodGet, "application/x-ndjson", n.request()) },
		"POST, NDJSON": func() *nightRun { return n.rest(t, http.MethodPost, "application/x-ndjson", n.request()) },
		"GET, SSE":     func() *nightRun { return n.rest(t, http.MethodGet, "text/event-stream", n.request()) },
		"POST, SSE":    func() *nightRun { return n.rest(t, http.MethodPost, "text/event-stream", n.request()) },
	} {
		run := again()
		if diff := cmp.Diff(first.names(), run.names()); diff != "" {
			t.Errorf("%s differs:\n%s", name, diff)
		}
		if diff := cmp.Diff(first.states(), run.states()); diff != "" || len(run.users) != 40 || run.summary.GetOutcome() != summary.GetOutcome() {
			t.Errorf("%s: %v\n%s", name, run.summary, diff)
		}
	}
}

// TestNightInShards reads a night in parts: each user is in one of them.
func TestNightInShards(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	all := &nightRun{}
	for shard := range 3 {
		request := n.request()
		request.Shard = &parleyv1.Shard{Index: int32(shard), Count: 3}
		run := n.read(t, request)
		if len(run.users) == 0 || len(run.users) > 30 {
			t.Errorf("shard %d has %d users", shard, len(run.users))
		}
		all.events, all.users = append(all.events, run.events...), append(all.users, run.users...)
	}
	if diff := cmp.Diff(n.held(nil), all.records()); diff != "" || len(all.users) != 40 || len(all.states()) != 40 {
		t.Errorf("%d users in the shards:\n%s", len(all.users), diff)
	}
}

// TestNightRunsOnce begins a night while an equal one runs.
func TestNightRunsOnce(t *testing.T) {
	t.Parallel()
	// The chats of one user hang, so that the first night is still running.
	n := newNight(t)
	slow := licensed(t, n.sim)[0]
	if err := n.sim.SetFaults([]faults.Fault{{Kind: faults.Hang, Match: graphsim.SourceChat, User: slow, DelayMS: int(patience / time.Millisecond)}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, err := parleyv1.NewEventServiceClient(n.conn).StreamTenantEvents(ctx, n.request())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.until(t, n.request(), func(*nightRun) bool { return false }); apierror.Reason(status.Convert(err)) != "ALREADY_RUNNING" {
		t.Errorf("an equal night: %v", err)
	}
	// Other work is not held up.
	request := n.request()
	request.UserIds = licensed(t, n.sim)[1:2]
	if run := n.read(t, request); !run.summary.GetComplete() {
		t.Errorf("%v", run.summary)
	}
}

// TestNightByIDs asks for two users without a licence by id: Copilot does not apply to them, and Graph is not asked about it.
func TestNightByIDs(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	asked := map[string]bool{}
	request := n.request()
	for user := range n.sim.Oracle("").Users() {
		if !n.sim.Oracle("").Licensed(user.ID) && len(asked) < 2 {
			asked["users/"+user.ID] = true
			request.UserIds = append(request.UserIds, user.ID)
		}
	}
	asked["users/"+licensed(t, n.sim)[0]] = true
	request.UserIds = append(request.UserIds, licensed(t, n.sim)[0], "ffffffff-0000-4000-8000-00000000000f", "nobody")
	for range 2 {
		run := n.read(t, request)
		if diff := cmp.Diff(n.held(asked), run.records()); diff != "" {
			t.Error(diff)
		}
		for user, state := range run.states() {
			if want := map[bool]string{true: "READ ", false: "REFUSED NOT_FOUND"}[asked[user]]; state != want {
				t.Errorf("%s is %q, want %q", user, state, want)
			}
		}
		if run.summary.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS || run.summary.GetUsersRead() != 3 || len(run.users) != 5 {
			t.Errorf("%v", run.summary)
		}
	}
	for _, id := range request.GetUserIds()[:2] {
		if asked := n.askedAbout(graphsim.SourceCopilot, id); asked > 0 {
			t.Errorf("Copilot was asked %d times about %s, who has no licence", asked, id)
		}
	}
}

// TestNightWithRefusals reads a tenant in which Graph keeps some users back for good.
func TestNightWithRefusals(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	users := licensed(t, n.sim)
	mailbox, deleted, unpaid := users[2], users[4], users[6]
	if err := n.sim.SetFaults([]faults.Fault{
		refusing(graphsim.SourceChat, mailbox, 402, "PaymentRequired", "User needs a valid license to access this API."),
		refusing(graphsim.SourceCopilot, unpaid, 402, "PaymentRequired", "The user does not have a valid license."),
		refusing(graphsim.SourceChat, deleted, 404, "NotFound", "The user is not found."),
		refusing(graphsim.SourceCopilot, deleted, 404, "NotFound", "The user is not found."),
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for user := range n.sim.Oracle("").Users() {
		want["users/"+user.ID] = "READ "
	}
	want["users/"+mailbox], want["users/"+unpaid], want["users/"+deleted] = "REFUSED USER_NOT_LICENSED", "REFUSED USER_NOT_LICENSED", "REFUSED NOT_FOUND"
	lost := []string{"users/" + mailbox + " SOURCE_CHAT", "users/" + unpaid + " SOURCE_COPILOT", "users/" + deleted + " SOURCE_CHAT", "users/" + deleted + " SOURCE_COPILOT"}
	held := slices.DeleteFunc(n.held(nil), func(record string) bool {
		return slices.ContainsFunc(lost, func(part string) bool { return strings.HasPrefix(record, part+" ") })
	})
	for range 2 {
		run := n.read(t, n.request())
		if diff := cmp.Diff(want, run.states()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(held, run.records()); diff != "" {
			t.Errorf("events:\n%s", diff)
		}
		got, refused := run.summary, []string{"users/" + mailbox, "users/" + unpaid, "users/" + deleted}
		if got.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS || got.GetUsersRefused() != 3 || got.GetUsersRead() != 37 ||
			!slices.Equal(sorted(got.GetRefusedUsers()), sorted(refused)) || len(got.GetFailures()) > 0 || len(got.GetRefusals()) != 4 {
			t.Errorf("%v", got)
		}
	}
}

// TestNightWithoutGraph reads a night in which Graph does not answer about some users. It ends and names them, and a run that asks for
// these users reads what was missing and asks about nobody else.
func TestNightWithoutGraph(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	missing := map[string]bool{}
	unread := licensed(t, n.sim)[3:6]
	planned := make([]faults.Fault, 0, 2*len(unread))
	for _, id := range unread {
		missing["users/"+id] = true
		planned = append(planned,
			faults.Fault{Kind: faults.Status, Match: graphsim.SourceChat, User: id, Status: 503},
			faults.Fault{Kind: faults.Status, Match: graphsim.SourceCopilot, User: id, Status: 503})
	}
	if err := n.sim.SetFaults(planned); err != nil {
		t.Fatal(err)
	}
	run := n.read(t, n.request())
	names := slices.Sorted(maps.Keys(missing))
	if got := run.summary; got.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE || got.GetUsersIncomplete() != 3 || got.GetUsersRead() != 37 ||
		!slices.Equal(sorted(got.GetIncompleteUsers()), names) || len(got.GetFailures()) != 2 {
		t.Errorf("%v", got)
	}
	for user, state := range run.states() {
		if want := map[bool]string{false: "READ ", true: "INCOMPLETE GRAPH_UNAVAILABLE"}[missing[user]]; state != want {
			t.Errorf("%s is %q, want %q", user, state, want)
		}
	}
	if err := n.sim.SetFaults(nil); err != nil {
		t.Fatal(err)
	}
	before := len(n.sim.Requests())
	request := n.request()
	for _, name := range names {
		request.UserIds = append(request.UserIds, strings.TrimPrefix(name, "users/"))
	}
	again := n.read(t, request)
	if diff := cmp.Diff(n.held(missing), again.records()); diff != "" || !again.summary.GetComplete() || len(again.users) != 3 {
		t.Errorf("%v\n%s", again.summary, diff)
	}
	for _, asked := range n.sim.Requests()[before:] {
		if asked.Source == graphsim.SourceUsers {
			continue // their plans are looked up
		}
		if !slices.ContainsFunc(request.GetUserIds(), func(id string) bool { return strings.Contains(asked.Path, id) }) {
			t.Errorf("the second run asked for %s", asked.Path)
		}
	}
}

// TestNightBeforeKept asks for calls from before the days for which Graph keeps them: that is said of the source, and of no user.
func TestNightBeforeKept(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	request := n.request()
	request.Sources, request.StartTime = []parleyv1.Source{parleyv1.Source_SOURCE_CALL}, timestamp(n.start.AddDate(0, 0, -60))
	run := n.read(t, request)
	if len(run.events) == 0 || len(run.users) != 40 {
		t.Errorf("%d events of %d users", len(run.events), len(run.users))
	}
	for user, state := range run.states() {
		if state != "READ " {
			t.Errorf("%s is %q", user, state)
		}
	}
	got := run.summary
	want := []*parleyv1.UserFailures{{Reason: "START_BEFORE_KEPT", Source: parleyv1.Source_SOURCE_CALL, Count: 40}}
	if diff := cmp.Diff(want, got.GetRefusals(), protocmp.Transform()); diff != "" || got.GetUsersRead() != 40 || len(got.GetRefusedUsers()) > 0 ||
		got.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS {
		t.Errorf("%v\n%s", got, diff)
	}
}
