package graphmap

import (
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/parley-gateway/parley/eventwire"
)

// Draft is a message on its way from a record of Graph to wire bytes: a tree of the fields that the table fills, to which
// the source adds the fields of Parley's own before it is encoded. Texts alias the record, which must stay as it is until the
// Draft is released. A Draft is used by one goroutine.
type Draft struct {
	record    []byte // the record
	unique    bool   // no object of the record repeats a name
	nodes     []node
	scratch   []byte // texts and raw values that the record does not hold as they are
	path      []step
	steps     []step
	extras    []extra
	budget    int          // bytes of memory that the message may still take
	links     []NestedLink // to the rest of lists
	truncated []string     // those lists, as truncated_fields names them
	fanOut    []span       // objects of the plan's fan-out list
	// These outlive the record: names of properties that the table does not know, and the order of those that it knows.
	pool      *sync.Pool
	seed      maphash.Seed
	interned  map[string]string
	guesses   []guess
	nextGuess int // index of the guess for the next property
}

// Node is a place in a Draft: a message or a value.
type Node int32

// Bounds of what a reused Draft holds on to.
const (
	maxKept    = 1 << 15  // nodes, and extras
	maxScratch = 64 << 10 // bytes of scratch
)

// Nodes that every Draft has, and NoNode in place of one that it does not have.
const (
	RootNode   Node = 0 // the event
	SourceNode Node = 1 // its source
	DetailNode Node = 2 // its detail; for a note of Teams the chat detail inside
	NoNode     Node = -1
)

// form is how a node stands on the wire.
type form uint8

const (
	formMessage form = iota
	formBytes        // text, bytes, or a message that is encoded already
	formVarint
	formFixed32
	formFixed64
	formPacked // its children are varints without tags
	formTime   // seconds and nanos, as of Timestamp and Duration
)

// node is a field with its value. Children are linked in the order of their field numbers.
type node struct {
	number            protowire.Number
	first, last, next Node
	latest            Node // child that was attached last
	form              form
	nanos             int32
	size              uint32 // of the payload, once measured
	value             uint64
	data              []byte
}

// reset begins a draft of the record.
func (d *Draft) reset(record []byte) {
	d.record, d.nextGuess = record, 0
	d.budget = budgetTimes*len(record) + budgetBase
	d.links, d.truncated, d.fanOut = nil, nil, d.fanOut[:0]
	d.nodes, d.scratch, d.path, d.steps, d.extras = d.nodes[:0], d.scratch[:0], d.path[:0], d.steps[:0], d.extras[:0]
	for range 3 {
		d.nodes = append(d.nodes, node{first: NoNode, last: NoNode, next: NoNode})
	}
}

// Release gives the draft back, to be used for another record. The slices that Encode returned stay valid.
func (d *Draft) Release() {
	d.record, d.links, d.truncated = nil, nil, nil
	d.nodes, d.path, d.steps, d.extras = emptied(d.nodes), emptied(d.path), emptied(d.steps), emptied(d.extras)
	if cap(d.scratch) > maxScratch {
		d.scratch = nil
	}
	d.pool.Put(d)
}

// emptied forgets the elements of s. A long s is not used again.
func emptied[T any](s []T) []T {
	if cap(s) > maxKept {
		return nil
	}
	clear(s)
	return s[:0]
}

// attach links a node below parent, after those of its own number.
func (d *Draft) attach(parent, child Node) {
	number := d.nodes[child].number
	p := &d.nodes[parent]
	switch {
	case p.first == NoNode:
		p.first, p.last = child, child
	case d.nodes[p.last].number <= number:
		d.nodes[p.last].next = child
		p.last = child
	case number < d.nodes[p.first].number:
		d.nodes[child].next = p.first
		p.first = child
	default:
		at := p.first
		if d.nodes[p.latest].number <= number {
			at = p.latest // elements of a list follow each other
		}
		for d.nodes[d.nodes[at].next].number <= number {
			at = d.nodes[at].next
		}
		d.nodes[child].next = d.nodes[at].next
		d.nodes[at].next = child
	}
	p.latest = child
}

// Clear removes the children of the number.
func (d *Draft) Clear(parent Node, number protowire.Number) {
	p := &d.nodes[parent]
	before := NoNode
	for at := p.first; at != NoNode; at = d.nodes[at].next {
		if d.nodes[at].number != number {
			before = at
			continue
		}
		if before == NoNode {
			p.first = d.nodes[at].next
		} else {
			d.nodes[before].next = d.nodes[at].next
		}
	}
	p.last, p.latest = before, p.first
}

