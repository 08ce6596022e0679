package export

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/frames"
	"github.com/parley-gateway/parley/export/internal/journal"
)

// readLegs reads what is left of the legs.
func (e *Exporter) readLegs(ctx context.Context) error {
	legs, err := e.legs()
	if err != nil {
		return err
	}
	state := &e.journal.State
	for state.Leg < len(legs) {
		if err := e.readLeg(ctx, legs[state.Leg]); err != nil {
			return err
		}
	}
	state.Read = true
	return e.journal.Commit()
}

// request returns the request for a leg: over the users of ids, or over the selection of the options if ids is nil.
func (e *Exporter) request(ids []string) *parleyv1.StreamTenantEventsRequest {
	request := &parleyv1.StreamTenantEventsRequest{
		StartTime: timestamppb.New(e.options.Start), EndTime: timestamppb.New(e.options.End),
		Sources: e.options.Sources, View: e.options.View, Deduplicate: e.options.Deduplicate,
	}
	if ids != nil {
		for _, id := range ids {
			request.UserIds = append(request.UserIds, dataset.UserID(id))
		}
		return request
	}
	request.Users = e.options.Users
	if e.options.Shards > 1 {
		request.Shard = &parleyv1.Shard{Index: int32(e.options.Shard), Count: int32(e.options.Shards)}
	}
	return request
}

// readLeg reads one stream to its summary. Each connection begins at the last commit: what was appended since is rolled back. It
// returns the error of the stream, as the client helper does, or one of the state folder.
func (e *Exporter) readLeg(ctx context.Context, ids []string) error {
	state := &e.journal.State
	request := e.request(ids)
	var notices []*parleyv1.Notice // since the last checkpoint
	options := e.options.Stream
	options.Memory = -1 // e.seen drops what comes twice
	options.OnCheckpoint = func(ctx context.Context, checkpoint *parleyv1.Checkpoint) error {
		state.Token = checkpoint.GetResumeToken()
		e.keepNotices(notices)
		notices = nil
		if err := e.journal.Commit(); err != nil {
			return err
		}
		if e.journal.Spooled() < e.options.SpoolBytes {
			return nil
		}
		return e.flush(ctx)
	}
	options.OnNotice = func(notice *parleyv1.Notice) {
		e.progress.setWaiting(notice.GetCode())
		notices = append(notices, notice)
	}
	stream := parleyclient.New(parleyclient.Method[*frames.Frame, *frames.Frame]{
		Open: func(ctx context.Context, _ string) (parleyclient.Receiver[*frames.Frame], error) {
			if err := errors.Join(e.journal.Rollback(), e.seen.load(e.journal, e.options.Deduplicate)); err != nil {
				return nil, err
			}
			notices = nil
			request.ResumeToken = state.Token
			stream, err := frames.Open(ctx, e.conn, request)
			if err != nil {
				e.progress.setFailed(err)
				return nil, err
			}
			return watched{stream, &e.progress}, nil
		},
		Items: e.items,
	}, state.Token, options)
	e.summary = nil
	for next, err := range stream.All(ctx) {
		if err != nil {
			return err
		}
		if err := e.journalFrame(next); err != nil {
			return err
		}
	}
	return e.endLeg()
}

// watched is a stream that notes its failures in the progress of the run. The client helper sees them, too, and opens another stream.
type watched struct {
	parleyclient.Receiver[*frames.Frame]

	progress *progress
}

// Recv returns the next frame.
func (w watched) Recv() (*frames.Frame, error) {
	next, err := w.Receiver.Recv()
	if err != nil {
		w.progress.setFailed(err)
	}
	return next, err
}

// items returns the frames that go into the journal. From the others it takes the progress of the run and the summary of the leg.
func (e *Exporter) items(f *frames.Frame) []*frames.Frame {
	switch next := f.GetFrame().(type) {
	case nil, *parleyv1.StreamTenantEventsResponse_Batch, *parleyv1.StreamTenantEventsResponse_Copies, *parleyv1.StreamTenantEventsResponse_User:
		return []*frames.Frame{f}
	case *parleyv1.StreamTenantEventsResponse_Checkpoint:
		e.progress.setCheckpoint(next.Checkpoint)
	case *parleyv1.StreamTenantEventsResponse_Summary:
		e.summary = next.Summary
	}
	return nil
}

// journalFrame appends a frame to the journal, without the events that are in it already.
func (e *Exporter) journalFrame(f *frames.Frame) error {
	defer f.Release()
	if f.Batch != nil {
		return e.journalEvents(f.Batch)
	}
	switch next := f.GetFrame().(type) {
	case *parleyv1.StreamTenantEventsResponse_Batch: // with something beside it that is not known here
		wire, err := proto.Marshal(batchFrame(next.Batch.GetEvents()))
		if err != nil {
			return err
		}
		return e.journalEvents(wire)
	case *parleyv1.StreamTenantEventsResponse_Copies:
		return e.journalCopies(next.Copies.GetCopies())
	case *parleyv1.StreamTenantEventsResponse_User:
		e.seen.forget(next.User.GetUser())
		e.progress.addUser()
		return errors.Join(e.journal.Append(f.StreamTenantEventsResponse), e.journal.AppendUser(next.User))
	}
	return nil
}

