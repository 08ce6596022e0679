package graphmap

import (
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"
)

// step is one element of a path: a property name, or a position in a list where the name is empty and index ≥ 0.
type step struct {
	name  string
	index int
}

func (s step) key() string {
	if s.index >= 0 {
		return strconv.Itoa(s.index)
	}
	return s.name
}

// keep puts v into the unmapped Struct under the current path.
func (d *decoder) keep(v *structpb.Value) {
	d.left -= memberCost
	if d.extra == nil {
		d.extra = &structpb.Struct{}
	}
	last := len(d.path) - 1
	at := d.extra
	for _, s := range d.path[:last] {
		at = child(at, s.key())
	}
	if at.Fields == nil {
		at.Fields = map[string]*structpb.Value{}
	}
	at.Fields[d.path[last].key()] = v
}

// forget removes what was kept under the current path, for a property that comes again.
func (d *decoder) forget() {
	last := len(d.path) - 1
	at := d.extra
	for _, s := range d.path[:last] {
		at = at.GetFields()[s.key()].GetStructValue()
	}
	if fields := at.GetFields(); fields != nil {
		delete(fields, d.path[last].key())
	}
}

// child returns the object under key, made if there is none.
func child(at *structpb.Struct, key string) *structpb.Struct {
	if inner := at.GetFields()[key].GetStructValue(); inner != nil {
		return inner
	}
	inner := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	if at.Fields == nil {
		at.Fields = map[string]*structpb.Value{}
	}
	at.Fields[key] = structpb.NewStructValue(inner)
	return inner
}

// Merge puts what a record of a nested page could not map into the unmapped Struct of the event or conversation that
// the page belongs to, under path (such as "sessions", "3"). It returns the Struct, which is dst unless that was nil;
// an empty extra changes nothing.
func Merge(dst, extra *structpb.Struct, path ...string) *structpb.Struct {
	if len(extra.GetFields()) == 0 {
		return dst
	}
	if dst == nil {
		dst = &structpb.Struct{}
	}
	at := dst
	for _, key := range path {
		at = child(at, key)
	}
	mergeFields(at, extra)
	return dst
}

// mergeFields lays extra over dst; objects that both have are merged.
func mergeFields(dst, extra *structpb.Struct) {
	if dst.Fields == nil {
		dst.Fields = make(map[string]*structpb.Value, len(extra.GetFields()))
	}
	for key, v := range extra.GetFields() {
		both, inner := dst.GetFields()[key].GetStructValue(), v.GetStructValue()
		if both != nil && inner != nil {
			mergeFields(both, inner)
			continue
		}
		dst.Fields[key] = v
	}
}

// prune drops objects that forget has emptied, so that unmapped tells only of what is there.
func prune(s *structpb.Struct) *structpb.Struct {
	if len(s.GetFields()) == 0 {
		return nil
	}
	return s
}
