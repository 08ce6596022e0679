package timeline_test

import (
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestMissingPlanIsNotApplicable checks what a plan that the directory does not show means for a reading, and for the walk that goes on from its tokens.
func TestMissingPlanIsNotApplicable(t *testing.T) {
	t.Parallel()
	const (
		notApplicable = parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE
		refused       = parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER
		failed        = parleyv1.SourceState_SOURCE_STATE_FAILED
		read          = parleyv1.SourceState_SOURCE_STATE_READ
	)
	tests := map[string]struct {
		plan     source.CopilotPlan
		fault    error
		state    parleyv1.SourceState
		asked    bool
		events   int // of Copilot
		complete bool
	}{
		"nobody looked":             {source.PlanUnchecked, nil, read, true, 5, true},
		"nobody looked, refused":    {source.PlanUnchecked, fail(graph.KindUserRefused), refused, true, 0, false},
		"no plan":                   {source.PlanMissing, nil, notApplicable, false, 0, true},
		"no plan, asked, a history": {source.PlanMissingAsked, nil, read, true, 5, true},
		"no plan, asked, refused":   {source.PlanMissingAsked, fail(graph.KindUserRefused), notApplicable, true, 0, true},
		"no plan, asked, unlicensed": {
			source.PlanMissingAsked, fail(graph.KindUserNotLicensed), notApplicable, true, 0, true,
		},
		"no plan, asked, down": {source.PlanMissingAsked, fail(graph.KindUnavailable), failed, true, 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start, end := base()
			ai := &fakeGraph{src: copilot, size: 10, rows: spread("p", 5, start, end)}
			if test.fault != nil {
				ai.hook = func(int, source.EventQuery, string, *page) (*page, error) { return nil, test.fault }
			}
			messages := &fakeGraph{src: chat, size: 10, rows: spread("m", 25, start, end)}
			e := newEngine(t, timeline.Config{})
			req := query.Events{User: "u", Sources: []parleyv1.Source{copilot, chat}, Start: start, End: end, Plan: test.plan}
			r := stream(t, e, sources(ai, messages), req, "")
			got := report(r.summary.GetSources(), copilot)
			if got.GetState() != test.state || r.summary.GetComplete() != test.complete || len(r.events) != 25+test.events {
				t.Errorf("%d events, complete %v, report %v", len(r.events), r.summary.GetComplete(), got)
			}
			if asked := ai.requests() > 0; asked != test.asked {
				t.Errorf("%d requests", ai.requests())
			}
			if test.state == notApplicable && (got.GetReason() != "" || len(got.GetGaps()) > 0 || len(r.notices) > 0) {
				t.Errorf("report %v, notices %v", got, r.notices)
			}
			resumed := stream(t, e, sources(ai, messages), req, r.tokens[0])
			if state := report(resumed.summary.GetSources(), copilot).GetState(); state != test.state || resumed.summary.GetComplete() != test.complete {
				t.Errorf("resumed: complete %v, state %v", resumed.summary.GetComplete(), state)
			}

			req.Sources = []parleyv1.Source{copilot}
			if test.complete {
				if r := stream(t, e, sources(ai), req, ""); !r.summary.GetComplete() || len(r.events) != test.events {
					t.Errorf("alone: %d events, %v", len(r.events), r.summary)
				}
			}
		})
	}
}

// TestWalkGoesOnOnceTheUserHasAPlan checks that a walk over a source which did not apply goes on with it once the user has a plan.
func TestWalkGoesOnOnceTheUserHasAPlan(t *testing.T) {
	t.Parallel()
	start, end := base()
	ai := &fakeGraph{src: copilot, size: 10, rows: spread("p", 5, start, end)}
	messages := &fakeGraph{src: chat, size: 10, rows: spread("m", 5, start, end)}
	e := newEngine(t, timeline.Config{})
	req := query.Events{User: "u", Sources: []parleyv1.Source{copilot, chat}, Start: start, Plan: source.PlanMissing}
	first := stream(t, e, sources(ai, messages), req, "")
	if !first.summary.GetComplete() || ai.requests() > 0 {
		t.Fatalf("%d requests, %v", ai.requests(), first.summary)
	}
	req.Plan = source.PlanUnchecked
	next := stream(t, e, sources(ai, messages), req, first.summary.GetResumeToken())
	if got := report(next.summary.GetSources(), copilot); !next.summary.GetComplete() || got.GetState() != parleyv1.SourceState_SOURCE_STATE_READ || ai.requests() == 0 {
		t.Errorf("%d requests, %v", ai.requests(), next.summary)
	}
}
