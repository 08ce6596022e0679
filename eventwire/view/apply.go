package view

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// unmappedField is the field that EVENT_VIEW_BASIC leaves out.
const unmappedField protoreflect.Name = "unmapped"

// Apply returns msg as a view shows it: FULL whole, BASIC without unmapped, METADATA with marked fields only, at every
// depth. Any other view, UNSPECIFIED included, is METADATA: callers put the default of their method in its place first.
//
// msg is never changed. If there is nothing to clear, msg itself is returned; otherwise a copy that shares with it
// what both have, so neither may be changed afterwards.
func Apply(msg proto.Message, v parleyv1.EventView) proto.Message {
	m := msg.ProtoReflect()
	if !m.IsValid() {
		return msg
	}
	switch v {
	case parleyv1.EventView_EVENT_VIEW_FULL:
		return msg
	case parleyv1.EventView_EVENT_VIEW_BASIC:
		return withoutUnmapped(m).Interface()
	default:
		kept, _ := metadataFields(m.Descriptor()).prune(m)
		return kept.Interface()
	}
}

// withoutUnmapped returns m, or a shallow copy of it if it has something unmapped.
func withoutUnmapped(m protoreflect.Message) protoreflect.Message {
	unmapped := m.Descriptor().Fields().ByName(unmappedField)
	if unmapped == nil || !m.Has(unmapped) {
		return m
	}
	out := m.New()
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Number() != unmapped.Number() {
			out.Set(fd, v)
		}
		return true
	})
	out.SetUnknown(m.GetUnknown())
	return out
}

// replacement is the pruned value of a field that holds messages.
type replacement struct {
	number protoreflect.FieldNumber
	value  protoreflect.Value
}

// prune returns m itself and false if every field of it is kept, otherwise a copy of the kept fields and true. Fields that this contract
// does not know are never kept.
func (s *fieldSet) prune(m protoreflect.Message) (protoreflect.Message, bool) {
	changed := len(m.GetUnknown()) > 0
	var replaced []replacement
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		inner, kept := s.kept[fd.Number()]
		switch {
		case !kept:
			changed = true
		case inner == nil: // a value, kept whole
		case fd.IsList():
			if list, pruned := inner.pruneList(m, fd, v.List()); pruned {
				changed, replaced = true, append(replaced, replacement{fd.Number(), list})
			}
		default:
			if message, pruned := inner.prune(v.Message()); pruned {
				changed, replaced = true, append(replaced, replacement{fd.Number(), protoreflect.ValueOfMessage(message)})
			}
		}
		return true
	})
	if !changed {
		return m, false
	}
	out := m.New()
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if _, kept := s.kept[fd.Number()]; !kept {
			return true
		}
		for _, r := range replaced {
			if r.number == fd.Number() {
				v = r.value
			}
		}
		out.Set(fd, v)
		return true
	})
	return out, true
}

// pruneList returns a new list of the pruned elements; false when every element stays whole.
func (s *fieldSet) pruneList(m protoreflect.Message, fd protoreflect.FieldDescriptor, list protoreflect.List) (protoreflect.Value, bool) {
	var out protoreflect.List
	for i := range list.Len() {
		message, pruned := s.prune(list.Get(i).Message())
		if pruned && out == nil {
			out = m.NewField(fd).List()
			for j := range i {
				out.Append(list.Get(j))
			}
		}
		if out != nil {
			out.Append(protoreflect.ValueOfMessage(message))
		}
	}
	if out == nil {
		return protoreflect.Value{}, false
	}
	return protoreflect.ValueOfList(out), true
}
