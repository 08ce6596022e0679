package graphmap

import (
	"hash/maphash"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// Fields of google.protobuf.Struct, Value and ListValue, and of their map entries.
const (
	structFields = 1
	entryKey     = 1
	entryValue   = 2
	valueNull    = 1
	valueNumber  = 2
	valueString  = 3
	valueBool    = 4
	valueStruct  = 5
	valueList    = 6
	listValues   = 1
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

// extra is a value for unmapped: the path to it and its google.protobuf.Value on the wire. Extras come in the order of
// the record, so the extras of one object stand together.
type extra struct {
	from, to int // in steps
	value    []byte
}

// addExtra adds the value that scratch holds from start on to unmapped, under the current path.
func (d *Draft) addExtra(start int) {
	d.budget -= memberCost
	from := len(d.steps)
	d.steps = append(d.steps, d.path...)
	d.extras = append(d.extras, extra{from: from, to: len(d.steps), value: d.scratch[start:len(d.scratch):len(d.scratch)]})
}

func (d *Draft) addExtraText(text []byte) {
	start := len(d.scratch)
	d.scratch = appendText(d.scratch, text)
	d.addExtra(start)
}

func (d *Draft) addExtraNumber(digits []byte) {
	start := len(d.scratch)
	d.scratch = appendNumber(d.scratch, string(digits))
	d.addExtra(start)
}

// addExtraValue adds the value at i, which is not null, as it is.
func (d *Draft) addExtraValue(i, depth int) (end int, ok bool) {
	start := len(d.scratch)
	if end, ok = d.genericValue(i, depth); ok {
		d.addExtra(start)
	}
	return end, ok
}

// genericValue appends the value at i, of whatever shape, to scratch as a google.protobuf.Value. Null members and annotations of objects
// are left out, but @odata.type is not: without it nobody could say what an object of an unknown type is. Nulls in lists keep
// their place.
func (d *Draft) genericValue(i, depth int) (end int, ok bool) {
	if i >= len(d.record) {
		return i, false
	}
	switch c := d.record[i]; {
	case c == '"':
		return d.genericText(i)
	case c == '{', c == '[':
		number, read := protowire.Number(valueStruct), d.genericObject
		if c == '[' {
			number, read = valueList, d.genericList
		}
		d.scratch = protowire.AppendTag(d.scratch, number, protowire.BytesType)
		mark := d.openLength()
		if end, ok = read(i, depth+1); ok {
			d.closeLength(mark)
		}
		return end, ok
	case isDigit(c):
		if end, ok = jsonscan.Number(d.record, i); ok {
			d.scratch = appendNumber(d.scratch, string(d.record[i:end]))
		}
		return end, ok
	default:
		if end, ok = jsonscan.Literal(d.record, i); ok {
			number := protowire.Number(valueBool)
			if c == 'n' {
				number = valueNull
			}
			d.scratch = protowire.AppendVarint(protowire.AppendTag(d.scratch, number, protowire.VarintType), protowire.EncodeBool(c == 't'))
		}
		return end, ok
	}
}

// genericText appends the string at i.
func (d *Draft) genericText(i int) (end int, ok bool) {
	end, form, ok := jsonscan.String(d.record, i)
	if !ok {
		return end, false
	}
	inner := d.record[i+1 : end-1]
	if form&jsonscan.Escapes == 0 && (form&jsonscan.High == 0 || utf8.Valid(inner)) {
		d.scratch = appendText(d.scratch, inner)
		return end, true
	}
	d.scratch = protowire.AppendTag(d.scratch, valueString, protowire.BytesType)
	mark := d.openLength()
	d.scratch = appendUnquoted(d.scratch, inner)
	d.closeLength(mark)
	return end, true
}

// openLength begins a value that its length precedes. The mark that it returns is for closeLength.
func (d *Draft) openLength() int {
	d.scratch = append(d.scratch, 0)
	return len(d.scratch)
}

// closeLength writes the length of what was appended since openLength.
func (d *Draft) closeLength(mark int) {
	size := len(d.scratch) - mark
	more := protowire.SizeVarint(uint64(size)) - 1
	for range more {
		d.scratch = append(d.scratch, 0)
	}
	if more > 0 {
		copy(d.scratch[mark+more:], d.scratch[mark:mark+size])
	}
	protowire.AppendVarint(d.scratch[:mark-1], uint64(size))
}

// genericObject appends the members of the object at i as those of a Struct.
func (d *Draft) genericObject(i, depth int) (end int, ok bool) {
	if depth > MaxDepth {
		return i, false
	}
	i = jsonscan.Space(d.record, i+1)
	if i < len(d.record) && d.record[i] == '}' {
		return i + 1, true
	}
	var names nameSet
	for {
		if d.exhausted() {
			entry, value := d.openEntry([]byte(restName))
			end, ok = d.appendRest(i, depth, '{')
			d.closeEntry(entry, value)
			return end, ok
		}
		var name []byte
		if name, i, ok = memberName(d.record, i); !ok || !d.unique && !names.add(maphash.Bytes(d.seed, name)) {
			return i, false
		}
		switch {
		case string(name) != typeProperty && isAnnotation(name):
			i, ok = d.annotation(i, depth, name)
		case i < len(d.record) && d.record[i] == 'n':
			i, ok = jsonscan.Literal(d.record, i)
		default:
			entry, value := d.openEntry(name)
			if i, ok = d.genericValue(i, depth); ok {
				d.closeEntry(entry, value)
				d.budget -= memberCost
			}
		}
		if !ok {
			return i, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(d.record, i, '}'); !ok || !more {
			return i, ok
		}
	}
}

// openEntry begins an entry of a Struct, up to its value.
func (d *Draft) openEntry(name []byte) (entry, value int) {
	d.scratch = protowire.AppendTag(d.scratch, structFields, protowire.BytesType)
	entry = d.openLength()
	d.scratch = protowire.AppendBytes(protowire.AppendTag(d.scratch, entryKey, protowire.BytesType), name)
	d.scratch = protowire.AppendTag(d.scratch, entryValue, protowire.BytesType)
	return entry, d.openLength()
}

func (d *Draft) closeEntry(entry, value int) {
	d.closeLength(value)
	d.closeLength(entry)
}

// genericList appends the elements of the list at i as those of a ListValue.
func (d *Draft) genericList(i, depth int) (end int, ok bool) {
	if depth > MaxDepth {
		return i, false
	}
	i = jsonscan.Space(d.record, i+1)
	if i < len(d.record) && d.record[i] == ']' {
		return i + 1, true
	}
	for {
		exhausted := d.exhausted()
		d.budget -= elementCost
		d.scratch = protowire.AppendTag(d.scratch, listValues, protowire.BytesType)
		value := d.openLength()
		if exhausted {
			end, ok = d.appendRest(i, depth, '[')
			d.closeLength(value)
			return end, ok
		}
		if i, ok = d.genericValue(i, depth); !ok {
			return i, false
		}
		d.closeLength(value)
		var more bool
		if i, more, ok = jsonscan.Next(d.record, i, ']'); !ok || !more {
			return i, ok
		}
	}
}

func appendText(b, text []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, valueString, protowire.BytesType), text)
}

// appendNumber appends a number as a Value: a double, or its text where a double would change it.
func appendNumber(b []byte, text string) []byte {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !sameNumber(text, f, 64) {
		return protowire.AppendString(protowire.AppendTag(b, valueString, protowire.BytesType), text)
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, valueNumber, protowire.Fixed64Type), math.Float64bits(f))
}

