package timeline

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/query"
)

// Events travel through the engine as they were encoded once: an answer's events are the bytes of its list field. Where the
// request says Encoded, batches and List answers hold these as unknown fields, which is what a message keeps of bytes that
// it does not look into: on the wire it is the message with the same events.

// stretch returns the events at the head of a track that go out before anything else does, lie side by side in one array
// and are at most so many and, but for the first, so many bytes; and hands them over. The bytes are shared and must not be
// changed.
func (w *walk) stretch(t *track, most, room int) (events []byte, n int, err error) {
	b := t.active
	first := t.head()
	if first.At == chunk.NotInChunk {
		events, err = first.AppendTo(nil, w.req.ShownView(), chunk.MaxFrame-chunk.FrameRoom)
		if err == nil {
			w.seen.Add(first.Hash^uint64(t.src), first.OutOfWindow)
			t.take(1)
		}
		return events, 1, err
	}
	l, err := b.Chunk.Events(w.req.ShownView())
	if err != nil {
		return nil, 0, err
	}
	rival, only, unchecked := w.rival(t), uint64(t.src), w.unchecked(t)
	if !unchecked {
		w.seen.Add(first.Hash^only, false)
	}
	to := t.next + 1
	for ; to < len(b.Entries) && to-t.next < most; to++ {
		e := &b.Entries[to]
		if e.At != b.Entries[to-1].At+1 || l.PartSize(first.At, e.At+1) > room || rival != nil && !w.sooner(t, e, rival) ||
			!unchecked && !w.seen.First(e.Hash^only) {
			break
		}
	}
	if unchecked {
		w.seen.AddRun(b.Chunk.Hashes[first.At:first.At+to-t.next], only)
	}
	events = l.Part(first.At, b.Entries[to-1].At+1)
	n = to - t.next
	t.take(n)
	return events, n, nil
}

// setEvents gives a batch or List answer its events: as bytes, or as messages for those who did not ask for bytes.
func setEvents(r *query.Events, m proto.Message, list []byte) error {
	if r.Encoded {
		m.ProtoReflect().SetUnknown(list)
		return nil
	}
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(list, m); err != nil {
		return fmt.Errorf("decode events: %w", err)
	}
	return nil
}
