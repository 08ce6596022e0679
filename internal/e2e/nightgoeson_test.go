package e2e_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// TestNightGoesOn reads the rest of a night by tokens from its beginning to its end, also after leaving it in the middle.
func TestNightGoesOn(t *testing.T) {
	t.Parallel()
	n := nightOf(t, graphsim.DefaultMessages) // of several batches
	whole := n.read(t, n.request())
	check := func(begun *nightRun, place nightPlace) {
		t.Helper()
		request := n.request()
		request.ResumeToken = place.token
		rest := n.read(t, request)
		joined := &nightRun{events: append(begun.events[:place.events:place.events], rest.events...), users: append(begun.users[:place.users:place.users], rest.users...)}
		if diff := cmp.Diff(whole.names(), joined.names()); diff != "" {
			t.Errorf("behind %d events:\n%s", place.events, diff)
		}
		if diff := cmp.Diff(whole.states(), joined.states()); diff != "" || len(joined.users) != 40 {
			t.Errorf("behind %d events, %d users:\n%s", place.events, len(joined.users), diff)
		}
		if diff := cmp.Diff(whole.summary, rest.summary, protocmp.Transform(),
			protocmp.IgnoreFields(&parleyv1.TenantSummary{}, "resume_token"),
			protocmp.IgnoreFields(&parleyv1.SourceCounts{}, "pages", "from_cache", "graph_requests")); diff != "" { // windows are read again
			t.Errorf("behind %d events:\n%s", place.events, diff)
		}
	}
	last := len(whole.places) - 1
	if last < 2 { // a batch is bounded, so there are more
		t.Fatalf("%d checkpoints: too few to prove anything", len(whole.places))
	}
	for _, at := range []int{0, 1, last / 2, last} {
		check(whole, whole.places[at])
	}
	for checkpoints := range 2 {
		left, err := n.until(t, n.request(), func(run *nightRun) bool { return len(run.places) > checkpoints })
		if err != nil {
			t.Fatal(err)
		}
		check(left, left.places[checkpoints])
	}
}

// TestNightOfFewEventsGoesOn resumes a night whose users are read at once: those that the token begins anew may be faster than those in the
// middle of which it stands.
func TestNightOfFewEventsGoesOn(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	whole := n.read(t, n.request())
	for _, place := range whole.places {
		request := n.request()
		request.ResumeToken = place.token
		rest := n.read(t, request)
		joined := &nightRun{events: append(whole.events[:place.events:place.events], rest.events...)}
		if diff := cmp.Diff(whole.names(), joined.names()); diff != "" {
			t.Errorf("behind %d events:\n%s", place.events, diff)
		}
	}
}
