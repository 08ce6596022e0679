package pager

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/seen"
)

// load reads the next part or page. It is called when next has no row.
func (p *pager[T]) load(ctx context.Context) error {
	switch {
	case p.page == nil:
	case p.position.Index < p.page.Len():
		return p.loadPart(ctx)
	case p.page.FromCache && !p.bypassCache && p.links.Has(p.page.Next):
		// Cached pages lead in a circle: Graph is asked for this one again.
		p.bypassCache, p.links = true, links.Set{}
	case !p.nextPage():
		return nil
	}
	return p.loadPage(ctx)
}

// loadPage reads the page at the position, and the part of it that the next row is in.
func (p *pager[T]) loadPage(ctx context.Context) error {
	if p.bypassCache {
		ctx = cache.WithoutCached(ctx)
	}
	page, err := p.read(ctx, p.position.Link)
	if err != nil {
		return p.pageFailed(ctx, err)
	}
	p.count(&page)
	if p.admit != nil {
		if err := p.admit(page.Page); err != nil {
			return err
		}
	}
	return p.enterPage(ctx, page.Page)
}

// enterPage makes a page the current one, and goes on after the rows of it that were delivered.
func (p *pager[T]) enterPage(ctx context.Context, page *source.Page[T]) error {
	previous, index := p.page, p.position.Index
	p.page, p.part, p.first = page, nil, 0
	found, err := p.relocate()
	if err != nil {
		return p.pageFailed(ctx, err)
	}
	if index == 0 && previous != nil && samePage(previous.Items, page.Items) {
		p.end(parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP)
		return nil
	}
	if previous == nil && found && p.position.Index <= index {
		p.rememberDelivered()
	}
	if p.position.Index < page.Len() {
		return p.loadPart(ctx)
	}
	return nil
}

// count takes over what the report says about a page.
func (p *pager[T]) count(page *graphPage[T]) {
	_, counts := p.current()
	counts.Pages += page.pages
	counts.FromCache += page.cached
	if !page.FromCache {
		counts.Requests += int64(page.Requests)
	}
	first := &p.position.Counts
	first.Pages, first.FromCache, first.Requests = first.Pages+page.first.Pages, first.FromCache+page.first.FromCache, first.Requests+page.first.Requests
	if page.notice != nil {
		p.notices = append(p.notices, page.notice)
	}
	if page.doubt != 0 && !slices.Contains(p.position.GapReasons, page.doubt) {
		p.doubt(page.doubt)
	}
}

// loadPart decodes the part of the page that the next row is in.
func (p *pager[T]) loadPart(ctx context.Context) error {
	p.part, p.hidden = nil, nil // two parts at a time would be one too many
	part, first, err := p.page.Part(p.position.Index)
	if err != nil {
		return p.pageFailed(ctx, err)
	}
	p.part, p.first = part, first
	if p.match == nil {
		return nil
	}
	return p.filterPart(ctx)
}

// filterPart hides the rows of the part that do not match the filter.
func (p *pager[T]) filterPart(ctx context.Context) error {
	p.position.Unfiltered = p.position.Unfiltered || p.page.Unfiltered
	p.hidden = make([]bool, len(p.part))
	doubt := false
	for i, row := range p.part {
		matches, known, err := p.match(ctx, row, p.position.Unfiltered)
		if err != nil {
			return err
		}
		doubt = doubt || !known
		p.hidden[i] = known && !matches
	}
	if doubt && !slices.Contains(p.position.GapReasons, parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED) {
		p.doubt(parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED)
	}
	return nil
}

// nextPage moves the position to the next page, and reports whether there is one.
func (p *pager[T]) nextPage() bool {
	pages := int(p.position.Counts.Pages + p.position.Users.Pages)
	more, doubt := p.links.Follow(p.page.Next, pages, p.cfg.MaxPages)
	if !more {
		if doubt != failure.None {
			p.doubt(doubt)
		}
		p.position.Finished = true
		return false
	}
	p.position.Link, p.position.Index, p.position.Last = p.page.Next, 0, 0
	p.fromToken = false
	return true
}

// end ends the pages with a doubt.
func (p *pager[T]) end(reason parleyv1.ErrorReason) {
	p.doubt(reason)
	p.page, p.position.Finished = nil, true
}

