package export

import (
	"cmp"
	"slices"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/journal"
)

// Outcomes of a run, as the manifest has them.
const (
	complete     = "COMPLETE"
	withRefusals = "COMPLETE_WITH_REFUSALS"
	incomplete   = "INCOMPLETE"
)

// Manifest is _runs/<run>/manifest.json: what a run is, what it has, and what it lacks. Its users stand in it one a line.
type Manifest struct {
	SchemaVersion int      `json:"schema_version"`
	Run           string   `json:"run"`
	Outcome       string   `json:"outcome"`
	Complete      bool     `json:"complete"`
	RunDate       string   `json:"run_date"`
	Start         string   `json:"start_time"`
	End           string   `json:"end_time"`
	Selection     string   `json:"selection"`
	Shard         *int     `json:"shard,omitempty"`
	Shards        int      `json:"shards"`
	Sources       []string `json:"sources,omitempty"`
	View          string   `json:"view"`
	Format        string   `json:"format"`
	Deduplicated  bool     `json:"deduplicated"`
	Caller        string   `json:"caller,omitempty"`
	Reason        string   `json:"reason,omitempty"`
	StartedAt     string   `json:"started_at"`
	EndedAt       string   `json:"ended_at"`

	Counts       Counts              `json:"counts"`
	SettledUntil map[string]string   `json:"settled_until,omitempty"`
	Coverage     map[string][]string `json:"coverage_gaps,omitempty"`
	Refusals     []Failures          `json:"refusals,omitempty"`
	Failures     []Failures          `json:"failures,omitempty"`
	Notices      []journal.Notice    `json:"notices,omitempty"`
	Files        []journal.File      `json:"files"`
}

// Counts are what a run has.
type Counts struct {
	Users           int64            `json:"users"`
	UsersRead       int64            `json:"users_read"`
	UsersRefused    int64            `json:"users_refused"`
	UsersIncomplete int64            `json:"users_incomplete"`
	Rows            map[string]int64 `json:"rows"`
	GraphRequests   int64            `json:"graph_requests"`
}

// Failures is how many users have one reason in one source.
type Failures struct {
	Reason string `json:"reason"`
	Source string `json:"source,omitempty"`
	Users  int64  `json:"users"`
}

// userEntry is the line of a user in the manifest.
type userEntry struct {
	User     string        `json:"user"`
	State    string        `json:"state"`
	Complete bool          `json:"complete"`
	Reason   string        `json:"reason,omitempty"`
	Sources  []sourceEntry `json:"sources"`
}

type sourceEntry struct {
	Source       string     `json:"source"`
	State        string     `json:"state"`
	Reason       string     `json:"reason,omitempty"`
	SettledUntil string     `json:"settled_until,omitempty"`
	Events       int64      `json:"events"`
	Gaps         []gapEntry `json:"gaps,omitempty"`
}

type gapEntry struct {
	Start  string `json:"start_time,omitempty"`
	End    string `json:"end_time,omitempty"`
	Reason string `json:"reason"`
}

func sourceName(source parleyv1.Source) string { return strings.TrimPrefix(source.String(), "SOURCE_") }

// entryOf returns the line of a user.
func entryOf(user *parleyv1.UserSummary) userEntry {
	entry := userEntry{
		User: dataset.UserID(user.GetUser()), State: strings.TrimPrefix(user.GetState().String(), "USER_STATE_"),
		Complete: user.GetComplete(), Reason: user.GetReason(), Sources: []sourceEntry{},
	}
	for _, report := range user.GetSources() {
		source := sourceEntry{
			Source: sourceName(report.GetSource()), State: strings.TrimPrefix(report.GetState().String(), "SOURCE_STATE_"),
			Reason: report.GetReason(), Events: report.GetCounts().GetEvents(),
		}
		if at := report.GetSettledUntil(); at != nil {
			source.SettledUntil = at.AsTime().Format(time.RFC3339Nano)
		}
		for _, gap := range report.GetGaps() {
			source.Gaps = append(source.Gaps, gapOf(gap))
		}
		entry.Sources = append(entry.Sources, source)
	}
	return entry
}

func gapOf(gap *parleyv1.Gap) gapEntry {
	entry := gapEntry{Reason: gap.GetReason()}
	if at := gap.GetInterval().GetStartTime(); at != nil {
		entry.Start = at.AsTime().Format(time.RFC3339Nano)
	}
	if at := gap.GetInterval().GetEndTime(); at != nil {
		entry.End = at.AsTime().Format(time.RFC3339Nano)
	}
	return entry
}

// tally counts users by state, and by the reasons for which something of them is missing.
type tally struct {
	counts             Counts
	refusals, failures map[Failures]int64
	coverage           map[string][]string
}

func newTally() *tally {
	return &tally{refusals: map[Failures]int64{}, failures: map[Failures]int64{}, coverage: map[string][]string{}}
}

