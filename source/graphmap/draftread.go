package graphmap

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// Draft reads a record of the usual shape without building messages. It reports false for any other, malformed ones
// included: Event then says what is wrong, or maps what is only unusual (equal names, broken UTF-8, escapes in names).
// For what it accepts, the encoded draft is the message that Event returns. Give the draft back with [Table.Release].
func (t *Table) Draft(root string, record []byte) (*Draft, bool) {
	var p *plan
	switch root {
	case RootChatMessage:
		p = t.chat
	case RootAIInteraction:
		p = t.copilot
	case RootCallRecord:
		p = t.call
	default:
		return nil, false
	}
	d, ok := t.drafts.Get().(*Draft)
	if !ok {
		d = &Draft{}
	}
	d.reset(record)
	at := jsonscan.Space(record, 0)
	slots := [maxSlots]Node{RootNode, SourceNode, DetailNode}
	at, ok = d.object(at, 1, p, &slots)
	if !ok || jsonscan.Space(record, at) != len(record) {
		t.Release(d)
		return nil, false
	}
	d.group(root)
	return d, true
}

// Release takes a draft back. What Encode returned stays valid.
func (t *Table) Release(d *Draft) {
	d.release()
	t.drafts.Put(d)
}

// group attaches source and detail to the event; setChatDetail does the same for messages.
func (d *Draft) group(root string) {
	d.nodes[SourceNode].number = sourceNumber
	d.attach(RootNode, SourceNode)
	parent, number := RootNode, protowire.Number(copilotNumber)
	switch root {
	case RootCallRecord:
		number = callNumber
	case RootChatMessage:
		number = chatNumber
		system := d.Child(RootNode, systemNumber)
		if system == NoNode && d.Number(d.Child(DetailNode, messageTypeNumber)) == systemMessage {
			system = d.add(RootNode, systemNumber, formMessage)
		}
		if system != NoNode {
			parent, number = system, systemMessageNumber
		}
	default:
	}
	d.nodes[DetailNode].number = number
	d.attach(parent, DetailNode)
}

