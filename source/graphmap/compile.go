package graphmap

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const typeProperty = "@odata.type"

// compiler collects the plans of all messages; a message has one plan however many fields hold it.
type compiler struct {
	plans map[protoreflect.FullName]*plan
}

// message compiles the plan of a message that stands for Graph types as a whole.
func (c *compiler) message(md protoreflect.MessageDescriptor) (*plan, error) {
	if p, ok := c.plans[md.FullName()]; ok {
		return p, nil
	}
	p := &plan{properties: map[string]*property{}, size: sizeOf(md)}
	c.plans[md.FullName()] = p
	fields := md.Fields()
	for i := range fields.Len() {
		if err := c.field(p, 0, fields.Get(i), nil); err != nil {
			return nil, err
		}
	}
	if err := p.finish(md); err != nil {
		return nil, err
	}
	return p, nil
}

// root compiles the plan of a record that fills several messages: the one given and the parts of it that are Parley's
// own grouping. types are the Graph types that the record can have. The parts are returned in the order of their slots,
// which begin at 1.
func (c *compiler) root(md protoreflect.MessageDescriptor, types ...string) (*plan, []protoreflect.FieldDescriptor, error) {
	p := &plan{properties: map[string]*property{}}
	var parts []protoreflect.FieldDescriptor
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() == nil || len(graphProperties(fd)) > 0 {
			if err := c.field(p, 0, fd, types); err != nil {
				return nil, nil, err
			}
			continue
		}
		had, inner := len(p.properties), fd.Message().Fields()
		for j := range inner.Len() {
			if err := c.field(p, uint8(len(parts)+1), inner.Get(j), types); err != nil {
				return nil, nil, err
			}
		}
		if len(p.properties) > had {
			parts = append(parts, fd)
		}
	}
	if len(parts) >= maxSlots {
		return nil, nil, fmt.Errorf("%s has too many parts for %v", md.FullName(), types)
	}
	if err := p.finish(md); err != nil {
		return nil, nil, err
	}
	return p, parts, nil
}

// field adds the properties that fill fd. types limits them to those that one of the types declares; nil = all.
func (c *compiler) field(p *plan, slot uint8, fd protoreflect.FieldDescriptor, types []string) error {
	names := map[string]bool{}
	for _, option := range graphProperties(fd) {
		declaring, name := splitProperty(option)
		if declaring == "" || name == "" {
			return fmt.Errorf("%s: option graph %q names no property", fd.FullName(), option)
		}
		if types == nil || slices.Contains(types, declaring) {
			names[name] = true
		}
	}
	altField := int8(-1)
	if len(names) > 1 {
		altField = p.altFields
		p.altFields++
	}
	for name := range names {
		if other, taken := p.properties[name]; taken {
			return fmt.Errorf("%s and %s are both filled by %s", fd.FullName(), other.field.FullName(), name)
		}
		prop := &property{name: name, slot: slot, altField: altField, field: fd, list: fd.IsList()}
		if err := c.chooseKind(prop); err != nil {
			return err
		}
		prop.number, prop.presence = fd.Number(), fd.HasPresence()
		if prop.other != nil {
			prop.otherNumber = prop.other.Number()
		}
		p.properties[name] = prop
	}
	return nil
}

// chooseKind decides how the property's values are read.
func (c *compiler) chooseKind(p *property) error {
	fd := p.field
	siblings := fd.ContainingMessage().Fields()
	switch fd.Kind() {
	case protoreflect.StringKind:
		p.kind = kindString
		switch {
		case p.name == typeProperty:
			p.kind = kindType
		case fd.Name() == "display_name" && siblings.ByName("mri") != nil:
			p.kind, p.other = kindName, siblings.ByName("mri")
		case strings.HasSuffix(string(fd.Name()), "_date"):
			p.kind = kindDate
		}
	case protoreflect.EnumKind:
		p.kind, p.enum = kindEnum, enumMembers(fd.Enum())
		p.other = siblings.ByName(fd.Name() + "_other")
		if p.other != nil && (p.other.Kind() != protoreflect.StringKind || p.other.IsList() != fd.IsList()) {
			return fmt.Errorf("%s is not a fitting sibling of %s", p.other.FullName(), fd.Name())
		}
	case protoreflect.MessageKind:
		return c.chooseMessageKind(p)
	default:
		scalar, ok := scalarKinds[fd.Kind()]
		if !ok {
			return fmt.Errorf("%s: a field of kind %s cannot be filled", fd.FullName(), fd.Kind())
		}
		p.kind = scalar
	}
	if p.list && p.kind != kindString && p.kind != kindEnum {
		return fmt.Errorf("%s: lists of kind %s cannot be filled", fd.FullName(), fd.Kind())
	}
	return nil
}

