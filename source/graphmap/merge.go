package graphmap

import "google.golang.org/protobuf/types/known/structpb"

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

// Merge puts extra, the properties of a record of a nested page that no field takes, into dst, the unmapped Struct of the event or
// conversation that the page belongs to, under path (such as "sessions", "3"). It returns the Struct, which is dst unless that was nil;
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