// journalEvents appends a batch in its wire format: as it is, unless some of its events are in the journal already.
func (e *Exporter) journalEvents(wire []byte) error {
	events, err := frames.Events(e.batch[:0], wire)
	if err != nil {
		return err
	}
	e.batch = events
	kept := e.kept[:0]
	fresh := 0
	var copies []*parleyv1.EventCopy
	for _, event := range events {
		key := journal.KeyOf(event.Owner, event.UID, event.Version)
		switch {
		case e.seen.hasOwned(key): // it comes again: a prompt or an answer is kept for the other part of its turn
			part, err := e.turnPartOf(event.Wire)
			if err != nil {
				return err
			}
			if part != nil {
				kept = append(kept, part)
			}
		case e.options.Deduplicate && e.seen.hasAny(key): // another user has it
			whole := new(parleyv1.Event)
			if err := proto.Unmarshal(event.Wire, whole); err != nil {
				return err
			}
			copies = append(copies, &parleyv1.EventCopy{Name: whole.GetName(), Uid: whole.GetUid()})
		default:
			e.seen.add(key)
			if err := e.journal.AppendKey(key); err != nil {
				return err
			}
			kept = append(kept, event.Wire)
			fresh++
		}
	}
	e.kept = kept
	e.progress.addEvents(fresh)
	switch {
	case fresh == len(events):
		return e.journal.AppendWire(wire)
	case len(kept) > 0:
		err = e.journal.AppendWire(frames.AppendBatch(nil, kept))
	}
	return errors.Join(err, e.journalCopies(copies))
}

// turnPartOf returns the part of an event that a turn needs, in the wire format; nil = the event is no part of a turn.
func (e *Exporter) turnPartOf(event []byte) ([]byte, error) {
	if err := e.reader.Read(event); err != nil {
		return nil, err
	}
	part := e.reader.TurnPart()
	if part == nil {
		return nil, nil
	}
	return proto.Marshal(part)
}

// journalCopies appends the copies that are not in the journal already.
func (e *Exporter) journalCopies(copies []*parleyv1.EventCopy) error {
	var kept []*parleyv1.EventCopy
	for _, c := range copies {
		// A copy is known by its owner and uid, and has no version.
		key := journal.KeyOf("users/"+dataset.UserID(c.GetName()), c.GetUid(), -1)
		if e.seen.hasOwned(key) {
			continue
		}
		e.seen.add(key)
		if err := e.journal.AppendKey(key); err != nil {
			return err
		}
		kept = append(kept, c)
	}
	if len(kept) == 0 {
		return nil
	}
	return e.journal.Append(&parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_Copies{Copies: &parleyv1.EventCopies{Copies: kept}}})
}

// batchFrame returns a frame of events.
func batchFrame(events []*parleyv1.Event) *parleyv1.StreamTenantEventsResponse {
	return &parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_Batch{Batch: &parleyv1.EventBatch{Events: events}}}
}

// endCut is the code of the notice that the interval was not over, so that the gateway read it up to its present.
const endCut = "END_CUT_TO_NOW"

// keepNotices keeps what a resumed stream does not say again: that the list of users may lack some, and that the interval was not over.
func (e *Exporter) keepNotices(notices []*parleyv1.Notice) {
	state := &e.journal.State
	for _, notice := range notices {
		directory, cut := notice.GetSource() == parleyv1.Source_SOURCE_USER, notice.GetCode() == endCut
		state.DirectoryNotice = state.DirectoryNotice || directory
		state.EndCut = state.EndCut || cut
		if directory || cut {
			e.addNotice(notice.GetCode(), notice.GetMessage())
		}
	}
}

// endLeg notes the summary of a stream and goes on to the next leg.
func (e *Exporter) endLeg() error {
	state, summary := &e.journal.State, e.summary
	e.keepNotices(summary.GetNotices())
	for _, notice := range summary.GetNotices() {
		e.addNotice(notice.GetCode(), notice.GetMessage())
	}
	state.ListIncomplete = state.ListIncomplete || listIncomplete(summary, state.DirectoryNotice)
	state.DirectoryNotice = false
	for _, report := range summary.GetSources() {
		state.GraphRequests += report.GetCounts().GetGraphRequests()
		if at := report.GetSettledUntil(); at != nil {
			name := sourceName(report.GetSource())
			if text := at.AsTime().Format(time.RFC3339Nano); state.SettledUntil[name] == "" || earlier(text, state.SettledUntil[name]) {
				state.SettledUntil[name] = text
			}
		}
	}
	e.progress.setCommitted(state)
	state.Leg++
	state.Token = ""
	return e.journal.Commit()
}

// listIncomplete reports whether a stream missed users: its outcome is incomplete, and no user is, or there was a notice about the directory.
func listIncomplete(summary *parleyv1.TenantSummary, directoryNotice bool) bool {
	return summary.GetOutcome() == parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE && (summary.GetUsersIncomplete() == 0 || directoryNotice)
}

// earlier reports whether a is before b; false if one of them is no time in RFC 3339.
func earlier(a, b string) bool {
	left, errLeft := time.Parse(time.RFC3339Nano, a)
	right, errRight := time.Parse(time.RFC3339Nano, b)
	return errLeft == nil && errRight == nil && left.Before(right)
}