// add counts a user. Reasons of a user who is incomplete are failures, which another run may mend; those of all others are refusals.
func (t *tally) add(user *parleyv1.UserSummary, entry userEntry) {
	t.counts.Users++
	into := t.refusals
	switch user.GetState() {
	case parleyv1.UserState_USER_STATE_REFUSED:
		t.counts.UsersRefused++
	case parleyv1.UserState_USER_STATE_INCOMPLETE:
		t.counts.UsersIncomplete++
		into = t.failures
	default:
		t.counts.UsersRead++
	}
	found := map[Failures]struct{}{}
	for i, source := range entry.Sources {
		for _, gap := range user.GetSources()[i].GetCoverageGaps() {
			name := strings.TrimPrefix(gap.String(), "COVERAGE_GAP_")
			if !slices.Contains(t.coverage[source.Source], name) {
				t.coverage[source.Source] = append(t.coverage[source.Source], name)
			}
		}
		if source.Reason != "" && user.GetState() != parleyv1.UserState_USER_STATE_READ { // what does not apply to a user is no refusal
			found[Failures{Reason: source.Reason, Source: source.Source}] = struct{}{}
		}
		for _, gap := range source.Gaps {
			found[Failures{Reason: gap.Reason, Source: source.Source}] = struct{}{}
		}
	}
	if len(found) == 0 && entry.Reason != "" {
		found[Failures{Reason: entry.Reason}] = struct{}{}
	}
	for failure := range found {
		into[failure]++
	}
}

// sortedFailures returns the counted reasons, those with most users first.
func sortedFailures(counts map[Failures]int64) []Failures {
	out := make([]Failures, 0, len(counts))
	for failure, users := range counts {
		failure.Users = users
		out = append(out, failure)
	}
	slices.SortFunc(out, func(a, b Failures) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Source, b.Source))
	})
	return out
}

// outcome returns the outcome of all counted users; doubtful says that they lack more than their summaries tell. A user who was read may have refusals, too: gaps for reasons that last. Coverage gaps do
// not count, since a source has such data of nobody.
func (t *tally) outcome(doubtful bool) string {
	switch {
	case t.counts.UsersIncomplete > 0 || doubtful:
		return incomplete
	case len(t.refusals) > 0 || t.counts.UsersRefused > 0:
		return withRefusals
	default:
		return complete
	}
}

// merge adds another shard's manifest to m. Either may lack maps and times: a shard without users has none, and manifests may be older or made by hand.
func (m *Manifest) merge(other *Manifest) {
	m.Counts.add(other.Counts)
	m.SettledUntil = orEmpty(m.SettledUntil)
	for source, at := range other.SettledUntil {
		if m.SettledUntil[source] == "" || earlier(at, m.SettledUntil[source]) {
			m.SettledUntil[source] = at
		}
	}
	m.Coverage = orEmpty(m.Coverage)
	for source, gaps := range other.Coverage {
		for _, gap := range gaps {
			if !slices.Contains(m.Coverage[source], gap) {
				m.Coverage[source] = append(m.Coverage[source], gap)
			}
		}
	}
	m.Refusals = mergeFailures(m.Refusals, other.Refusals)
	m.Failures = mergeFailures(m.Failures, other.Failures)
	for _, notice := range other.Notices {
		if !slices.Contains(m.Notices, notice) {
			m.Notices = append(m.Notices, notice)
		}
	}
	m.Files = append(m.Files, other.Files...)
	if m.StartedAt == "" || other.StartedAt != "" && other.StartedAt < m.StartedAt {
		m.StartedAt = other.StartedAt
	}
	m.EndedAt = max(m.EndedAt, other.EndedAt)
	m.Outcome = worst(m.Outcome, other.Outcome)
}

// add adds the counts of another shard.
func (c *Counts) add(other Counts) {
	c.Users += other.Users
	c.UsersRead += other.UsersRead
	c.UsersRefused += other.UsersRefused
	c.UsersIncomplete += other.UsersIncomplete
	c.GraphRequests += other.GraphRequests
	c.Rows = orEmpty(c.Rows)
	for name, rows := range other.Rows {
		c.Rows[name] += rows
	}
}

// orEmpty returns a map, or an empty one in place of nil.
func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// worst returns the worse one of two outcomes. One that is not known may hide that something is missing: it counts as incomplete.
func worst(a, b string) string {
	good := []string{complete, withRefusals}
	switch {
	case !slices.Contains(good, a) || !slices.Contains(good, b):
		return incomplete
	case a == complete:
		return b
	default:
		return a
	}
}

// mergeFailures adds up the users of two lists by reason and source.
func mergeFailures(a, b []Failures) []Failures {
	counts := map[Failures]int64{}
	for _, failures := range append(slices.Clone(a), b...) {
		users := failures.Users
		failures.Users = 0
		counts[failures] += users
	}
	return sortedFailures(counts)
}