// object reads the object at i; see decoder.object.
func (d *Draft) object(i, depth int, p *plan, slots *[maxSlots]Node) (end int, ok bool) {
	if i >= len(d.b) || d.b[i] != '{' || depth > MaxDepth || p.folded || len(d.nodes) > maxNodes {
		return i, false
	}
	i = jsonscan.Space(d.b, i+1)
	if i < len(d.b) && d.b[i] == '}' {
		return i + 1, true
	}
	var had seen
	var owners [maxRivals]*property
	from := len(d.extras)
	for {
		start := i
		var form jsonscan.Form
		if i, form, ok = jsonscan.String(d.b, i); !ok || form != 0 {
			return i, false
		}
		name := d.b[start+1 : i-1]
		if i, ok = jsonscan.Colon(d.b, i); !ok {
			return i, false
		}
		prop := d.property(p, name)
		switch {
		case prop != nil:
			if had.add(prop.index) {
				return i, false
			}
			i, ok = d.member(i, depth, prop, slots, &owners)
		case leadsOn(name):
			return i, false // to the decoder, which tells it
		case bytes.Contains(name, odata):
			i, ok = jsonscan.Skip(d.b, i, depth)
		default:
			i, ok = d.undeclared(i, depth, name, from)
		}
		if !ok {
			return i, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(d.b, i, '}'); !ok || !more {
			return i, ok
		}
	}
}

var odata = []byte("@odata.")

// leadsOn reports whether a member links to what follows a list.
func leadsOn(name []byte) bool {
	if bytes.IndexByte(name, '@') <= 0 {
		return false
	}
	list, isLink := graphclient.NextLinkOf(string(name))
	return isLink && list != ""
}

// undeclared keeps a member that the table does not know; from is where the extras of its object begin.
func (d *Draft) undeclared(i, depth int, name []byte, from int) (end int, ok bool) {
	level := len(d.path)
	if len(d.extras) > maxExtras {
		return i, false
	}
	for _, e := range d.extras[from:] {
		if e.to-e.from == level+1 && d.steps[e.to-1].name == string(name) {
			return i, false // equal names
		}
	}
	if i < len(d.b) && d.b[i] == 'n' {
		return jsonscan.Literal(d.b, i)
	}
	d.path = append(d.path, step{name: d.name(name), index: -1})
	i, ok = d.keepRaw(i, depth)
	d.path = d.path[:level]
	return i, ok
}

// member reads the value of a known property; see decoder.member.
func (d *Draft) member(i, depth int, p *property, slots *[maxSlots]Node, owners *[maxRivals]*property) (end int, ok bool) {
	if i >= len(d.b) {
		return i, false
	}
	if d.b[i] == 'n' {
		return jsonscan.Literal(d.b, i)
	}
	parent := slots[p.slot]
	d.path = append(d.path, step{name: p.name, index: -1})
	switch {
	case p.rival >= 0 && owners[p.rival] != nil:
		i, ok = d.keepRaw(i, depth)
	case p.list:
		i, ok = d.elements(i, depth, p, parent)
	default:
		i, ok = d.value(i, depth, p, parent)
	}
	d.path = d.path[:len(d.path)-1]
	if p.rival >= 0 && owners[p.rival] == nil && (d.Child(parent, p.number) != NoNode || p.other != nil && d.Child(parent, p.otherNumber) != NoNode) {
		owners[p.rival] = p
	}
	return i, ok
}

func (d *Draft) value(i, depth int, p *property, parent Node) (end int, ok bool) {
	switch {
	case p.kind == kindMessage && d.b[i] == '{':
		return d.object(i, depth+1, p.sub, &[maxSlots]Node{d.add(parent, p.number, formMessage)})
	case p.kind == kindObject && d.b[i] == '{':
		start := len(d.scratch)
		if i, ok = d.rawObject(i, depth+1); ok {
			d.leaf(parent, p.number, formBytes).data = d.scratch[start:len(d.scratch):len(d.scratch)]
		}
		return i, ok
	case p.kind == kindMessage || p.kind == kindObject:
		return d.keepRaw(i, depth)
	default:
		return d.scalar(i, depth, p, parent)
	}
}

func (d *Draft) elements(i, depth int, p *property, parent Node) (end int, ok bool) {
	if d.b[i] != '[' {
		return d.keepRaw(i, depth)
	}
	depth++
	if depth > MaxDepth {
		return i, false
	}
	i = jsonscan.Space(d.b, i+1)
	if i < len(d.b) && d.b[i] == ']' {
		return i + 1, true
	}
	d.path = append(d.path, step{})
	defer func() { d.path = d.path[:len(d.path)-1] }()
	for n := 0; ; n++ {
		d.path[len(d.path)-1].index = n
		if i, ok = d.element(i, depth, p, parent); !ok {
			return i, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(d.b, i, ']'); !ok || !more {
			return i, ok
		}
	}
}

func (d *Draft) element(i, depth int, p *property, parent Node) (end int, ok bool) {
	if i >= len(d.b) || len(d.nodes) > maxNodes {
		return i, false
	}
	switch c := d.b[i]; {
	case c == 'n':
		return jsonscan.Literal(d.b, i)
	case p.kind == kindMessage && c == '{':
		return d.object(i, depth+1, p.sub, &[maxSlots]Node{d.add(parent, p.number, formMessage)})
	case p.kind == kindString && c == '"':
		text, end, ok := d.text(i)
		if ok {
			d.leaf(parent, p.number, formBytes).data = text
		}
		return end, ok
	case p.kind == kindString && isDigit(c):
		end, ok = jsonscan.Number(d.b, i)
		if ok {
			d.leaf(parent, p.number, formBytes).data = d.b[i:end]
		}
		return end, ok
	case p.kind == kindEnum && c == '"':
		return d.listedMember(i, p, parent)
	default:
		return d.keepRaw(i, depth)
	}
}

// isDigit reports whether a number begins with c.
func isDigit(c byte) bool { return c == '-' || '0' <= c && c <= '9' }

func (d *Draft) listedMember(i int, p *property, parent Node) (end int, ok bool) {
	text, end, ok := d.text(i)
	if !ok || len(text) == 0 {
		return end, ok
	}
	if number, known := p.enum[string(text)]; known {
		list := d.Child(parent, p.number)
		if list == NoNode {
			list = d.add(parent, p.number, formPacked)
		}
		d.leaf(list, 0, formVarint).value = uint64(number)
		return end, true
	}
	if p.other == nil {
		d.keepText(text)
		return end, true
	}
	d.leaf(parent, p.otherNumber, formBytes).data = text
	return end, true
}

// text reads a string. It refuses what is not UTF-8.
func (d *Draft) text(i int) (text []byte, end int, ok bool) {
	end, form, ok := jsonscan.String(d.b, i)
	if !ok {
		return nil, end, false
	}
	inner := d.b[i+1 : end-1]
	switch {
	case form&jsonscan.Escapes != 0:
		start := len(d.scratch)
		if d.scratch, ok = jsonscan.AppendUnquoted(d.scratch, inner); !ok {
			return nil, end, false
		}
		return d.scratch[start:len(d.scratch):len(d.scratch)], end, true
	case form&jsonscan.High != 0 && !utf8.Valid(inner):
		return nil, end, false
	default:
		return inner, end, true
	}
}

// scalar reads a value that is no object or list into a field of another kind; see decoder.scalar.
func (d *Draft) scalar(i, depth int, p *property, parent Node) (end int, ok bool) {
	switch c := d.b[i]; {
	case c == '"':
		text, end, ok := d.text(i)
		if ok && len(text) > 0 && !d.setText(p, parent, text) {
			d.keepText(text)
		}
		return end, ok
	case isDigit(c):
		if end, ok = jsonscan.Number(d.b, i); ok {
			d.setDigits(p, parent, d.b[i:end])
		}
		return end, ok
	case (c == 't' || c == 'f') && p.kind == kindBool:
		if end, ok = jsonscan.Literal(d.b, i); ok {
			d.setBool(p, parent, c == 't')
		}
		return end, ok
	case p.kind == kindType:
		return jsonscan.Skip(d.b, i, depth)
	default:
		return d.keepRaw(i, depth)
	}
}

func (d *Draft) setBool(p *property, parent Node, value bool) {
	if value || p.presence {
		d.leaf(parent, p.number, formVarint).value = map[bool]uint64{true: 1}[value]
	}
}

// putText adds a text field, as message fields with presence or without do.
func (d *Draft) putText(number protowire.Number, presence bool, parent Node, text []byte) {
	if len(text) > 0 || presence {
		d.leaf(parent, number, formBytes).data = text
	}
}

// setText sets the field from a text that is not empty and reports whether nothing was lost.
func (d *Draft) setText(p *property, parent Node, text []byte) bool {
	switch p.kind {
	case kindString:
		d.putText(p.number, p.presence, parent, text)
	case kindName:
		number := p.number
		if bytes.HasPrefix(text, addressMark) && isAddress(string(text)) {
			number = p.otherNumber
		}
		d.putText(number, p.presence, parent, text)
	case kindType:
		d.putText(p.number, p.presence, parent, bareType(text))
	case kindEnum:
		if number, known := p.enum[string(text)]; known {
			if number != 0 || p.presence {
				d.leaf(parent, p.number, formVarint).value = uint64(number)
			}
			return true
		}
		if p.other == nil {
			return false
		}
		d.putText(p.otherNumber, false, parent, text)
	case kindTime:
		at, state := parseTime(string(text))
		if state == timeValid {
			d.setInstant(p, parent, at)
		}
		return state != timeMalformed
	case kindDate:
		day, state := parseDate(string(text))
		if state == timeValid {
			d.putText(p.number, p.presence, parent, []byte(day))
		}
		return state != timeMalformed
	case kindDuration:
		length, ok := parseDuration(string(text))
		if ok {
			d.setInstant(p, parent, length)
		}
		return ok
	case kindBytes:
		data, ok := parseBytes(string(text))
		if ok {
			d.putText(p.number, p.presence, parent, data)
		}
		return ok
	case kindBool:
		if word := string(text); word == "true" || word == "false" {
			d.setBool(p, parent, word == "true")
			return true
		}
		return false
	default:
		return d.setNumber(p, parent, string(text), true)
	}
	return true
}

var addressMark = []byte("8:")

func (d *Draft) setInstant(p *property, parent Node, at instant) {
	n := d.leaf(parent, p.number, formTime)
	n.value, n.nanos = uint64(at.seconds), at.nanos
}

// setDigits reads a number into a field of any kind; see decoder.number.
func (d *Draft) setDigits(p *property, parent Node, digits []byte) {
	switch p.kind {
	case kindString, kindName:
		d.putText(p.number, p.presence, parent, digits)
	case kindType:
	case kindInt32, kindInt64, kindFloat32, kindFloat64:
		if !d.setNumber(p, parent, string(digits), false) {
			d.keepNumber(digits)
		}
	default:
		d.keepNumber(digits)
	}
}

// setNumber sets a numeric field; see property.setNumber.
func (d *Draft) setNumber(p *property, parent Node, text string, quoted bool) bool {
	if quoted && !isNumber(text) {
		special, ok := specialFloats[text]
		if ok && (p.kind == kindFloat32 || p.kind == kindFloat64) {
			d.setFloat(p, parent, special)
			return true
		}
		return false
	}
	switch p.kind {
	case kindInt32, kindInt64:
		n, ok := parseInteger(text)
		if !ok || p.kind == kindInt32 && (n < math.MinInt32 || n > math.MaxInt32) {
			return false
		}
		if n != 0 || p.presence {
			d.leaf(parent, p.number, formVarint).value = uint64(n)
		}
		return true
	case kindFloat32:
		f, exact, ok := parseSingle(text)
		if ok {
			d.setFloat(p, parent, float64(f))
		}
		return exact
	case kindFloat64:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil {
			d.setFloat(p, parent, f)
		}
		return err == nil && sameNumber(text, f, 64)
	default:
		return false
	}
}

func (d *Draft) setFloat(p *property, parent Node, f float64) {
	f32 := p.kind == kindFloat32
	value, form := math.Float64bits(f), formFixed64
	if f32 {
		value, form = uint64(math.Float32bits(float32(f))), formFixed32
	}
	if value != 0 || p.presence {
		d.leaf(parent, p.number, form).value = value
	}
}

// bareType is typeName for bytes.
func bareType(text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("#"))
	for _, namespace := range [...]string{"microsoft.graph.callRecords.", "microsoft.graph."} {
		if len(text) > len(namespace) && strings.EqualFold(string(text[:len(namespace)]), namespace) {
			return text[len(namespace):]
		}
	}
	return text
}
