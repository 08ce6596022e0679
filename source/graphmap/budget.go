package graphmap

import (
	"reflect"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"
)

// A record may take a multiple of its own size in memory, and a sum on top that ordinary records never reach. What Graph
// documents takes two to four times its size; lists of empty objects would take a hundred times.
const (
	allowedTimes = 3
	allowedMore  = 1 << 20

	elementCost = 128 // bytes that an element of an undeclared list takes, beside its text
	memberCost  = 320 // bytes that a member of an undeclared object takes, its place in the map included
	stringCost  = 192 // bytes that an element of a list of texts or enumeration members takes, garbage included
	rowTimes    = 4   // what a row of a fan-out list takes, in sizes of its message: it is copied and filled
	slotCost    = 48  // bytes that a place in a list takes while the list grows
)

// maxStretches bounds the notes of where members without room stand.
const maxStretches = 1 << 10

// restName is the member of unmapped that holds what there was no room for, as JSON text.
const restName = "…"

// sizeOf is what an empty message takes in memory, in bytes.
func sizeOf(md protoreflect.MessageDescriptor) int {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
	if err != nil {
		return memberCost
	}
	return int(reflect.TypeOf(mt.Zero().Interface()).Elem().Size()) + slotCost
}

// spent reports whether the record has used up what it may take.
func (d *decoder) spent() bool { return d.left <= 0 }

// restOfList passes over what is left of a list and returns it as the text of a JSON list. The elements alias nothing.
func (d *decoder) restOfList() (*structpb.Value, error) {
	from := d.json.InputOffset()
	for d.json.PeekKind() != ']' {
		if err := d.json.SkipValue(); err != nil {
			return nil, err
		}
	}
	return d.textOf('[', stretch{from, d.json.InputOffset()}), nil
}

// restOfObject is restOfList for the members of an object.
func (d *decoder) restOfObject() (*structpb.Value, error) {
	from := d.json.InputOffset()
	for d.json.PeekKind() != '}' {
		if err := d.json.SkipValue(); err != nil { // names and values in turn
			return nil, err
		}
	}
	return d.textOf('{', stretch{from, d.json.InputOffset()}), nil
}

// stretch is a part of the record, from one byte offset to another. It may begin with a comma.
type stretch struct{ from, to int64 }

// textOf joins parts of the record to the text of a list or an object.
func (d *decoder) textOf(opening byte, parts ...stretch) *structpb.Value {
	size := 2
	for _, part := range parts {
		size += int(part.to-part.from) + 1
	}
	var out strings.Builder
	out.Grow(size)
	out.WriteByte(opening)
	for i, part := range parts {
		text := d.whole[part.from:part.to]
		for len(text) > 0 && strings.IndexByte(" \t\r\n,", text[0]) >= 0 {
			text = text[1:]
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(text)
	}
	out.WriteByte(opening + 2) // } and ] stand two places behind { and [
	return structpb.NewStringValue(strings.ToValidUTF8(out.String(), "\ufffd"))
}

// leave passes over a member that there is no room for, and notes where it stands; from is the offset before its name.
func (d *decoder) leave(left []stretch, from int64) ([]stretch, error) {
	if err := d.json.SkipValue(); err != nil {
		return left, err
	}
	to := d.json.InputOffset()
	if n := len(left); n > 0 && (left[n-1].to == from || n >= maxStretches) {
		left[n-1].to = to // from n = maxStretches on, with the known members between them
		return left, nil
	}
	return append(left, stretch{from, to}), nil
}

// keepLeft keeps the members that there was no room for.
func (d *decoder) keepLeft(left []stretch) {
	if len(left) == 0 {
		return
	}
	d.path = append(d.path, step{name: restName, index: -1})
	d.keep(d.textOf('{', left...))
	d.pop()
}
