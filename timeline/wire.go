package timeline

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/view"
)

// Events travel through the engine as they were encoded once: an answer's events are the bytes of its list field. Where the
// request says Encoded, batches and List answers hold these as unknown fields, which is what a message keeps of bytes that
// it does not look into: on the wire it is the message with the same events.

// Numbers of the fields that are written by hand; a test compares them with the contract.
const (
	listField       = 1 // events of EventBatch and of ListEventsResponse alike
	eventTime       = 7
	eventOutOfRange = 24
	stampSeconds    = 1
	stampNanos      = 2
)

// event decodes an entry's event, view FULL.
func (e *entry) event() (*parleyv1.Event, error) {
	item := source.Item{Basic: e.basic, Unmapped: e.unmapped}
	return item.Event()
}

// replace gives an entry another event.
func (e *entry) replace(event *parleyv1.Event) error {
	item, err := source.NewItem(event)
	if err != nil {
		return err
	}
	e.basic, e.unmapped, e.version, e.at = item.Basic, item.Unmapped, item.Version, apart
	e.hash = hashOf(e.key, e.version)
	return nil
}

// outside marks an entry as exempt from order; at, if given, stands in for a missing event time.
func (e *entry) outside(at *time.Time) {
	e.stray, e.at = true, apart
	marked := make([]byte, 0, len(e.basic)+32)
	marked = append(marked, e.basic...)
	if at != nil {
		seconds, nanos := uint64(at.Unix()), uint64(at.Nanosecond())
		stamp := protowire.AppendVarint(protowire.AppendTag(nil, stampSeconds, protowire.VarintType), seconds)
		if nanos > 0 {
			stamp = protowire.AppendVarint(protowire.AppendTag(stamp, stampNanos, protowire.VarintType), nanos)
		}
		marked = protowire.AppendBytes(protowire.AppendTag(marked, eventTime, protowire.BytesType), stamp)
	}
	e.basic = protowire.AppendVarint(protowire.AppendTag(marked, eventOutOfRange, protowire.VarintType), 1)
}

// appendShown appends the event of an entry, as a view shows it, to a list field. An event above the limit travels with its
// longest texts cut.
func appendShown(list []byte, e *entry, v parleyv1.EventView, limit int) ([]byte, error) {
	basic, unmapped := e.basic, []byte(nil)
	switch v {
	case parleyv1.EventView_EVENT_VIEW_BASIC:
	case parleyv1.EventView_EVENT_VIEW_FULL:
		unmapped = e.unmapped
	default:
		var err error
		if basic, err = view.Metadata(nil, e.basic, (*parleyv1.Event)(nil).ProtoReflect().Descriptor()); err != nil {
			return list, fmt.Errorf("view of an event: %w", err)
		}
	}
	if framed(len(basic)+len(unmapped)) > limit {
		event := &parleyv1.Event{}
		for _, part := range [][]byte{basic, unmapped} {
			if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(part, event); err != nil {
				return list, fmt.Errorf("decode an event: %w", err)
			}
		}
		cut, err := proto.Marshal(shrink(event, limit))
		if err != nil {
			return list, fmt.Errorf("encode an event: %w", err)
		}
		basic, unmapped = cut, nil
	}
	list = protowire.AppendTag(list, listField, protowire.BytesType)
	list = protowire.AppendVarint(list, uint64(len(basic)+len(unmapped)))
	return append(append(list, basic...), unmapped...), nil
}

// stretch returns the events at the head of a track that go out before anything else does, lie side by side in one array
// and are at most so many and, but for the first, so many bytes; and hands them over. The bytes are shared and must not be
// changed.
func (w *walk) stretch(t *track, most, room int) (events []byte, n int, err error) {
	b := t.active
	first := t.head()
	if first.at == apart {
		events, err = appendShown(nil, first, w.req.ShownView(), maxFrame-frameRoom)
		if err == nil {
			w.seen.add(first.hash^uint64(t.src), first.stray)
			t.take(1)
		}
		return events, 1, err
	}
	l, err := b.sheet.list(w.req.ShownView())
	if err != nil {
		return nil, 0, err
	}
	rival, only, unchecked := w.rival(t), uint64(t.src), w.unchecked(t)
	if !unchecked {
		w.seen.add(first.hash^only, false)
	}
	begin, least := l.ends[first.at]-uint32(len(l.part(first.at, first.at+1))), t.next+1
	to := least
	for ; to < len(b.entries) && to-t.next < most; to++ {
		e := &b.entries[to]
		if e.at != b.entries[to-1].at+1 || int(l.ends[e.at]-begin) > room || rival != nil && !w.sooner(t, e, rival) ||
			!unchecked && !w.seen.first(e.hash^only) {
			break
		}
	}
	if unchecked {
		w.seen.pass(run{b.sheet.hashes[first.at : first.at+to-t.next], only})
	}
	events = l.part(first.at, b.entries[to-1].at+1)
	n = to - t.next
	t.take(n)
	return events, n, nil
}

// EncodedEvents counts the events that a batch or List answer holds as bytes.
func EncodedEvents(m proto.Message) int {
	count := 0
	for list := m.ProtoReflect().GetUnknown(); len(list) > 0; count++ {
		_, _, n := protowire.ConsumeField(list)
		if n < 0 {
			break
		}
		list = list[n:]
	}
	return count
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