var scalarKinds = map[protoreflect.Kind]kind{
	protoreflect.BytesKind:  kindBytes,
	protoreflect.BoolKind:   kindBool,
	protoreflect.Int32Kind:  kindInt32,
	protoreflect.Int64Kind:  kindInt64,
	protoreflect.FloatKind:  kindFloat32,
	protoreflect.DoubleKind: kindFloat64,
}

func (c *compiler) chooseMessageKind(p *property) error {
	single := true
	switch p.field.Message().FullName() {
	case "google.protobuf.Timestamp":
		p.kind = kindTime
	case "google.protobuf.Duration":
		p.kind = kindDuration
	case "google.protobuf.Struct":
		p.kind = kindObject
	default:
		p.kind, single = kindMessage, false
		sub, err := c.message(p.field.Message())
		if err != nil {
			return err
		}
		p.sub = sub
	}
	if p.field.IsMap() || (single && p.list) {
		return fmt.Errorf("%s: a field of this shape cannot be filled", p.field.FullName())
	}
	return nil
}

// finish numbers the properties in the order of their names. The error is that of a plan beyond the limits.
func (p *plan) finish(md protoreflect.MessageDescriptor) error {
	if len(p.properties) > maxProperties || p.altFields > maxAltFields {
		return fmt.Errorf("%s is filled by too many properties", md.FullName())
	}
	names := make([]string, 0, len(p.properties))
	for name := range p.properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		p.properties[name].index = uint8(i)
	}
	return nil
}

// foldNames makes the plan compare names folded.
func (p *plan) foldNames(md protoreflect.MessageDescriptor) error {
	folded := make(map[string]*property, len(p.properties))
	for name, prop := range p.properties {
		if _, taken := folded[fold(name)]; taken {
			return fmt.Errorf("%s: two properties are spelt alike: %s", md.FullName(), name)
		}
		folded[fold(name)] = prop
	}
	p.properties, p.folded = folded, true
	return nil
}

// withFanOut returns a plan of the same properties, in whose records the objects of a list are rows of their own, of rowPlan.
func (p *plan) withFanOut(list string) *plan {
	fanned := *p
	fanned.fanOut = list
	fanned.rowPlan = &plan{properties: p.properties, folded: true}
	return &fanned
}

// graphProperties returns the properties that fill a field, as the option names them.
func graphProperties(fd protoreflect.FieldDescriptor) []string {
	names, _ := proto.GetExtension(fd.Options(), parleyv1.E_Graph).([]string)
	return names
}

// splitProperty splits `declaringType.property`; the property of the type name itself has a dot of its own.
func splitProperty(option string) (declaring, name string) {
	if declaring, ok := strings.CutSuffix(option, "."+typeProperty); ok {
		return declaring, typeProperty
	}
	dot := strings.LastIndexByte(option, '.')
	if dot < 0 {
		return "", option
	}
	return option[:dot], option[dot+1:]
}

// enumMembers maps Graph's spellings to the numbers of an enumeration.
func enumMembers(ed protoreflect.EnumDescriptor) map[string]protoreflect.EnumNumber {
	members := map[string]protoreflect.EnumNumber{}
	values := ed.Values()
	for i := range values.Len() {
		if member, _ := proto.GetExtension(values.Get(i).Options(), parleyv1.E_GraphMember).(string); member != "" {
			members[member] = values.Get(i).Number()
		}
	}
	return members
}
