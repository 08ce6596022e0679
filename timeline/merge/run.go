package merge

import "github.com/parley-gateway/parley/timeline/chunk"

// NextRun returns the events at the head of a track that go out before anything else does, lie side by side in one array
// and are at most so many and, but for the first, so many bytes; and hands them over. The bytes are shared and must not be
// changed.
func (m *Merger) NextRun(most, room int) (events []byte, n int, err error) {
	r := m.first
	res := r.current
	first := r.head()
	if first.At == chunk.NotInChunk {
		events, err = first.AppendTo(nil, m.req.ShownView(), chunk.MaxFrame-chunk.FrameRoom)
		if err == nil {
			m.seen.Add(first.Hash^uint64(r.src), first.OutOfWindow)
			r.advance(1)
		}
		return events, 1, err
	}
	l, err := res.Chunk.Events(m.req.ShownView())
	if err != nil {
		return nil, 0, err
	}
	rival, only, unchecked := m.runnerUp(r), uint64(r.src), m.cannotRepeat(r)
	if !unchecked {
		m.seen.Add(first.Hash^only, false)
	}
	to := r.next + 1
	for ; to < len(res.Entries) && to-r.next < most; to++ {
		e := &res.Entries[to]
		if e.At != res.Entries[to-1].At+1 || l.PartSize(first.At, e.At+1) > room || rival != nil && !m.earlier(r, e, rival) ||
			!unchecked && !m.seen.First(e.Hash^only) {
			break
		}
	}
	if unchecked {
		m.seen.AddRun(res.Chunk.Hashes[first.At:first.At+to-r.next], only)
	}
	events = l.Part(first.At, res.Entries[to-1].At+1)
	n = to - r.next
	r.advance(n)
	return events, n, nil
}
