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

// shortText is the length in bytes below which a text is never cut: ids and names stay whole.
const shortText = 1 << 10

// text is a string inside an event, with its path, its size in bytes and a way to replace it.
type text struct {
	path string
	size int
	cut  func(size int)
}

// shrink returns a copy that takes at most limit bytes of a list field on the wire: its longest texts are cut and named in
// truncated_fields. Should texts not be enough, the largest lists lose their ends, named likewise.
func shrink(event *parleyv1.Event, limit int) *parleyv1.Event {
	event = proto.CloneOf(event)
	cut := map[string]bool{}
	over := func() int { return eventwire.FramedSize(proto.Size(event)+pathBytes(cut)) - limit }
	if event.GetUnmapped() != nil && over() > 0 && proto.Size(event.GetUnmapped()) > shortText {
		event.Unmapped = nil
		cut["unmapped"] = true
	}
	for range 64 {
		excess := over()
		if excess <= 0 {
			break
		}
		texts := collect(event.ProtoReflect(), "", nil)
		slices.SortStableFunc(texts, func(a, b text) int { return cmp.Compare(b.size, a.size) })
		if len(texts) == 0 || texts[0].size <= shortText {
			break
		}
		// The longest gives up as much as is needed, but not more than would make it much shorter than the next one.
		floor := shortText
		if len(texts) > 1 {
			floor = max(floor, texts[1].size/2)
		}
		longest := texts[0]
		longest.cut(max(floor, longest.size-excess-64))
		cut[longest.path] = true
	}
	for over() > 0 {
		path := cutLargest(event.ProtoReflect())
		if path == "" {
			break
		}
		cut[path] = true
		if call := event.GetCall(); call != nil {
			call.Partial = true
		}
	}
	for path := range cut {
		event.TruncatedFields = append(event.TruncatedFields, path)
	}
	slices.Sort(event.GetTruncatedFields())
	event.TruncatedFields = slices.Compact(event.GetTruncatedFields())
	return event
}

// pathBytes is the size of truncated_fields with these paths, or a few bytes more.
func pathBytes(paths map[string]bool) int {
	const tag = 2 // bytes of the field's number and type
	n := 0
	for path := range paths {
		n += tag + protowire.SizeBytes(len(path))
	}
	return n
}

// collect finds every text of a message.
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
			found = append(found, text{path: here, size: len(whole), cut: func(size int) {
				m.Set(f, protoreflect.ValueOfString(prefix(whole, size)))
			}})
		}
		return true
	})
	return found
}

// cutLargest halves the list that takes the most bytes, or clears the map or bytes that do, and returns the path.
func cutLargest(m protoreflect.Message) string {
	best, size := "", 0
	var cutBest func()
	var look func(m protoreflect.Message, path string)
	look = func(m protoreflect.Message, path string) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			here := join(path, string(f.Name()))
			switch {
			case f.IsList() || f.IsMap() || f.Kind() == protoreflect.BytesKind:
				alone := m.New()
				alone.Set(f, v)
				if n := proto.Size(alone.Interface()); n > size {
					best, size, cutBest = here, n, func() { halve(m, f) }
				}
			case f.Kind() == protoreflect.MessageKind:
				look(v.Message(), here)
			}
			return true
		})
	}
	look(m, "")
	if cutBest != nil {
		cutBest()
	}
	return best
}

// halve keeps the first half of a list; a list of one element, and what is no list, is cleared.
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

// prefix cuts a text that is longer than size, without cutting a character in two.
func prefix(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return strings.Clone(s[:size])
}
