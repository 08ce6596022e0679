package graphmap

import (
	"bytes"
	"reflect"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
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
func (d *Draft) spent() bool { return d.left <= 0 }

// keepRest keeps what is left of a list, from the element at i on.
func (d *Draft) keepRest(i, depth int) (end int, ok bool) {
	start := len(d.scratch)
	if end, ok = d.rest(i, depth, '['); ok {
		d.keep(start)
	}
	return end, ok
}

// rest passes over what is left of a list or an object from i on and appends it as the text of a JSON list or object.
func (d *Draft) rest(i, depth int, opening byte) (end int, ok bool) {
	left := stretch{from: i}
	for {
		if opening == '{' {
			if _, i, ok = memberName(d.b, i); !ok {
				return i, false
			}
		}
		if i, ok = jsonscan.Skip(d.b, i, depth); !ok {
			return i, false
		}
		left.to = i
		var more bool
		if i, more, ok = jsonscan.Next(d.b, i, closing(opening)); !ok {
			return i, false
		}
		if !more {
			d.appendJSON(opening, left)
			return i, true
		}
	}
}

// closing is the bracket that closes what opening opens: } and ] stand two places behind { and [.
func closing(opening byte) byte { return opening + 2 }

// stretch is a part of the record, from one position to another.
type stretch struct{ from, to int }

// appendJSON joins parts of the record to the text of a list or an object and appends it as a google.protobuf.Value.
func (d *Draft) appendJSON(opening byte, parts ...stretch) {
	d.scratch = protowire.AppendTag(d.scratch, valueString, protowire.BytesType)
	mark := d.open()
	size := 2
	for _, part := range parts {
		size += part.to - part.from + 1
	}
	d.scratch = append(slices.Grow(d.scratch, size), opening)
	for i, part := range parts {
		if i > 0 {
			d.scratch = append(d.scratch, ',')
		}
		d.scratch = append(d.scratch, d.b[part.from:part.to]...)
	}
	d.scratch = append(d.scratch, closing(opening))
	if text := d.scratch[mark:]; !utf8.Valid(text) {
		d.scratch = append(d.scratch[:mark], bytes.ToValidUTF8(text, []byte("\ufffd"))...)
	}
	d.close(mark)
}

// leave passes over a member that there is no room for, and notes where it stands: from start on, with its value at i.
func (d *Draft) leave(start, i, depth int, m *members) (end int, ok bool) {
	if end, ok = jsonscan.Skip(d.b, i, depth); !ok {
		return end, false
	}
	if n := len(m.left); n > 0 && (m.passed || n >= maxStretches) {
		m.left[n-1].to = end // from n = maxStretches on, with the known members between them
	} else {
		m.left = append(m.left, stretch{start, end})
	}
	m.passed = true
	return end, true
}

// keepLeft keeps the members that there was no room for.
func (d *Draft) keepLeft(left []stretch) {
	if len(left) == 0 {
		return
	}
	d.path = append(d.path, step{name: restName, index: -1})
	start := len(d.scratch)
	d.appendJSON('{', left...)
	d.keep(start)
	d.pop()
}