// pageFailed decides what follows from the failure of a page: the pages begin again, once, where their link is lost; they end with a gap
// where a link is lost for good or refused; the source stops after any other failure, and after each failure of a first page.
func (p *pager[T]) pageFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if known, ok := errors.AsType[*failure.Error](err); ok {
		return known
	}
	followed := p.position.Link != ""
	f := failure.ClassifyPage(err, p.position.Link)
	p.requestIDs = failure.AppendRequestID(p.requestIDs, err)
	at, counts := p.current()
	counts.Requests += int64(graph.Requests(err))
	refused := f.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED
	// A token may be old. To its link Graph also answers that it refuses it, or that there is nothing behind it.
	lost := f.LinkLost || p.fromToken && (refused || f.Reason == parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
	switch {
	case followed && lost && !p.position.Restarted:
		p.restart(err)
		return p.load(ctx)
	case followed && (f.LinkLost || refused):
		p.end(f.Reason)
		return nil
	default:
		return &failure.Error{Reason: f.Reason, Source: at, Err: err, Message: "the source could not be read"}
	}
}

// restart goes back to the first page. Everything comes again but for what this call has delivered.
func (p *pager[T]) restart(why error) {
	message := "Graph does not know the position of the token any more"
	if errors.Is(why, errReportMoved) {
		message = "Graph has made the usage report anew"
	}
	p.position.Restarted, p.bypassCache = true, true
	p.position.Link, p.position.Index, p.position.Last = "", 0, 0
	p.page, p.links, p.fromToken = nil, links.Set{}, false
	p.before, p.position.Delivered = seen.Hashes{}, nil
	p.notices = append(p.notices, &parleyv1.Notice{
		Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_RESTARTED), Source: p.source,
		Message: message + "; reading began again, so rows may come a second time",
	})
}

// relocate finds the last delivered row in a page that was read again, and moves the position after it. It reports whether the row
// was found. In a page without it the position is before the first row: rows that were delivered are known by their keys, and the
// others may not have been looked at.
func (p *pager[T]) relocate() (bool, error) {
	index := p.position.Index
	if index == 0 {
		return false, nil
	}
	p.position.Index = 0
	if p.position.Last == 0 { // the filter hid all rows before the position
		return false, nil
	}
	if index <= p.page.Len() {
		part, first, err := p.page.Part(index - 1)
		if err != nil {
			return false, err
		}
		if hashOf(part[index-1-first]) == p.position.Last {
			p.position.Index = index
			return true, nil
		}
	}
	at, err := p.find(func(row T) bool { return hashOf(row) == p.position.Last })
	if err != nil {
		return false, err
	}
	if n := len(p.position.Delivered); at == 0 && n > 0 {
		// The row may have changed since. Where it has no key, the digest is of a row that was delivered before it.
		at, err = p.find(func(row T) bool {
			digest, named := p.digestOf(row)
			return named && digest == p.position.Delivered[n-1]
		})
		if err != nil {
			return false, err
		}
	}
	p.position.Index = at
	if at == 0 {
		p.noticeRepeats(index)
	}
	return at > 0, nil
}

// find returns the index after the first row of the page for which is reports true; 0 when there is none.
func (p *pager[T]) find(is func(row T) bool) (int, error) {
	for i := 0; i < p.page.Len(); {
		part, first, err := p.page.Part(i)
		if err != nil {
			return 0, err
		}
		for n, row := range part {
			if is(row) {
				return first + n + 1, nil
			}
		}
		i = first + len(part)
	}
	return 0, nil
}

// noticeRepeats says that rows come again when a page is delivered from its first row on, of which more rows may have been delivered
// than the token knows.
func (p *pager[T]) noticeRepeats(index int) {
	known := len(p.position.Delivered)
	if index <= known || p.position.Counts.Events+p.position.Users.Events <= int64(known) {
		return
	}
	p.notices = append(p.notices, &parleyv1.Notice{
		Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_RESTARTED), Source: p.source,
		Message: "the page at the position of the token has changed; it is read from its first row on, so rows may come a second time",
	})
}

// rememberDelivered takes the rows before the position, in a page that was read again, as delivered. Under a filter, and in a page that is
// read in parts, that is left to the token.
func (p *pager[T]) rememberDelivered() {
	if p.match != nil {
		return
	}
	for _, row := range p.page.Items[:min(p.position.Index, len(p.page.Items))] {
		if digest, named := p.digestOf(row); named {
			p.before.Add(digest)
		}
	}
}

// samePage reports whether two pages that are not empty hold the same rows.
func samePage[T proto.Message](a, b []T) bool {
	return len(a) > 0 && slices.EqualFunc(a, b, func(x, y T) bool { return proto.Equal(x, y) })
}