// add makes a node below parent.
func (d *Draft) add(parent Node, number protowire.Number, f form) Node {
	child := Node(len(d.nodes))
	if len(d.nodes) == cap(d.nodes) {
		d.nodes = slices.Grow(d.nodes, len(d.nodes)) // doubled: records with very many nodes take less than with append
	}
	d.nodes = append(d.nodes, node{number: number, form: f, first: NoNode, last: NoNode, next: NoNode})
	d.attach(parent, child)
	return child
}

// leaf is add for a value, which the caller fills in before it adds another node.
func (d *Draft) leaf(parent Node, number protowire.Number, f form) *node {
	at := d.add(parent, number, f)
	return &d.nodes[at]
}

// Child returns the first child of the number, or NoNode.
func (d *Draft) Child(parent Node, number protowire.Number) Node {
	if parent == NoNode {
		return NoNode
	}
	for at := d.nodes[parent].first; at != NoNode && d.nodes[at].number <= number; at = d.nodes[at].next {
		if d.nodes[at].number == number {
			return at
		}
	}
	return NoNode
}

// Sibling returns the next element of the list that at is an element of, or NoNode.
func (d *Draft) Sibling(at Node) Node {
	next := d.nodes[at].next
	if next != NoNode && d.nodes[next].number == d.nodes[at].number {
		return next
	}
	return NoNode
}

// Text is the text of a field; nil if it has none.
func (d *Draft) Text(at Node) []byte {
	if at == NoNode {
		return nil
	}
	return d.nodes[at].data
}

// Number is the number or enumeration member of a field; 0 if it has none.
func (d *Draft) Number(at Node) int64 {
	if at == NoNode {
		return 0
	}
	return int64(d.nodes[at].value)
}

// Time is the time of a field; ok is false if it has none.
func (d *Draft) Time(at Node) (t time.Time, ok bool) {
	if at == NoNode {
		return t, false
	}
	return time.Unix(int64(d.nodes[at].value), int64(d.nodes[at].nanos)).UTC(), true
}

// AddText adds a text field; an empty text is absence. The text must stay as it is until the Draft is encoded.
func (d *Draft) AddText(parent Node, number protowire.Number, text []byte) {
	if len(text) > 0 {
		d.leaf(parent, number, formBytes).data = text
	}
}

// AddString is AddText for a string.
func (d *Draft) AddString(parent Node, number protowire.Number, text string) {
	if text == "" {
		return
	}
	start := len(d.scratch)
	d.scratch = append(d.scratch, text...)
	d.AddText(parent, number, d.scratch[start:len(d.scratch):len(d.scratch)])
}

// AddBuilt is AddText for a text that build appends to what it is given.
func (d *Draft) AddBuilt(parent Node, number protowire.Number, build func(b []byte) []byte) {
	start := len(d.scratch)
	d.scratch = build(d.scratch)
	d.AddText(parent, number, d.scratch[start:len(d.scratch):len(d.scratch)])
}

// AddNumber adds an integer, boolean or enumeration field; zero is absence.
func (d *Draft) AddNumber(parent Node, number protowire.Number, value int64) {
	if value != 0 {
		d.leaf(parent, number, formVarint).value = uint64(value)
	}
}

// AddTime adds a time field.
func (d *Draft) AddTime(parent Node, number protowire.Number, t time.Time) {
	at := d.leaf(parent, number, formTime)
	at.value, at.nanos = uint64(t.Unix()), int32(t.Nanosecond())
}

// AddCopy adds a field with the value of another, which must not be changed any more. NoNode is absence.
func (d *Draft) AddCopy(parent Node, number protowire.Number, of Node) {
	if of == NoNode {
		return
	}
	same := d.nodes[of]
	at := d.leaf(parent, number, same.form)
	at.first, at.last, at.latest, at.value, at.nanos, at.data = same.first, same.last, same.latest, same.value, same.nanos, same.data
}

