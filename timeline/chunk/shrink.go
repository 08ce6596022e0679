package chunk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// shortText is the length in bytes below which no text is truncated: ids and names stay whole.
const shortText = 1 << 10

// text is a string inside an event, with its path, its size in bytes and a way to replace it.
type text struct {
	path     string
	size     int
	truncate func(size int)
}

// shrunk is an event that is being truncated, and the paths of the fields that were truncated.
type shrunk struct {
	event *parleyv1.Event
	paths map[string]bool
	limit int // bytes of the list field
}

// shrink returns a copy that takes at most limit bytes of a list field on the wire. Its longest texts are truncated. Should texts not be enough,
// the largest lists lose their ends. All of them are named in truncated_fields.
func shrink(event *parleyv1.Event, limit int) *parleyv1.Event {
	s := shrunk{event: proto.CloneOf(event), paths: map[string]bool{}, limit: limit}
	if s.event.GetUnmapped() != nil && s.excess() > 0 && proto.Size(s.event.GetUnmapped()) > shortText {
		s.event.Unmapped = nil
		s.paths["unmapped"] = true
	}
	s.truncateTexts()
	s.halveLists()
	for path := range s.paths {
		s.event.TruncatedFields = append(s.event.TruncatedFields, path)
	}
	slices.Sort(s.event.GetTruncatedFields())
	s.event.TruncatedFields = slices.Compact(s.event.GetTruncatedFields())
	return s.event
}

// excess is the number of bytes above the limit.
func (s *shrunk) excess() int {
	return eventwire.FramedSize(proto.Size(s.event)+pathBytes(s.paths)) - s.limit
}

// truncateTexts truncates the longest texts until the event fits or its texts are short. The longest text gives up as much as is needed, but is not
// made much shorter than the next one.
func (s *shrunk) truncateTexts() {
	for range 64 {
		excess := s.excess()
		if excess <= 0 {
			return
		}
		texts := collect(s.event.ProtoReflect(), "", nil)
		slices.SortStableFunc(texts, func(a, b text) int { return cmp.Compare(b.size, a.size) })
		if len(texts) == 0 || texts[0].size <= shortText {
			return
		}
		floor := shortText
		if len(texts) > 1 {
			floor = max(floor, texts[1].size/2)
		}
		longest := texts[0]
		longest.truncate(max(floor, longest.size-excess-64))
		s.paths[longest.path] = true
	}
}

// halveLists halves the largest lists until the event fits.
func (s *shrunk) halveLists() {
	for s.excess() > 0 {
		path := halveLargest(s.event.ProtoReflect())
		if path == "" {
			return
		}
		s.paths[path] = true
		if call := s.event.GetCall(); call != nil {
			call.Partial = true
		}
	}
}

// pathBytes is the size of truncated_fields with the paths, or a few bytes more.
func pathBytes(paths map[string]bool) int {
	const tag = 2 // bytes of the field's number and type
	n := 0
	for path := range paths {
		n += tag + protowire.SizeBytes(len(path))
	}
	return n
}

// collect returns every text of a message.
func collect(m protoreflect.Message, path string, found []text) []text {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		here := join(path, string(f.Name()))
		switch {
		case f.IsMap():
		case f.IsList() && f.Kind() == protoreflect.MessageKind:
			for i := range v.List().Len() {
				found = collect(v.List().Get(i).Message(), fmt.Sprintf("%s[%d]", here, i), found)
			}
		case f.IsList():
		case f.Kind() == protoreflect.MessageKind:
			found = collect(v.Message(), here, found)
		case f.Kind() == protoreflect.StringKind:
			whole := v.String()
			found = append(found, text{path: here, size: len(whole), truncate: func(size int) {
				m.Set(f, protoreflect.ValueOfString(prefix(whole, size)))
			}})
		}
		return true
	})
	return found
}

// halveLargest halves the largest list of a message, or clears its largest map or bytes field, and returns the path.
func halveLargest(m protoreflect.Message) string {
	best, size := "", 0
	var halveBest func()
	var look func(m protoreflect.Message, path string)
	look = func(m protoreflect.Message, path string) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			here := join(path, string(f.Name()))
			switch {
			case f.IsList() || f.IsMap() || f.Kind() == protoreflect.BytesKind:
				alone := m.New()
				alone.Set(f, v)
				if n := proto.Size(alone.Interface()); n > size {
					best, size, halveBest = here, n, func() { halve(m, f) }
				}
			case f.Kind() == protoreflect.MessageKind:
				look(v.Message(), here)
			}
			return true
		})
	}
	look(m, "")
	if halveBest != nil {
		halveBest()
	}
	return best
}

// halve keeps the first half of a list. It clears a list of one element, and a field that is no list.
func halve(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	if f.IsList() {
		if list := m.Mutable(f).List(); list.Len() > 1 {
			list.Truncate(list.Len() / 2)
			return
		}
	}
	m.Clear(f)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// prefix returns the beginning of a text, at most size bytes, without splitting a character.
func prefix(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return strings.Clone(s[:size])
}
