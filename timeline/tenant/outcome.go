package tenant

import (
	"cmp"
	"errors"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
)

// maxNames is how many users a summary names.
const maxNames = 1000

// Tally counts the users that are finished, in the position of the walk. The position goes into tokens; the names do not.
type Tally struct {
	*cursor.Tenant

	refused, incomplete []string
}

// Summarize returns the summary of a user, and the reasons why something is missing. err is what ended the reading early; nil = nothing did.
// A *failure.Error is of the sources, whose reports say the same; any other error is the gateway's fault, and no report tells of it.
func Summarize(name string, err error, complete bool, reports []*parleyv1.SourceReport) (*parleyv1.UserSummary, []cursor.Missing) {
	summary := &parleyv1.UserSummary{User: name, State: parleyv1.UserState_USER_STATE_READ, Complete: complete, Sources: reports}
	var missing []cursor.Missing
	for _, report := range reports {
		if one, ok := missingOf(report); ok {
			missing = append(missing, one)
		}
	}
	if _, ofSources := errors.AsType[*failure.Error](err); err != nil && (!ofSources || len(missing) == 0) {
		missing = append(missing, cursor.Missing{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED, Count: 1})
	}
	for _, one := range missing {
		switch {
		case !one.Lasting:
			if summary.GetState() != parleyv1.UserState_USER_STATE_INCOMPLETE {
				summary.State, summary.Reason = parleyv1.UserState_USER_STATE_INCOMPLETE, reasons.Text(one.Reason)
			}
		case isRetentionGap(one.Reason): // nothing is refused to this user
		case summary.GetState() == parleyv1.UserState_USER_STATE_READ:
			summary.State, summary.Reason = parleyv1.UserState_USER_STATE_REFUSED, reasons.Text(one.Reason)
		}
	}
	return summary, missing
}

// missingOf returns why something of a source is missing. A reason that reading again may end comes before one that lasts.
func missingOf(report *parleyv1.SourceReport) (cursor.Missing, bool) {
	found := cursor.Missing{Source: report.GetSource(), Count: 1}
	if report.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
		found.Reason = reasons.Parse(report.GetReason())
		found.Lasting = refuses(report)
		return found, report.GetState() != parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE
	}
	doubtful := false
	for _, gap := range report.GetGaps() {
		reason := reasons.Parse(gap.GetReason())
		if !doubtful || found.Lasting && !lasts(reason) || isRetentionGap(found.Reason) {
			found.Reason, found.Lasting, doubtful = reason, lasts(reason), true
		}
	}
	return found, doubtful
}

// refuses reports whether a source that was not read will not be read by asking again either: the user has no licence or is not in the
// directory any more, or the cloud lacks the source. What concerns the whole tenant, such as a permission, does not last.
func refuses(report *parleyv1.SourceReport) bool {
	switch report.GetState() {
	case parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD:
		return true
	default:
		return reasons.Parse(report.GetReason()) == parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND
	}
}

// lasts reports whether a gap stays when its span is read again.
func lasts(reason parleyv1.ErrorReason) bool {
	return isRetentionGap(reason) || reason == parleyv1.ErrorReason_ERROR_REASON_AMBIGUOUS_ID
}

// isRetentionGap reports whether a gap is the same for every user, because the source keeps nothing of that time.
func isRetentionGap(reason parleyv1.ErrorReason) bool {
	return reason == parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT
}

// EndsWalk reports whether a reason for which nothing of a user could be read holds for every other user as well.
func EndsWalk(reason parleyv1.ErrorReason) bool {
	switch reason {
	case parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED, parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED,
		parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED, parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT:
		return true
	default:
		return false
	}
}

// RefusedToAll reports whether Graph refused all that it was asked about a user, for reasons that hold for every other user and source as
// well. Calls that the index of the tenant's calls has need no request: they are no answer of Graph.
func RefusedToAll(reports []*parleyv1.SourceReport) bool {
	refused := false
	for _, report := range reports {
		switch report.GetState() {
		case parleyv1.SourceState_SOURCE_STATE_READ:
			if report.GetSource() != parleyv1.Source_SOURCE_CALL || report.GetCounts().GetGraphRequests() > 0 {
				return false
			}
		case parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE, parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD:
		default:
			switch reasons.Parse(report.GetReason()) {
			case parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED, parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT:
				refused = true
			default:
				return false
			}
		}
	}
	return refused
}