// memberEnd returns the end of the extras from lo to hi that belong to the same member as lo: their paths have the same step at depth. leaf
// tells that lo is the value of the member, and not something inside it.
func (d *Draft) memberEnd(lo, hi, depth int) (end int, leaf bool) {
	at := d.extras[lo]
	if at.to-at.from == depth+1 {
		return lo + 1, true
	}
	key := d.steps[at.from+depth]
	for end = lo + 1; end < hi; end++ {
		if e := d.extras[end]; e.to-e.from <= depth || d.steps[e.from+depth] != key {
			break
		}
	}
	return end, false
}

// structSize is the size of the Struct of the extras from lo to hi, which share their first depth steps.
func (d *Draft) structSize(lo, hi, depth int) int {
	sum := 0
	for lo < hi {
		end, leaf := d.memberEnd(lo, hi, depth)
		entry := d.entrySize(lo, end, depth, leaf)
		sum += 1 + protowire.SizeBytes(entry)
		lo = end
	}
	return sum
}

// valueSize is the size of the Value of a member: that of its extra, or of the Struct of the extras inside it.
func (d *Draft) valueSize(lo, hi, depth int, leaf bool) int {
	if leaf {
		return len(d.extras[lo].value)
	}
	return 1 + protowire.SizeBytes(d.structSize(lo, hi, depth+1))
}

func (d *Draft) entrySize(lo, hi, depth int, leaf bool) int {
	key := d.steps[d.extras[lo].from+depth].key()
	return 1 + protowire.SizeBytes(len(key)) + 1 + protowire.SizeBytes(d.valueSize(lo, hi, depth, leaf))
}

// appendStruct appends the Struct that structSize measures.
func (d *Draft) appendStruct(b []byte, lo, hi, depth int) []byte {
	size := func(b []byte, n int) []byte { return protowire.AppendVarint(b, uint64(n)) }
	for lo < hi {
		end, leaf := d.memberEnd(lo, hi, depth)
		b = size(protowire.AppendTag(b, structFields, protowire.BytesType), d.entrySize(lo, end, depth, leaf))
		b = protowire.AppendString(protowire.AppendTag(b, entryKey, protowire.BytesType), d.steps[d.extras[lo].from+depth].key())
		b = size(protowire.AppendTag(b, entryValue, protowire.BytesType), d.valueSize(lo, end, depth, leaf))
		if leaf {
			b = append(b, d.extras[lo].value...)
		} else {
			b = size(protowire.AppendTag(b, valueStruct, protowire.BytesType), d.structSize(lo, end, depth+1))
			b = d.appendStruct(b, lo, end, depth+1)
		}
		lo = end
	}
	return b
}
