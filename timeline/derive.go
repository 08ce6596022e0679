package timeline

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/pager"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// Reading is what was read of one source for a derived conversation.
type Reading struct {
	// Source is the source.
	Source parleyv1.Source
	// Complete says that all of it was read without a doubt.
	Complete bool
	// Report is the report of the source; of a source that could not be read its state and reason.
	Report *parleyv1.SourceReport
	// Notices are the notices about the source.
	Notices []*parleyv1.Notice
	// Err is why the source could not be read; nil = it was.
	Err error
	// EndedEarly says that the reading was stopped before the beginning of the interval; everything after Reached was read.
	EndedEarly bool
	Reached    time.Time
}

// LastEvent returns the last event of a query for one source, and nil when there is none. It reads back from the end of the interval,
// and no further than the event. Everything that there is was read, or the error is that of the context.
func (e *Engine) LastEvent(ctx context.Context, sources query.Sources, req query.Events) (*parleyv1.Event, *Reading, error) {
	req.OrderBy = query.EventTimeDesc
	var last *parleyv1.Event
	reading, err := e.each(ctx, sources, req, 1, func(_ parleyv1.Source, m *merge.Merger) (bool, error) {
		var err error
		last, err = m.Head().Event()
		return false, err
	})
	return last, reading, err
}

// Describe adds the events of the query's conversation in one source to the groups. It reads back from the end. Of a long history it
// stops after most events of the user, but not before it has found the conversation, unless its life is known; and when the context
// ends. Such a reading has ended early. most = 0 reads on to the beginning.
func (e *Engine) Describe(ctx context.Context, sources query.Sources, req query.Events, most int, into *derived.Groups) (*Reading, error) {
	req.OrderBy = query.EventTimeDesc
	name := resource.AppendConversation(nil, req.Owner, req.Conversation)
	if most > 0 {
		req.Conversation = "" // every event of the user counts
	}
	known := req.Lifetime != window.Span{}
	reached, passed, found, early := time.Now(), 0, false, false
	reading, err := e.each(ctx, sources, req, e.cfg.WindowsAtOnce, func(src parleyv1.Source, m *merge.Merger) (bool, error) {
		head := m.Head()
		passed++
		if !head.OutOfWindow && head.Time.Before(reached) {
			reached = head.Time
		}
		if m.InInterval(head.Time) && bytes.Equal(eventwire.Field(head.Basic, eventwire.EventConversation), name) {
			into.Add(src, head.Time, head.Basic)
			found = true
		}
		early = most > 0 && passed >= most && (found || known)
		return !early, nil
	})
	switch {
	case err != nil && ctx.Err() == nil:
		return nil, err
	case err != nil:
		reading = &Reading{Source: req.Sources[0], Err: ctx.Err()}
		early = true
	case reading.Err != nil: // it stopped on the way, or Graph may answer another time
		early = passed > 0 || reading.Report.GetState() == parleyv1.SourceState_SOURCE_STATE_THROTTLED
	}
	if early {
		reading.EndedEarly, reading.Complete, reading.Reached = true, false, reached
	}
	return reading, nil
}

// summarize adds the events of a query for one source to the groups of their conversations.
func (e *Engine) summarize(ctx context.Context, sources query.Sources, req query.Events, into *derived.Groups) (*Reading, error) {
	return e.each(ctx, sources, req, e.cfg.WindowsAtOnce, func(src parleyv1.Source, m *merge.Merger) (bool, error) {
		head := m.Head()
		if !m.InInterval(head.Time) {
			return true, nil // a row out of its window belongs to no interval that was asked for
		}
		into.Add(src, head.Time, head.Basic)
		return true, nil
	})
}

// each calls visit for every event of a query for one source, until it returns false. windowsAtOnce is how many windows are read
// at a time at first; the number doubles with each wait.
func (e *Engine) each(
	ctx context.Context, sources query.Sources, req query.Events, windowsAtOnce int, visit func(parleyv1.Source, *merge.Merger) (bool, error),
) (*Reading, error) {
	resolved, err := req.Resolve(sources)
	if err != nil {
		return nil, err
	}
	src := resolved.Sources[0]
	m, err := merge.Open(ctx, &e.merge, sources, &req, resolved, "", "page_token")
	if err != nil {
		return failedReading(&req, src, err)
	}
	defer m.Close()
	account, release := e.account(ctx)
	defer release()
	m.Limit(windowsAtOnce, usualStreamRows, account)
	for {
		switch m.Step() {
		case frame.Ready:
			more, err := visit(src, m)
			if err != nil || !more {
				return reading(src, m), err
			}
			if _, _, err := m.NextRun(1, 0); err != nil {
				return nil, err
			}
		case frame.Waiting:
			if err := m.Wait(ctx, nil); err != nil {
				return nil, err
			}
			windowsAtOnce = min(2*windowsAtOnce, e.cfg.WindowsAtOnce)
			m.SetWindowsAtOnce(windowsAtOnce)
		case frame.Ended:
			return reading(src, m), nil
		default:
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return failedReading(&req, src, m.Err())
		}
	}
}

// reading is what a merger has read of one source.
func reading(src parleyv1.Source, m *merge.Merger) *Reading {
	return &Reading{Source: src, Complete: m.Complete(), Report: m.Reports()[0], Notices: m.News()}
}

// failedReading is the reading of a source that could not be read. An error that is no failure of a source is returned as it is.
func failedReading(req *query.Events, src parleyv1.Source, err error) (*Reading, error) {
	failed, ok := errors.AsType[*failure.Error](err)
	if !ok || failed.Source != src {
		return nil, err
	}
	state := parleyv1.SourceState_SOURCE_STATE_FAILED
	if absent, ok := req.Unavailable[src]; ok {
		state = absent
	} else if failed.Err != nil {
		state = failure.Classify(failed.Err).State
	}
	notice := failure.Notice(src, failed.Reason, failed.Err)
	return &Reading{
		Source: src, Err: err,
		Report:  &parleyv1.SourceReport{Source: src, State: state, Reason: notice.GetCode(), Counts: &parleyv1.SourceCounts{}},
		Notices: []*parleyv1.Notice{notice},
	}, nil
}

// derive is the pager.Deriver of the engine. The sources are read at the same time.
func (e *Engine) derive(ctx context.Context, sources query.Sources, req *query.Conversations, end time.Time) (*pager.Derivation, error) {
	requested := req.Derived()
	readings := make([]*Reading, len(requested))
	groups := make([]derived.Groups, len(requested))
	group, ctx := errgroup.WithContext(ctx)
	for i, src := range requested {
		groups[i] = derived.Groups{Tenant: req.Tenant, Owner: req.Owner}
		group.Go(func() (err error) {
			readings[i], err = e.summarize(ctx, sources, req.Events(src, end), &groups[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found := &pager.Derivation{Complete: true}
	failures := 0
	for i, r := range readings {
		found.Complete = found.Complete && r.Complete
		found.Reports = append(found.Reports, r.Report)
		found.Notices = append(found.Notices, r.Notices...)
		if r.Err != nil {
			failures++
			found.Err = cmp.Or(found.Err, r.Err)
		}
		if i > 0 {
			groups[0].Join(&groups[i])
		}
	}
	if failures < len(requested) {
		found.Err = nil
	}
	found.Conversations = groups[0].Conversations()
	return found, nil
}
