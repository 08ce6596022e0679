package e2e_test

import (
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestNightReadsRecordsOnce reads the calls of a tenant in the view FULL: a record is read whole once for all who have a part in it.
func TestNightReadsRecordsOnce(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	request := n.request()
	request.Sources, request.View = []parleyv1.Source{parleyv1.Source_SOURCE_CALL}, parleyv1.EventView_EVENT_VIEW_FULL
	run := n.read(t, request)
	if !run.summary.GetComplete() {
		t.Fatalf("the night is %s", run.summary.GetOutcome())
	}
	calls := map[string]int{}
	for _, event := range run.events {
		if len(event.GetCall().GetSessions()) == 0 {
			t.Errorf("%s is not whole", event.GetName())
		}
		calls[event.GetSource().GetId()]++
	}
	if len(run.events) < 2*len(calls) || len(calls) < 10 {
		t.Fatalf("%d events of %d calls are too few to prove anything", len(run.events), len(calls))
	}
	asked := map[string]int{}
	for _, r := range n.sim.Requests() {
		if id, found := strings.CutPrefix(r.Path, "/v1.0/communications/callRecords/"); found && !strings.Contains(id, "/") {
			asked[id]++
		}
	}
	for id := range calls {
		if asked[id] != 1 {
			t.Errorf("the record of a call with %d users was read %d times", calls[id], asked[id])
		}
	}
}