// Finish counts a finished user.
func (t *Tally) Finish(user *parleyv1.UserSummary, missing []cursor.Missing) {
	switch user.GetState() {
	case parleyv1.UserState_USER_STATE_REFUSED:
		t.Refused++
		t.refused = t.name(t.refused, user.GetUser())
	case parleyv1.UserState_USER_STATE_INCOMPLETE:
		t.Incomplete++
		t.incomplete = t.name(t.incomplete, user.GetUser())
	default:
		t.Read++
	}
	for _, one := range missing {
		t.AddMissing(one)
	}
	for i, report := range user.GetSources() {
		if i < len(t.Totals) {
			add(&t.Totals[i], report)
		}
	}
}

// name adds the name of a user, as long as there is room.
func (t *Tally) name(names []string, name string) []string {
	if len(t.refused)+len(t.incomplete) >= maxNames {
		return names
	}
	return append(names, name)
}

// add adds the counts of a user's source.
func add(total *cursor.Total, report *parleyv1.SourceReport) {
	c, counts := &total.Counts, report.GetCounts()
	c.Events += counts.GetEvents()
	c.Duplicates += counts.GetDuplicates()
	c.OutOfWindow += counts.GetOutOfWindow()
	c.LeftOut += counts.GetLeftOut()
	c.Pages += counts.GetPages()
	c.FromCache += counts.GetFromCache()
	c.Requests += counts.GetGraphRequests()
	if report.GetSettledUntil() == nil {
		return
	}
	if settled := report.GetSettledUntil().AsTime(); total.Settled.IsZero() || settled.Before(total.Settled) {
		total.Settled = settled
	}
}

// Ended is how many users are finished.
func (t *Tally) Ended() int64 { return t.Read + t.Refused + t.Incomplete }

// Summary is the summary of the whole, without notices and token; sources are the asked ones.
func (t *Tally) Summary(sources []parleyv1.Source) *parleyv1.TenantSummary {
	summary := &parleyv1.TenantSummary{
		Outcome:   parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE,
		UsersRead: t.Read, UsersRefused: t.Refused, UsersIncomplete: t.Incomplete,
		IncompleteUsers: t.incomplete, RefusedUsers: t.refused,
	}
	switch {
	case t.Incomplete > 0 || t.DoubtfulUsers:
		summary.Outcome = parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE
	case t.Refused > 0 || slices.ContainsFunc(t.Missing, func(m cursor.Missing) bool { return m.Lasting }):
		summary.Outcome = parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS
	}
	summary.Complete = summary.GetOutcome() == parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE
	for _, missing := range t.sortedMissing() {
		failures := &parleyv1.UserFailures{Reason: reasons.Text(missing.Reason), Source: missing.Source, Count: missing.Count}
		if missing.Lasting {
			summary.Refusals = append(summary.Refusals, failures)
		} else {
			summary.Failures = append(summary.Failures, failures)
		}
	}
	for i, src := range sources {
		summary.Sources = append(summary.Sources, reportOf(src, &t.Totals[i]))
	}
	return summary
}

// sortedMissing returns the reasons, most users first.
func (t *Tally) sortedMissing() []cursor.Missing {
	return slices.SortedFunc(slices.Values(t.Missing), func(a, b cursor.Missing) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Source, b.Source))
	})
}

// reportOf is what was read of one source.
func reportOf(src parleyv1.Source, total *cursor.Total) *parleyv1.TenantSourceReport {
	c := &total.Counts
	report := &parleyv1.TenantSourceReport{Source: src, Counts: &parleyv1.SourceCounts{
		Events: c.Events, Pages: c.Pages, Duplicates: c.Duplicates,
		OutOfWindow: c.OutOfWindow, LeftOut: c.LeftOut, FromCache: c.FromCache, GraphRequests: c.Requests,
	}}
	if !total.Settled.IsZero() {
		report.SettledUntil = timestamppb.New(total.Settled)
	}
	return report
}
