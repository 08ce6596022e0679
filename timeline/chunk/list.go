package chunk

import (
	"fmt"
	"sync"

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

// List is the encoded list field of an answer: the events of a chunk in one view, side by side.
type List struct {
	bytes []byte
	ends  []uint32 // end of each event
}

// lazyList is a list that is made on first use.
type lazyList struct {
	once sync.Once
	list List
	err  error
}

// Events returns the events of the chunk in a view.
func (c *Chunk) Events(v parleyv1.EventView) (*List, error) {
	at := 0
	switch v {
	case parleyv1.EventView_EVENT_VIEW_BASIC:
		return &c.basic, nil
	case parleyv1.EventView_EVENT_VIEW_FULL:
		at = 1
	default:
	}
	lazy := &c.views[at]
	lazy.once.Do(func() {
		lazy.list, lazy.err = c.render(v)
		c.grow(lazy.list.cost())
	})
	return &lazy.list, lazy.err
}

// BasicSize is the size of all events in the view BASIC.
func (c *Chunk) BasicSize() int { return len(c.basic.bytes) }

// render makes the list of another view.
func (c *Chunk) render(v parleyv1.EventView) (List, error) {
	l := List{ends: make([]uint32, len(c.Entries))}
	if v == parleyv1.EventView_EVENT_VIEW_FULL {
		l.bytes = make([]byte, 0, c.fullSize())
	}
	for i := range c.Entries {
		if e := &c.Entries[i]; e.At != NotInChunk {
			var err error
			if l.bytes, err = e.AppendTo(l.bytes, v, MaxFrame); err != nil {
				return List{}, err
			}
		}
		l.ends[i] = uint32(len(l.bytes))
	}
	if cap(l.bytes) > len(l.bytes)+len(l.bytes)/8 {
		l.bytes = append(make([]byte, 0, len(l.bytes)), l.bytes...)
	}
	return l, nil
}

// fullSize is the size of the list in the view FULL.
func (c *Chunk) fullSize() int {
	size := 0
	for i := range c.Entries {
		if e := &c.Entries[i]; e.At != NotInChunk {
			size += e.Size()
		}
	}
	return size
}

// Part returns the events of the entries [from, to).
func (l *List) Part(from, to int) []byte {
	begin, end := l.begin(from), l.ends[to-1]
	return l.bytes[begin:end:end]
}

// PartSize is the size of Part.
func (l *List) PartSize(from, to int) int { return int(l.ends[to-1] - l.begin(from)) }

// begin is the offset at which the event of an entry begins.
func (l *List) begin(i int) uint32 {
	if i == 0 {
		return 0
	}
	return l.ends[i-1]
}

func (l *List) cost() int64 { return int64(cap(l.bytes) + 4*cap(l.ends)) }

// AppendTo appends the event in a view to a list field. The longest texts of an event above the limit are truncated.
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
		encoded, err := proto.Marshal(shrink(event, limit))
		if err != nil {
			return list, fmt.Errorf("encode an event: %w", err)
		}
		basic, unmapped = encoded, nil
	}
	return eventwire.AppendEvent(list, basic, unmapped), nil
}
