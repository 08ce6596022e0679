package graphmap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/parley-gateway/parley/graphclient"
)

// decoder reads one record at a time; it is reused, never shared.
type decoder struct {
	json    *jsontext.Decoder
	input   bytes.Buffer
	path    []step
	extra   *structpb.Struct
	fan     [][]byte // objects of the plan's fan-out list
	scratch []byte
	whole   []byte   // the record
	left    int      // bytes of memory that it may still take
	cut     []string // paths of lists that go on behind a link
}

// target are the messages that an object fills, by slot.
type target [maxSlots]protoreflect.Message

func newDecoder() *decoder {
	d := &decoder{path: make([]step, 0, 16)}
	d.json = jsontext.NewDecoder(&d.input, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return d
}

// record reads one record into the target.
func (d *decoder) record(p *plan, t *target, record []byte) error {
	d.begin(record)
	if d.json.PeekKind() != '{' {
		if _, err := d.json.ReadToken(); err != nil {
			return d.failed(err)
		}
		return fmt.Errorf("%w but another JSON value", ErrRecord)
	}
	if err := d.object(p, t); err != nil {
		return d.failed(err)
	}
	if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more follows at byte %d", ErrRecord, d.json.InputOffset())
	}
	return nil
}

// begin makes the decoder ready to read the record.
func (d *decoder) begin(record []byte) {
	d.input = *bytes.NewBuffer(record)
	d.json.Reset(&d.input, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	d.path, d.extra, d.fan, d.cut = d.path[:0], nil, nil, nil
	d.whole, d.left = record, allowedTimes*len(record)+allowedMore
}

// release forgets the record, whose bytes belong to somebody else.
func (d *decoder) release() {
	d.input = bytes.Buffer{}
	d.extra, d.fan, d.whole = nil, nil, nil
}

func (d *decoder) failed(err error) error {
	if errors.Is(err, ErrDepth) {
		return err
	}
	return syntaxError(err, d.json.InputOffset())
}

// enter reads the opening token of an object or list.
func (d *decoder) enter() error {
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	if d.json.StackDepth() > MaxDepth {
		return fmt.Errorf("%w: more than %d levels at byte %d", ErrDepth, MaxDepth, d.json.InputOffset())
	}
	return nil
}

// object reads the object that comes next. All of its members are in the table or go to unmapped.
func (d *decoder) object(p *plan, t *target) error {
	if err := d.enter(); err != nil {
		return err
	}
	var had seen
	var owners [maxRivals]*property
	var left []stretch
	for d.json.PeekKind() == '"' {
		from := d.json.InputOffset()
		prop, name, err := d.name(p)
		if err != nil {
			return err
		}
		if prop == nil && d.spent() {
			if left, err = d.leave(left, from); err != nil {
				return err
			}
			continue
		}
		if prop == nil {
			if err := d.undeclared(p, name); err != nil {
				return err
			}
			continue
		}
		if err := d.member(prop, name, t, &had, &owners); err != nil {
			return err
		}
	}
	d.keepLeft(left)
	_, err := d.json.ReadToken() // the closing brace, or what is wrong in its place
	return err
}

// name reads the name of a member and finds its property; nil if the table does not know it.
func (d *decoder) name(p *plan) (*property, string, error) {
	raw, err := d.json.ReadValue()
	if err != nil {
		return nil, "", err
	}
	if inner := raw[1 : len(raw)-1]; !p.folded && bytes.IndexByte(inner, '\\') < 0 {
		if prop, ok := p.properties[string(inner)]; ok {
			return prop, prop.name, nil
		}
	}
	name := d.unquote(raw)
	return p.lookup(name), name, nil
}

// annotation reports whether a member says something of another one, or of the object.
func annotation(name string) bool {
	if strings.Contains(name, "@odata.") {
		return true
	}
	list, isLink := graphclient.NextLinkOf(name)
	return isLink && list != ""
}

// undeclared keeps the value of a member that the table does not know.
func (d *decoder) undeclared(p *plan, name string) error {
	if annotation(name) {
		return d.skipAnnotation(name)
	}
	if p.fanOut != "" && name == p.fanOut && d.json.PeekKind() == '[' {
		return d.fanned(name, p.size)
	}
	d.path = append(d.path, step{name: name, index: -1})
	defer d.pop()
	return d.keepRaw()
}

func (d *decoder) pop() { d.path = d.path[:len(d.path)-1] }

// keepRaw keeps the next value as it is; null is nothing, but takes back what came under the same name.
func (d *decoder) keepRaw() error {
	v, err := d.raw()
	if err != nil {
		return err
	}
	if _, null := v.GetKind().(*structpb.Value_NullValue); null {
		d.forget()
		return nil
	}
	d.keep(v)
	return nil
}

// member reads the value of a known property, which the record calls name.
func (d *decoder) member(p *property, name string, t *target, had *seen, owners *[maxRivals]*property) error {
	m := t[p.slot]
	d.path = append(d.path, step{name: name, index: -1})
	defer d.pop()
	if again := had.add(p.index); again {
		d.forget()
		if p.rival < 0 || owners[p.rival] == p {
			m.Clear(p.field)
			if p.other != nil {
				m.Clear(p.other)
			}
		}
	}
	if d.json.PeekKind() == 'n' {
		if p.rival >= 0 && owners[p.rival] == p {
			owners[p.rival] = nil
		}
		return d.json.SkipValue()
	}
	if p.rival >= 0 {
		if owner := owners[p.rival]; owner != nil && owner != p {
			return d.keepRaw()
		}
		defer func() {
			owners[p.rival] = nil
			if m.Has(p.field) || (p.other != nil && m.Has(p.other)) {
				owners[p.rival] = p
			}
		}()
	}
	if p.list {
		return d.elements(p, m)
	}
	return d.value(p, m)
}

// value reads the value of a field that is not a list.
func (d *decoder) value(p *property, m protoreflect.Message) error {
	switch p.kind {
	case kindMessage:
		if d.json.PeekKind() != '{' {
			return d.keepRaw()
		}
		d.left -= p.sub.size
		inner := target{m.Mutable(p.field).Message()}
		return d.object(p.sub, &inner)
	case kindObject:
		return d.open(p, m)
	default:
		return d.scalar(p, m)
	}
}

// elements reads a list of texts, enumeration members or objects.
func (d *decoder) elements(p *property, m protoreflect.Message) error {
	if d.json.PeekKind() != '[' {
		return d.keepRaw()
	}
	if err := d.enter(); err != nil {
		return err
	}
	d.path = append(d.path, step{})
	defer d.pop()
	for i := 0; d.json.PeekKind() != ']'; i++ {
		d.path[len(d.path)-1].index = i
		if d.spent() {
			rest, err := d.restOfList()
			if err != nil {
				return err
			}
			d.keep(rest)
			break
		}
		if err := d.element(p, m); err != nil {
			return err
		}
	}
	_, err := d.json.ReadToken()
	return err
}

func (d *decoder) element(p *property, m protoreflect.Message) error {
	switch next := d.json.PeekKind(); {
	case next == 'n':
		return d.json.SkipValue()
	case p.kind == kindMessage && next == '{':
		d.left -= p.sub.size
		inner := target{m.Mutable(p.field).List().AppendMutable().Message()}
		return d.object(p.sub, &inner)
	case p.kind == kindString && (next == '"' || next == '0'):
		d.left -= stringCost
		text, err := d.text(next)
		if err == nil {
			m.Mutable(p.field).List().Append(protoreflect.ValueOfString(text))
		}
		return err
	case p.kind == kindEnum && next == '"':
		d.left -= stringCost
		return d.listedMember(p, m)
	default:
		return d.keepRaw()
	}
}

// open reads an object of the sender's own making.
func (d *decoder) open(p *property, m protoreflect.Message) error {
	v, err := d.raw()
	if err != nil {
		return err
	}
	if s := v.GetStructValue(); s != nil {
		m.Set(p.field, protoreflect.ValueOfMessage(s.ProtoReflect()))
		return nil
	}
	d.keep(v)
	return nil
}
