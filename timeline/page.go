package timeline

import (
	"slices"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/merge"
)

// Page is one answer of ListEvents. It may be shared by calls: nothing of it is ever changed.
type Page struct {
	// Message is the answer without its events; it has no unknown fields. Clone it to change it.
	Message *parleyv1.ListEventsResponse
	// Events is the answer's list field events as it is on the wire.
	Events []byte
	// Count is the number of the events.
	Count int

	cached *cachedPage // nil = it is not
}

// Form returns another form of the page, such as its JSON. A cached page renders each form once. key is a comparable value of a
// type of the caller's own.
func (p *Page) Form(key any, render func(*Page) ([]byte, error)) ([]byte, error) {
	if p.cached == nil {
		return render(p)
	}
	if form := p.cached.form(key); form != nil {
		return form, nil
	}
	form, err := render(p)
	if err == nil {
		p.cached.put(key, form)
	}
	return form, err
}

// eventPage collects the encoded events of a List.
type eventPage struct {
	w      *merge.Merger
	size   int // events at most
	count  int
	pieces [][]byte
	length int        // of the pieces together
	in     chunkRange // where the events of the first piece stand
}

// chunkRange is a contiguous run [from, to) of the events of one chunk; without a chunk there is none.
type chunkRange struct {
	chunk    *chunk.Chunk
	from, to int
}

// Empty implements frame.Page.
func (p *eventPage) Empty() bool { return p.count == 0 }

// Enough implements frame.Page.
func (p *eventPage) Enough() bool { return p.count >= p.size }

// Add implements frame.Page. It takes the next run of events.
func (p *eventPage) Add() (bool, error) {
	const most = chunk.MaxFrame - chunk.FrameRoom
	next := p.w.Head()
	if p.count >= p.size || p.length > 0 && p.length+next.Size() > most {
		return false, nil
	}
	at, in := next.At, p.w.HeadChunk()
	events, n, err := p.w.NextRun(p.size-p.count, most-p.length)
	if err != nil {
		return false, err
	}
	if len(p.pieces) == 0 && at != chunk.NotInChunk {
		p.in = chunkRange{in, at, at + n}
	}
	p.pieces = append(p.pieces, events)
	p.count += n
	p.length += len(events)
	return true, nil
}

// joined is the list field of the answer.
func (p *eventPage) joined() []byte {
	switch len(p.pieces) {
	case 0:
		return nil
	case 1:
		return p.pieces[0]
	default:
		return slices.Concat(p.pieces...)
	}
}

// chunkRange is where all events of the page stand, if they stand in one run.
func (p *eventPage) chunkRange() chunkRange {
	if len(p.pieces) != 1 {
		return chunkRange{}
	}
	return p.in
}
