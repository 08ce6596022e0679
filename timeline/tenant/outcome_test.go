package tenant_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/tenant"
)

// TestGapsOfAUserDecideTheOutcome judges users whose calls have gaps, and what that means for the whole.
func TestGapsOfAUserDecideTheOutcome(t *testing.T) {
	t.Parallel()
	const (
		read, refused, incomplete = parleyv1.UserState_USER_STATE_READ, parleyv1.UserState_USER_STATE_REFUSED, parleyv1.UserState_USER_STATE_INCOMPLETE

		whole       = parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE
		withoutSome = parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS
		unfinished  = parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE
	)
	for name, test := range map[string]struct {
		gaps    []string
		state   parleyv1.UserState
		reason  string
		outcome parleyv1.TenantOutcome
		told    string // reason of the whole
	}{
		"none":                        {nil, read, "", whole, ""},
		"not kept":                    {[]string{"START_BEFORE_KEPT"}, read, "", withoutSome, "START_BEFORE_KEPT"},
		"not kept, and ambiguous":     {[]string{"START_BEFORE_KEPT", "AMBIGUOUS_ID"}, refused, "AMBIGUOUS_ID", withoutSome, "AMBIGUOUS_ID"},
		"not kept, and not answered":  {[]string{"START_BEFORE_KEPT", "GRAPH_UNAVAILABLE"}, incomplete, "GRAPH_UNAVAILABLE", unfinished, "GRAPH_UNAVAILABLE"},
		"ambiguous, and not answered": {[]string{"AMBIGUOUS_ID", "GRAPH_UNAVAILABLE", "START_BEFORE_KEPT"}, incomplete, "GRAPH_UNAVAILABLE", unfinished, "GRAPH_UNAVAILABLE"},
	} {
		report := &parleyv1.SourceReport{Source: parleyv1.Source_SOURCE_CALL, State: parleyv1.SourceState_SOURCE_STATE_READ, SettledUntil: timestamppb.Now()}
		for _, reason := range test.gaps {
			report.Gaps = append(report.Gaps, &parleyv1.Gap{Reason: reason})
		}
		user, missing := tenant.Summarize("users/a", nil, len(test.gaps) == 0, []*parleyv1.SourceReport{report})
		if user.GetState() != test.state || user.GetReason() != test.reason || user.GetComplete() != (len(test.gaps) == 0) {
			t.Errorf("%s: %v", name, user)
		}
		tally := tenant.Tally{Tenant: &cursor.Tenant{Totals: make([]cursor.Total, 1)}}
		for range 3 {
			tally.Finish(user, missing)
		}
		got, told := tally.Summary([]parleyv1.Source{parleyv1.Source_SOURCE_CALL}), ""
		for _, failures := range append(got.GetRefusals(), got.GetFailures()...) {
			if told += failures.GetReason(); failures.GetCount() != 3 || failures.GetSource() != parleyv1.Source_SOURCE_CALL {
				t.Errorf("%s: %v", name, failures)
			}
		}
		if got.GetOutcome() != test.outcome || told != test.told || got.GetComplete() != (test.outcome == whole) {
			t.Errorf("%s: %v", name, got)
		}
		if n := got.GetUsersRead(); (n == 3) != (test.state == read) || len(got.GetRefusedUsers())+len(got.GetIncompleteUsers())+int(n) != 3 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAFaultOfTheGatewayIsNotHiddenByARefusal: whatever the reports of the sources say, a user whose reading broke in the gateway is incomplete.
func TestAFaultOfTheGatewayIsNotHiddenByARefusal(t *testing.T) {
	t.Parallel()
	const read, refusedForUser = parleyv1.SourceState_SOURCE_STATE_READ, parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER
	gone := &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND, Source: parleyv1.Source_SOURCE_CHAT}
	for name, test := range map[string]struct {
		err    error
		report *parleyv1.SourceReport
		state  parleyv1.UserState
		reason string
	}{
		"nothing else missing": {errors.New("broke"), &parleyv1.SourceReport{State: read}, parleyv1.UserState_USER_STATE_INCOMPLETE, "SOURCE_FAILED"},
		"a source refused": {
			errors.New("broke"), &parleyv1.SourceReport{State: refusedForUser, Reason: "USER_NOT_LICENSED"}, parleyv1.UserState_USER_STATE_INCOMPLETE, "SOURCE_FAILED",
		},
		"a gap that lasts": {
			errors.New("broke"), &parleyv1.SourceReport{State: read, Gaps: []*parleyv1.Gap{{Reason: "START_BEFORE_KEPT"}}}, parleyv1.UserState_USER_STATE_INCOMPLETE,
			"SOURCE_FAILED",
		},
		"the sources' own error": {gone, &parleyv1.SourceReport{State: parleyv1.SourceState_SOURCE_STATE_FAILED, Reason: "NOT_FOUND"}, parleyv1.UserState_USER_STATE_REFUSED, "NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, missing := tenant.Summarize("users/a", test.err, false, []*parleyv1.SourceReport{test.report})
			if user.GetState() != test.state || user.GetReason() != test.reason {
				t.Errorf("%v, want %v for %s", user, test.state, test.reason)
			}
			tally := tenant.Tally{Tenant: &cursor.Tenant{Totals: make([]cursor.Total, 1)}}
			tally.Finish(user, missing)
			got := tally.Summary([]parleyv1.Source{parleyv1.Source_SOURCE_CALL})
			if incomplete := got.GetOutcome() == parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE; incomplete != (test.state == parleyv1.UserState_USER_STATE_INCOMPLETE) {
				t.Errorf("%v", got)
			}
		})
	}
}
