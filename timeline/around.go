package timeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/query"
)

// PageAround is PageEvents for a List around an anchor. The first page holds events of both sides; each token goes on with one of them.
func (e *Engine) PageAround(ctx context.Context, sources query.Sources, req query.Events, at query.Anchor, token string, size int) (*Page, error) {
	size, err := frame.PageSize(size)
	if err != nil {
		return nil, err
	}
	older, newer, err := req.Around(sources, at)
	if err != nil {
		return nil, err
	}
	inTime, cancel := frame.ListContext(ctx, e.cfg.ListTime)
	defer cancel()
	around := &aroundPage{e: e, sources: sources}
	if token == "" {
		err = around.begin(inTime, &req, at, &older, &newer, size)
	} else {
		err = around.goOn(inTime, &older, &newer, token, size)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return around.page(), nil
}

// aroundPage reads one page around an anchor.
type aroundPage struct {
	e       *Engine
	sources query.Sources

	older, newer *sidePage // the sides that were read
	bytes        int       // of their events
	count        int       // number of their events
	bySource     SourceCounts
}

// sidePage is the part of a page that lies on one side of the anchor.
type sidePage struct {
	message *parleyv1.ListEventsResponse // its next page token leads away from the anchor
	events  []byte                       // in the asked order
	before  bool
	merger  *merge.Merger // closed
}

// begin reads both sides of the first page. The older one comes first: it tells how many events a time holds here, and so which time
// of the newer side holds the rest of the page.
func (p *aroundPage) begin(ctx context.Context, req *query.Events, at query.Anchor, older, newer *query.Side, size int) error {
	now := time.Now()
	split, err := req.SplitTime(at, now)
	if err != nil {
		return err
	}
	share := func(side *query.Side) int {
		if side.Before {
			return size / 2
		}
		return size - size/2
	}
	if older.EndAt(split) {
		if p.older, err = p.read(ctx, older, "", share(older), nil); err != nil {
			return err
		}
	}
	if newer.StartAt(split, now) {
		var beside *merge.Merger
		if p.older != nil {
			beside = p.older.merger
		}
		p.newer, err = p.read(ctx, newer, "", share(newer), beside)
	}
	return err
}

// goOn reads the next page of the side that a token belongs to.
func (p *aroundPage) goOn(ctx context.Context, older, newer *query.Side, token string, size int) (err error) {
	switch saved, opened := cursor.OpenEvents(p.e.merge.Sealer, token, older.Resolved.Digest[:]); {
	case opened == nil:
		older.End = saved.End
		p.older, err = p.read(ctx, older, token, size, nil)
		return err
	case errors.Is(opened, cursor.ErrVersion):
		return cursor.Refusal(opened, "page_token")
	}
	saved, opened := cursor.OpenEvents(p.e.merge.Sealer, token, newer.Resolved.Digest[:])
	if opened != nil {
		return cursor.Refusal(opened, "page_token")
	}
	newer.Start = saved.Start
	p.newer, err = p.read(ctx, newer, token, size, nil)
	return err
}

// read reads the part of a page on one side, size events at most. beside is the walk on the other side, if it has been read.
func (p *aroundPage) read(ctx context.Context, side *query.Side, token string, size int, beside *merge.Merger) (*sidePage, error) {
	m, err := merge.Open(ctx, &p.e.merge, p.sources, &side.Events, side.Resolved, token, "page_token")
	if err != nil {
		return nil, err
	}
	defer m.Close()
	events := &eventPage{m: m, maxEvents: size, maxBytes: chunk.MaxFrameEvents - p.bytes, begun: p.count > 0}
	part := &sidePage{before: side.Before, merger: m}
	if part.message, err = p.e.fillPage(ctx, events, beside); err != nil {
		return nil, err
	}
	if part.events = events.joined(); side.Before {
		if part.events, err = reversed(part.events); err != nil {
			return nil, err
		}
	}
	p.bytes += len(part.events)
	p.count += events.count
	for src, n := range events.bySource {
		p.bySource[src] += n
	}
	return part, nil
}

// page joins the sides.
func (p *aroundPage) page() *Page {
	answer := &parleyv1.ListEventsResponse{Complete: true}
	var lists [2][]byte
	for _, part := range []*sidePage{p.older, p.newer} {
		switch {
		case part == nil:
			continue
		case part.before:
			lists[0], answer.PreviousPageToken = part.events, part.message.GetNextPageToken()
		default:
			lists[1], answer.NextPageToken = part.events, part.message.GetNextPageToken()
		}
		answer.Complete = answer.GetComplete() && part.message.GetComplete()
		answer.Notices = joinNotices(answer.GetNotices(), part.message.GetNotices())
		answer.Sources = p.joinReports(answer.GetSources(), part.message.GetSources())
	}
	if answer.GetNextPageToken() == "" && answer.GetPreviousPageToken() == "" {
		frame.AddCoverageGaps(answer.GetSources())
	}
	return &Page{Message: answer, Events: slices.Concat(lists[0], lists[1]), Count: p.count, BySource: p.bySource}
}

// reversed returns a list of events in the opposite order.
func reversed(list []byte) ([]byte, error) {
	var events [][]byte
	for event, err := range eventwire.Events(list) {
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	turned := make([]byte, 0, len(list))
	for _, event := range slices.Backward(events) {
		turned = eventwire.AppendEvent(turned, event, nil)
	}
	return turned, nil
}

// joinNotices returns the notices of both sides, each one once.
func joinNotices(older, newer []*parleyv1.Notice) []*parleyv1.Notice {
	for _, notice := range newer {
		if !slices.ContainsFunc(older, func(told *parleyv1.Notice) bool { return proto.Equal(told, notice) }) {
			older = append(older, notice)
		}
	}
	return older
}

// joinReports returns reports about both sides. They meet at the anchor, so that the older span ends where the newer one begins.
func (p *aroundPage) joinReports(older, newer []*parleyv1.SourceReport) []*parleyv1.SourceReport {
	if len(older) == 0 {
		return newer
	}
	for i := range min(len(older), len(newer)) { // both sides ask the same sources, in one order
		joinReport(older[i], newer[i], p.older.merger.End())
	}
	return older
}

// joinReport adds the report about the newer side of a source to the one about the older side, which ends at split.
func joinReport(report, newer *parleyv1.SourceReport, split time.Time) {
	if report.GetState() == parleyv1.SourceState_SOURCE_STATE_READ {
		report.State, report.Reason = newer.GetState(), newer.GetReason()
	}
	if older := report.GetSettledUntil().AsTime(); !older.Before(split) || newer.GetSettledUntil().AsTime().Before(older) {
		report.SettledUntil = newer.GetSettledUntil()
	}
	if report.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
		report.SettledUntil = nil
	}
	switch {
	case report.GetCovered() == nil:
		report.Covered = newer.GetCovered()
	case newer.GetCovered() != nil:
		report.Covered.EndTime = newer.GetCovered().GetEndTime()
	}
	report.Gaps = append(report.GetGaps(), newer.GetGaps()...)
	report.Counts = &parleyv1.SourceCounts{
		Events:        report.GetCounts().GetEvents() + newer.GetCounts().GetEvents(),
		Pages:         report.GetCounts().GetPages() + newer.GetCounts().GetPages(),
		Duplicates:    report.GetCounts().GetDuplicates() + newer.GetCounts().GetDuplicates(),
		OutOfWindow:   report.GetCounts().GetOutOfWindow() + newer.GetCounts().GetOutOfWindow(),
		FromCache:     report.GetCounts().GetFromCache() + newer.GetCounts().GetFromCache(),
		GraphRequests: report.GetCounts().GetGraphRequests() + newer.GetCounts().GetGraphRequests(),
		LeftOut:       report.GetCounts().GetLeftOut() + newer.GetCounts().GetLeftOut(),
	}
	report.FilteredByGateway = union(report.GetFilteredByGateway(), newer.GetFilteredByGateway())
	report.FilteredByGraph = slices.DeleteFunc(slices.Clone(report.GetFilteredByGraph()), func(field string) bool {
		return !slices.Contains(newer.GetFilteredByGraph(), field) // Graph ignored it on one side, or had no need of it there
	})
	ids := union(report.GetFailedRequestIds(), newer.GetFailedRequestIds())
	report.FailedRequestIds = ids[:min(len(ids), failure.MaxRequestIDs)]
}

// union returns the texts of a, and those of b that a lacks.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, text := range b {
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}
