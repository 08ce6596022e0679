package graphmap

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// setMember sets an enumeration by Graph's spelling, which is exact in case. An unknown member fills the sibling; it
// reports false if there is none.
func (p *property) setMember(m protoreflect.Message, text string) bool {
	if number, known := p.enum[text]; known {
		m.Set(p.field, protoreflect.ValueOfEnum(number))
		return true
	}
	if p.other == nil {
		return false
	}
	m.Set(p.other, protoreflect.ValueOfString(text))
	return true
}

// listedMember appends one member of a list of enumeration members. Known and unknown ones go to lists of their own,
// each in Graph's order.
func (d *decoder) listedMember(p *property, m protoreflect.Message) error {
	text, err := d.text('"')
	if err != nil || text == "" {
		return err
	}
	if number, known := p.enum[text]; known {
		m.Mutable(p.field).List().Append(protoreflect.ValueOfEnum(number))
		return nil
	}
	if p.other == nil {
		d.keep(structpb.NewStringValue(text))
		return nil
	}
	m.Mutable(p.other).List().Append(protoreflect.ValueOfString(text))
	return nil
}
