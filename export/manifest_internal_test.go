package export

import (
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestAUserWithAGapOfTheSourceIsARefusal adds a user up whose state is READ: what does not apply is nothing, and what a source keeps of nobody is missing.
func TestAUserWithAGapOfTheSourceIsARefusal(t *testing.T) {
	t.Parallel()
	plain := &parleyv1.SourceReport{
		Source: parleyv1.Source_SOURCE_COPILOT, State: parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE, Reason: "USER_NOT_LICENSED",
	}
	old := &parleyv1.SourceReport{
		Source: parleyv1.Source_SOURCE_CALL, State: parleyv1.SourceState_SOURCE_STATE_READ, Gaps: []*parleyv1.Gap{{Reason: "START_BEFORE_KEPT"}},
	}
	for want, reports := range map[string][]*parleyv1.SourceReport{complete: {plain}, withRefusals: {plain, old}} {
		user := &parleyv1.UserSummary{User: "users/a", State: parleyv1.UserState_USER_STATE_READ, Sources: reports}
		total := newTally()
		total.add(user, entryOf(user))
		if got := total.outcome(false); got != want || len(total.refusals) != len(reports)-1 || total.counts.UsersRead != 1 {
			t.Errorf("%s, want %s: %v, %v", got, want, total.counts, total.refusals)
		}
		if n := total.refusals[Failures{Reason: "START_BEFORE_KEPT", Source: "CALL"}]; n != int64(len(reports)-1) {
			t.Errorf("%d users lack calls: %v", n, total.refusals)
		}
	}
}
