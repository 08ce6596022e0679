package merge

import "github.com/parley-gateway/parley/timeline/chunk"

// NextRun delivers the next events that lie side by side in one chunk and come before the events of all other sources. A
// run has at most maxEvents events and, unless it is a single event, at most maxBytes bytes. The bytes are shared and must not be
// changed.
func (m *Merger) NextRun(maxEvents, maxBytes int) (events []byte, n int, err error) {
	r := m.first
	head := r.head()
	if head.At == chunk.NotInChunk {
		events, err = head.AppendTo(nil, m.req.ShownView(), chunk.MaxFrameEvents)
		if err == nil {
			m.seen.Add(head.Hash^uint64(r.src), head.OutOfWindow)
			r.advance(1)
		}
		return events, 1, err
	}
	list, err := r.current.Chunk.Events(m.req.ShownView())
	if err != nil {
		return nil, 0, err
	}
	n = m.runLength(list, maxEvents, maxBytes)
	events = list.Part(head.At, head.At+n)
	r.advance(n)
	return events, n, nil
}

// runLength returns the number of events of the next run, and adds these events to the delivered ones.
func (m *Merger) runLength(list *chunk.List, maxEvents, maxBytes int) int {
	r := m.first
	entries, src := r.current.Entries[r.next:], uint64(r.src)
	head := &entries[0]
	runnerUp, cannotRepeat := m.runnerUp(r), m.cannotRepeat(r)
	if !cannotRepeat {
		m.seen.Add(head.Hash^src, false)
	}
	n := 1
	for ; n < len(entries) && n < maxEvents; n++ {
		e := &entries[n]
		if e.At != head.At+n || list.PartSize(head.At, e.At+1) > maxBytes || runnerUp != nil && !m.earlier(r, e, runnerUp) ||
			!cannotRepeat && !m.seen.First(e.Hash^src) {
			break
		}
	}
	if cannotRepeat {
		m.seen.AddRun(r.current.Chunk.Hashes[head.At:head.At+n], src)
	}
	return n
}
