package graphmap

import (
	"hash/maphash"
	"slices"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// read reads a record of the plan into a draft. A record with equal names in one object is read without their repeats.
// Errors are ErrRecord and ErrDepth.
func (t *Table) read(p *plan, record []byte) (*Draft, error) {
	d, ok := t.drafts.Get().(*Draft)
	if !ok {
		d = &Draft{pool: &t.drafts, seed: maphash.MakeSeed()}
	}
	if d.readRecord(p, record) {
		return d, nil
	}
	unique, err := withoutRepeats(record)
	if err == nil && !d.readUnique(p, unique) {
		err = ErrRecord
	}
	if err != nil {
		d.Release()
		return nil, err
	}
	return d, nil
}

// readRecord reads a record. It reports false for one that is malformed, nested too deeply, or has equal names in one object.
func (d *Draft) readRecord(p *plan, record []byte) bool {
	d.unique = false
	return d.readRoot(p, record)
}

// readUnique is readRecord for a record whose objects have no equal names, which it does not check.
func (d *Draft) readUnique(p *plan, record []byte) bool {
	d.unique = true
	return d.readRoot(p, record)
}

// readRoot reads the object that the record is.
func (d *Draft) readRoot(p *plan, record []byte) bool {
	d.reset(record)
	at := jsonscan.Space(record, 0)
	slots := [maxSlots]Node{RootNode, SourceNode, DetailNode}
	end, ok := d.object(at, 1, p, slots)
	return ok && jsonscan.Space(record, end) == len(record)
}

// members is the state of an object while it is read.
type members struct {
	plan     *plan
	slots    [maxSlots]Node          // the messages that the object fills
	seen     seen                    // known properties
	filledBy [maxAltFields]*property // by altField: the property that has filled the field
	extras   int                     // index of the object's first extra
	names    map[uint64]struct{}     // hashes of undeclared properties, once there are more than a few
	skipped  []span                  // members that were skipped because the budget was used up
	skipping bool                    // the member before was skipped
}

// object reads the object at i, which is depth levels deep. All of its members are in the table or go to unmapped. Like the other
// methods of a Draft that read, it returns the position after the value, and false for a record that is refused.
func (d *Draft) object(i, depth int, p *plan, slots [maxSlots]Node) (end int, ok bool) {
	if i >= len(d.record) || d.record[i] != '{' || depth > MaxDepth {
		return i, false
	}
	i = jsonscan.Space(d.record, i+1)
	if i < len(d.record) && d.record[i] == '}' {
		return i + 1, true
	}
	m := members{plan: p, slots: slots, extras: len(d.extras)}
	for {
		start := i
		var name []byte
		if name, i, ok = memberName(d.record, i); !ok {
			return i, false
		}
		if i, ok = d.member(start, i, depth, name, &m); !ok {
			return i, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(d.record, i, '}'); !ok {
			return i, false
		}
		if !more {
			d.addExtraMembers(m.skipped)
			return i, true
		}
	}
}

// memberName reads the name of the member at i and the colon after it.
func memberName(b []byte, i int) (name []byte, value int, ok bool) {
	end, form, ok := jsonscan.String(b, i)
	if !ok {
		return nil, end, false
	}
	name = b[i+1 : end-1]
	if form != 0 {
		name = appendUnquoted(nil, name)
	}
	value, ok = jsonscan.Colon(b, end)
	return name, value, ok
}

// member reads the value at i of the member that begins at start.
func (d *Draft) member(start, i, depth int, name []byte, m *members) (end int, ok bool) {
	prop := d.property(m.plan, name)
	switch {
	case prop != nil:
		m.skipping = false
		return d.declared(i, depth, prop, name, m)
	case d.exhausted():
		return d.skipMember(start, i, depth, m)
	case isAnnotation(name):
		return d.annotation(i, depth, name)
	default:
		return d.undeclared(i, depth, name, m)
	}
}

// undeclared adds a member that the table does not know to unmapped.
func (d *Draft) undeclared(i, depth int, name []byte, m *members) (end int, ok bool) {
	if !d.unique && d.repeats(name, m) {
		return i, false
	}
	if i < len(d.record) && d.record[i] == 'n' {
		return jsonscan.Literal(d.record, i)
	}
	d.path = append(d.path, step{name: d.intern(name), index: -1})
	if m.plan.fanOut != "" && m.plan.fanOut == string(name) && i < len(d.record) && d.record[i] == '[' {
		i, ok = d.fanOutList(i, depth+1, m.plan.size)
	} else {
		i, ok = d.addExtraValue(i, depth)
	}
	d.pop()
	return i, ok
}

// repeats reports whether the object has an undeclared property of the name already. One that was null does not count.
func (d *Draft) repeats(name []byte, m *members) bool {
	extras, level := d.extras[m.extras:], len(d.path)+1
	if len(extras) <= fewNames {
		return slices.ContainsFunc(extras, func(e extra) bool { return e.to-e.from == level && d.steps[e.to-1].name == string(name) })
	}
	if m.names == nil {
		m.names = make(map[uint64]struct{}, 4*fewNames)
		for _, e := range extras {
			if e.to-e.from == level {
				m.names[maphash.String(d.seed, d.steps[e.to-1].name)] = struct{}{}
			}
		}
	}
	before := len(m.names)
	m.names[maphash.Bytes(d.seed, name)] = struct{}{}
	return len(m.names) == before
}

func (d *Draft) pop() { d.path = d.path[:len(d.path)-1] }

// declared reads the value of a property that the table knows, which the record calls name.
func (d *Draft) declared(i, depth int, p *property, name []byte, m *members) (end int, ok bool) {
	if i >= len(d.record) {
		return i, false
	}
	parent := m.slots[p.slot]
	if m.seen.add(p.index) {
		if !m.plan.folded {
			return i, false
		}
		m.clear(d, p) // another spelling of the name: the last one counts
	}
	if d.record[i] == 'n' {
		return jsonscan.Literal(d.record, i)
	}
	step := step{name: p.name, index: -1}
	if m.plan.folded {
		step.name = d.intern(name)
	}
	d.path = append(d.path, step)
	switch {
	case p.altField >= 0 && m.filledBy[p.altField] != nil:
		i, ok = d.addExtraValue(i, depth)
	case p.list:
		i, ok = d.elements(i, depth, p, parent)
	default:
		i, ok = d.value(i, depth, p, parent)
	}
	d.pop()
	if p.altField >= 0 && m.filledBy[p.altField] == nil && (d.Child(parent, p.number) != NoNode || p.other != nil && d.Child(parent, p.otherNumber) != NoNode) {
		m.filledBy[p.altField] = p
	}
	return i, ok
}

// clear removes the fields that a property has filled.
func (m *members) clear(d *Draft, p *property) {
	if p.altField >= 0 && m.filledBy[p.altField] != p {
		return
	}
	d.Clear(m.slots[p.slot], p.number)
	if p.other != nil {
		d.Clear(m.slots[p.slot], p.otherNumber)
	}
	if p.altField >= 0 {
		m.filledBy[p.altField] = nil
	}
}

// value reads the value of a field that is not a list.
func (d *Draft) value(i, depth int, p *property, parent Node) (end int, ok bool) {
	switch {
	case p.kind == kindMessage && d.record[i] == '{':
		return d.message(i, depth, p, parent)
	case p.kind == kindObject && d.record[i] == '{':
		start := len(d.scratch)
		if i, ok = d.genericObject(i, depth+1); ok {
			d.leaf(parent, p.number, formBytes).data = d.scratch[start:len(d.scratch):len(d.scratch)]
		}
		return i, ok
	case p.kind == kindMessage || p.kind == kindObject:
		return d.addExtraValue(i, depth)
	default:
		return d.scalar(i, depth, p, parent)
	}
}

// message reads the object at i into a message below parent.
func (d *Draft) message(i, depth int, p *property, parent Node) (end int, ok bool) {
	d.budget -= p.sub.size
	return d.object(i, depth+1, p.sub, [maxSlots]Node{d.add(parent, p.number, formMessage)})
}

// elements reads a list of texts, enumeration members or objects.
func (d *Draft) elements(i, depth int, p *property, parent Node) (end int, ok bool) {
	if d.record[i] != '[' {
		return d.addExtraValue(i, depth)
	}
	depth++
	if depth > MaxDepth {
		return i, false
	}
	i = jsonscan.Space(d.record, i+1)
	if i < len(d.record) && d.record[i] == ']' {
		return i + 1, true
	}
	d.path = append(d.path, step{})
	defer d.pop()
	packed := NoNode
	for n := 0; ; n++ {
		d.path[len(d.path)-1].index = n
		if d.exhausted() {
			return d.addExtraRest(i, depth)
		}
		if i, ok = d.element(i, depth, p, parent, &packed); !ok {
			return i, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(d.record, i, ']'); !ok || !more {
			return i, ok
		}
	}
}

// element reads an element of a list. packed is the node of the list's known enumeration members, once there is one.
func (d *Draft) element(i, depth int, p *property, parent Node, packed *Node) (end int, ok bool) {
	if i >= len(d.record) {
		return i, false
	}
	switch c := d.record[i]; {
	case c == 'n':
		return jsonscan.Literal(d.record, i)
	case p.kind == kindMessage && c == '{':
		return d.message(i, depth, p, parent)
	case p.kind == kindString && c == '"':
		d.budget -= stringCost
		text, end, ok := d.text(i)
		if ok {
			d.leaf(parent, p.number, formBytes).data = text
		}
		return end, ok
	case p.kind == kindString && isDigit(c):
		d.budget -= stringCost
		end, ok = jsonscan.Number(d.record, i)
		if ok {
			d.leaf(parent, p.number, formBytes).data = d.record[i:end]
		}
		return end, ok
	case p.kind == kindEnum && c == '"':
		d.budget -= stringCost
		return d.listedMember(i, p, parent, packed)
	default:
		return d.addExtraValue(i, depth)
	}
}

// listedMember appends one member of a list of enumeration members. Known and unknown ones go to lists of their own,
// each in Graph's order.
func (d *Draft) listedMember(i int, p *property, parent Node, packed *Node) (end int, ok bool) {
	text, end, ok := d.text(i)
	if !ok || len(text) == 0 {
		return end, ok
	}
	if number, known := p.enum[string(text)]; known {
		if *packed == NoNode {
			*packed = d.add(parent, p.number, formPacked)
		}
		d.leaf(*packed, 0, formVarint).value = uint64(number)
		return end, true
	}
	if p.other == nil {
		d.addExtraText(text)
		return end, true
	}
	d.leaf(parent, p.otherNumber, formBytes).data = text
	return end, true
}
