package timeline

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/view"
)

// Events travel through the engine as they were encoded once: an answer's events are the bytes of its list field. Where the
// request says Encoded, batches and List answers hold these as unknown fields, which is what a message keeps of bytes that
// it does not look into: on the wire it is the message with the same events.

// Numbers of the fields that are written by hand; a test compares them with the contract.
const (
	batchEvents     = 1
	listEvents      = 1
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
	e.basic, e.unmapped, e.version = item.Basic, item.Unmapped, item.Version
	return nil
}

// outside marks an entry as exempt from order; at, if given, stands in for a missing event time.
func (e *entry) outside(at *time.Time) {
	e.stray = true
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

// shown appends the event of an entry, as the request's view shows it, to a list field, and returns the list and how much
// longer it is. An event above the limit travels with its longest texts cut.
func (w *walk) shown(list []byte, number protowire.Number, e *entry, limit int) ([]byte, error) {
	basic, unmapped := e.basic, []byte(nil)
	switch w.req.view() {
	case parleyv1.EventView_EVENT_VIEW_BASIC:
	case parleyv1.EventView_EVENT_VIEW_FULL:
		unmapped = e.unmapped
	default:
		var err error
		if basic, err = view.Metadata(nil, e.basic, (*parleyv1.Event)(nil).ProtoReflect().Descriptor()); err != nil {
			return list, fmt.Errorf("view of an event: %w", err)
		}
	}
	if len(basic)+len(unmapped)+8 > limit {
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
	list = protowire.AppendTag(list, number, protowire.BytesType)
	list = protowire.AppendVarint(list, uint64(len(basic)+len(unmapped)))
	return append(append(list, basic...), unmapped...), nil
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
func (w *walk) setEvents(m proto.Message, list []byte) error {
	if w.req.Encoded {
		m.ProtoReflect().SetUnknown(list)
		return nil
	}
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(list, m); err != nil {
		return fmt.Errorf("decode events: %w", err)
	}
	return nil
}
