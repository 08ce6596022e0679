package timeline

import (
	"sort"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/weigh"
)

// The limits of an answer hold for its wire bytes and for its JSON. JSON is weighed only where it could be too long: what is
// small on the wire cannot be.

// eventWeights weighs events.
var eventWeights = sync.OnceValue(func() *weigh.Table { return weigh.New((*parleyv1.Event)(nil).ProtoReflect().Descriptor()) })

// rowWeights weighs the rows of chains.
var rowWeights = sync.OnceValue(func() map[protoreflect.FullName]*weigh.Table {
	tables := map[protoreflect.FullName]*weigh.Table{}
	for _, row := range []proto.Message{(*parleyv1.Conversation)(nil), (*parleyv1.CopilotUsageRow)(nil), (*parleyv1.User)(nil)} {
		md := row.ProtoReflect().Descriptor()
		tables[md.FullName()] = weigh.New(md)
	}
	return tables
})

// scale weighs rows; it is used by one goroutine.
type scale struct{ wire []byte }

// row is what a row takes in an answer, on the wire or as JSON, whichever is more.
func (s *scale) row(row proto.Message) int {
	var err error
	if s.wire, err = (proto.MarshalOptions{}).MarshalAppend(s.wire[:0], row); err != nil {
		return proto.Size(row) // whoever sends it meets the error
	}
	size := len(s.wire)
	if table := rowWeights()[row.ProtoReflect().Descriptor().FullName()]; table != nil {
		size = max(size, table.JSON(s.wire))
	}
	return size + 8
}

// fits reports whether an encoded event, in two parts, takes at most limit bytes on the wire and as JSON.
func fits(basic, unmapped []byte, limit int) bool {
	n := len(basic) + len(unmapped)
	return n+16 <= limit && (eventWeights().Most(n) <= limit || eventWeights().JSON(basic)+eventWeights().JSON(unmapped) <= limit)
}

// heavier is the size of an event on the wire or as JSON, whichever is larger.
func heavier(event *parleyv1.Event) int {
	wire, err := proto.Marshal(event)
	if err != nil {
		return proto.Size(event) // whoever sends it meets the error
	}
	return max(len(wire), eventWeights().JSON(wire))
}

// listJSON is the size of the events of a list field as JSON, with their commas.
func listJSON(list []byte) int {
	total := 0
	for len(list) > 0 {
		_, _, n := protowire.ConsumeTag(list)
		if n < 0 {
			break
		}
		event, m := protowire.ConsumeBytes(list[n:])
		if m < 0 {
			break
		}
		total += eventWeights().JSON(event) + 1
		list = list[n+m:]
	}
	return total
}

// lazyEnds are the places where the events of a list would end as JSON.
type lazyEnds struct {
	once sync.Once
	ends []int
}

// jsonEnds returns where the events of a sheet's list would end as JSON.
func (s *sheet) jsonEnds(v parleyv1.EventView) ([]int, error) {
	l, err := s.list(v)
	if err != nil {
		return nil, err
	}
	at := 1
	switch v {
	case parleyv1.EventView_EVENT_VIEW_BASIC:
		at = 0
	case parleyv1.EventView_EVENT_VIEW_FULL:
		at = 2
	default:
	}
	lazy := &s.json[at]
	lazy.once.Do(func() {
		lazy.ends = make([]int, len(l.ends))
		total := 0
		for i := range lazy.ends {
			total += listJSON(l.part(i, i+1))
			lazy.ends[i] = total
		}
		s.more.Add(int64(8 * len(lazy.ends)))
		if s.grown != nil {
			s.grown()
		}
	})
	return lazy.ends, nil
}

// heft is what the events of a List page take as JSON, as far as that was weighed.
type heft struct {
	json    int
	weighed int // parts of the page
}

// takes tells how many of the events at the head of a track, at most most, a page still takes; its parts have length bytes.
// An empty page takes one event, whatever its size.
func (h *heft) takes(t *track, v parleyv1.EventView, parts [][]byte, length, most int) (int, error) {
	const limit = maxFrame - frameRoom
	e, s := t.head(), t.active.sheet
	after := length + framed(len(e.basic)+len(e.unmapped))
	if most == 0 || length > 0 && after > limit {
		return 0, nil
	}
	if e.at == apart {
		if eventWeights().Most(after) <= limit || len(parts) == 0 {
			return 1, nil
		}
		shown, err := appendShown(nil, e, v, limit)
		if err != nil || h.weigh(parts)+listJSON(shown) > limit {
			return 0, err
		}
		return 1, nil
	}
	l, err := s.list(v)
	if err != nil {
		return 0, err
	}
	most = min(most, len(l.ends)-e.at)
	if eventWeights().Most(length+len(l.part(e.at, e.at+most))) <= limit {
		return most, nil
	}
	ends, err := s.jsonEnds(v)
	if err != nil {
		return 0, err
	}
	room := limit - h.weigh(parts)
	if e.at > 0 {
		room += ends[e.at-1]
	}
	n := sort.SearchInts(ends[e.at:e.at+most], room+1)
	if len(parts) == 0 {
		n = max(n, 1)
	}
	return n, nil
}

// weigh weighs the parts of a page that were not weighed yet.
func (h *heft) weigh(parts [][]byte) int {
	for ; h.weighed < len(parts); h.weighed++ {
		h.json += listJSON(parts[h.weighed])
	}
	return h.json
}
