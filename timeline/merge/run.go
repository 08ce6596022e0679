package merge

import "github.com/parley-gateway/parley/timeline/chunk"

// NextRun returns the events at the head of a track that go out before anything else does, lie side by side in one array
// and are at most so many and, but for the first, so many bytes; and hands them over. The bytes are shared and must not be
// changed.
func (w *Merger) NextRun(most, room int) (events []byte, n int, err error) {
	t := w.first
	b := t.current
	first := t.head()
	if first.At == chunk.NotInChunk {
		events, err = first.AppendTo(nil, w.req.ShownView(), chunk.MaxFrame-chunk.FrameRoom)
		if err == nil {
			w.seen.Add(first.Hash^uint64(t.src), first.OutOfWindow)
			t.advance(1)
		}
		return events, 1, err
	}
	l, err := b.Chunk.Events(w.req.ShownView())
	if err != nil {
		return nil, 0, err
	}
	rival, only, unchecked := w.runnerUp(t), uint64(t.src), w.cannotRepeat(t)
	if !unchecked {
		w.seen.Add(first.Hash^only, false)
	}
	to := t.next + 1
	for ; to < len(b.Entries) && to-t.next < most; to++ {
		e := &b.Entries[to]
		if e.At != b.Entries[to-1].At+1 || l.PartSize(first.At, e.At+1) > room || rival != nil && !w.earlier(t, e, rival) ||
			!unchecked && !w.seen.First(e.Hash^only) {
			break
		}
	}
	if unchecked {
		w.seen.AddRun(b.Chunk.Hashes[first.At:first.At+to-t.next], only)
	}
	events = l.Part(first.At, b.Entries[to-1].At+1)
	n = to - t.next
	t.advance(n)
	return events, n, nil
}
