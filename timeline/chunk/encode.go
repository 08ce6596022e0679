package chunk

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Bounds of the wire bytes of a List answer and of a stream frame. JSON may be longer.
const (
	// MaxFrame bounds the whole answer or frame.
	MaxFrame = 3 << 20
	// FrameOverhead is left for tokens, notices and reports, and MaxFrameEvents for the events.
	FrameOverhead  = 512 << 10
	MaxFrameEvents = MaxFrame - FrameOverhead
)

// AppendTo appends the event in a view to a list field. The longest texts of an event above the limit are cut.
func (e *Entry) AppendTo(list []byte, v parleyv1.EventView, limit int) ([]byte, error) {
	basic, unmapped := e.Basic, []byte(nil)
	switch v {
	case parleyv1.EventView_EVENT_VIEW_BASIC:
	case parleyv1.EventView_EVENT_VIEW_FULL:
		unmapped = e.Unmapped
	default:
		var err error
		if basic, err = view.Metadata(nil, e.Basic, (*parleyv1.Event)(nil).ProtoReflect().Descriptor()); err != nil {
			return list, fmt.Errorf("view of an event: %w", err)
		}
	}
	if eventwire.FramedSize(len(basic)+len(unmapped)) > limit {
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
	return eventwire.AppendEvent(list, basic, unmapped), nil
}
