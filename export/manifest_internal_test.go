package export

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/journal"
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

// TestNoNoticeOfAStreamIsLost ends legs with the same notices, more than a hundred of them: the manifest has each once.
func TestNoNoticeOfAStreamIsLost(t *testing.T) {
	t.Parallel()
	run, err := journal.Open(t.TempDir(), "run", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
	summary := &parleyv1.TenantSummary{}
	want := make([]journal.Notice, 0, 120)
	for i := range cap(want) {
		notice := journal.Notice{Code: "END_CUT_TO_NOW", Message: fmt.Sprint("notice ", i)}
		want = append(want, notice)
		summary.Notices = append(summary.Notices, &parleyv1.Notice{Code: notice.Code, Message: notice.Message})
	}
	e := &Exporter{journal: run, summary: summary}
	for range 2 {
		if err := e.endLeg(); err != nil {
			t.Fatal(err)
		}
	}
	if got := run.State.Notices; !slices.Equal(got, want) {
		t.Errorf("%d notices, want %d", len(got), len(want))
	}
}

// TestManifestsOfShardsMerge merges manifests of which some lack what others have: a shard without users, one of an older version, or one that was
// written by hand.
func TestManifestsOfShardsMerge(t *testing.T) {
	t.Parallel()
	whole := `{"outcome": "COMPLETE", "started_at": "2026-12-01T00:05:00Z", "ended_at": "2026-12-01T00:40:00Z",
		"counts": {"users": 2, "rows": {"events": 3}}, "settled_until": {"CHAT": "2026-12-01T00:00:00Z"}, "coverage_gaps": {"CHAT": ["A"]}}`
	want := Manifest{
		Outcome: complete, StartedAt: "2026-12-01T00:05:00Z", EndedAt: "2026-12-01T00:40:00Z", Counts: Counts{Users: 2, Rows: map[string]int64{"events": 3}},
		SettledUntil: map[string]string{"CHAT": "2026-12-01T00:00:00Z"}, Coverage: map[string][]string{"CHAT": {"A"}}, Refusals: []Failures{}, Failures: []Failures{},
	}
	for name, c := range map[string]struct {
		other   string
		outcome string
	}{
		"without users":            {`{"outcome": "COMPLETE", "started_at": "2026-12-01T00:05:00Z", "ended_at": "2026-12-01T00:06:00Z", "counts": {"rows": null}}`, complete},
		"without times and counts": {`{"outcome": "COMPLETE_WITH_REFUSALS"}`, withRefusals},
		"without an outcome":       {`{}`, incomplete},
		"of an unknown outcome":    {`{"outcome": "DONE"}`, incomplete},
	} {
		for _, order := range [][]string{{whole, c.other}, {c.other, whole}} {
			var all Manifest
			for i, text := range order {
				one := new(Manifest)
				if err := json.Unmarshal([]byte(text), one); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					all = *one
					continue
				}
				all.merge(one)
			}
			want.Outcome = c.outcome
			if diff := cmp.Diff(want, all); diff != "" {
				t.Errorf("%s, want (-) and got (+):\n%s", name, diff)
			}
		}
	}
}