// Encode returns the event without unmapped, and unmapped as a field of the event: both together are the whole event.
// unmapped is empty if the table had a field for everything. Both are slices of one array of their exact size.
func (d *Draft) Encode() (basic, unmapped []byte) {
	size, extra, content := d.measure(RootNode), 0, 0
	if len(d.extras) > 0 {
		content = d.structSize(0, len(d.extras), 0)
		extra = protowire.SizeTag(eventwire.EventUnmapped) + protowire.SizeBytes(content)
	}
	b := d.append(make([]byte, 0, size+extra), RootNode)
	if extra == 0 {
		return b, nil
	}
	b = protowire.AppendTag(b, eventwire.EventUnmapped, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(content))
	b = d.appendStruct(b, 0, len(d.extras), 0)
	return b[:size:size], b[size:]
}

// Message encodes one message of the draft, as Encode would; nil for NoNode. Nothing may be added below it any more.
func (d *Draft) Message(at Node) []byte {
	if at == NoNode {
		return nil
	}
	return d.append(make([]byte, 0, d.measure(at)), at)
}

// decode fills a message of the kind that the draft is of, and returns the properties that no field of it takes; nil if there are none.
func (d *Draft) decode(m proto.Message) (*structpb.Struct, error) {
	b := make([]byte, 0, d.measure(RootNode))
	if err := proto.Unmarshal(d.append(b, RootNode), m); err != nil {
		return nil, fmt.Errorf("a draft is no %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	if len(d.extras) == 0 {
		return nil, nil //nolint:nilnil // most records have none
	}
	extra := &structpb.Struct{}
	b = slices.Grow(b[:0], d.structSize(0, len(d.extras), 0))
	if err := proto.Unmarshal(d.appendStruct(b, 0, len(d.extras), 0), extra); err != nil {
		return nil, fmt.Errorf("unmapped properties are no Struct: %w", err)
	}
	return extra, nil
}

// measure sets the sizes of a message and of all in it and returns that of its payload.
func (d *Draft) measure(message Node) int {
	sum := 0
	packed := d.nodes[message].form == formPacked
	for at := d.nodes[message].first; at != NoNode; at = d.nodes[at].next {
		n := &d.nodes[at]
		switch n.form {
		case formMessage, formPacked:
			n.size = uint32(d.measure(at))
		case formBytes:
			n.size = uint32(len(n.data))
		case formTime:
			n.size = uint32(timeSize(n))
		case formVarint:
			sum += protowire.SizeVarint(n.value)
		case formFixed32:
			sum += protowire.SizeFixed32()
		case formFixed64:
			sum += protowire.SizeFixed64()
		}
		switch n.form {
		case formMessage, formPacked, formBytes, formTime:
			sum += protowire.SizeBytes(int(n.size))
		default:
		}
		if !packed {
			sum += protowire.SizeTag(n.number)
		}
	}
	return sum
}

func timeSize(n *node) int {
	size := 0
	if n.value != 0 {
		size += 1 + protowire.SizeVarint(n.value)
	}
	if n.nanos != 0 {
		size += 1 + protowire.SizeVarint(uint64(int64(n.nanos)))
	}
	return size
}

// append writes the payload of a message that is measured.
func (d *Draft) append(b []byte, message Node) []byte {
	packed := d.nodes[message].form == formPacked
	for at := d.nodes[message].first; at != NoNode; at = d.nodes[at].next {
		n := &d.nodes[at]
		switch {
		case packed:
			b = protowire.AppendVarint(b, n.value)
		case n.form == formVarint:
			b = protowire.AppendVarint(protowire.AppendTag(b, n.number, protowire.VarintType), n.value)
		case n.form == formFixed32:
			b = protowire.AppendFixed32(protowire.AppendTag(b, n.number, protowire.Fixed32Type), uint32(n.value))
		case n.form == formFixed64:
			b = protowire.AppendFixed64(protowire.AppendTag(b, n.number, protowire.Fixed64Type), n.value)
		default:
			b = protowire.AppendVarint(protowire.AppendTag(b, n.number, protowire.BytesType), uint64(n.size))
			b = d.appendPayload(b, at, n)
		}
	}
	return b
}

func (d *Draft) appendPayload(b []byte, at Node, n *node) []byte {
	switch n.form {
	case formBytes:
		return append(b, n.data...)
	case formTime:
		if n.value != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, eventwire.TimestampSeconds, protowire.VarintType), n.value)
		}
		if n.nanos != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, eventwire.TimestampNanos, protowire.VarintType), uint64(int64(n.nanos)))
		}
		return b
	default:
		return d.append(b, at)
	}
}
