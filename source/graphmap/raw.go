package graphmap

import (
	"google.golang.org/protobuf/types/known/structpb"
)

// raw reads the next value, of whatever shape, as a Struct's value. Null members and annotations of objects are left
// out, but @odata.type is not: without it nobody could say what an object of an unknown type is. Nulls in lists keep
// their place.
func (d *decoder) raw() (*structpb.Value, error) {
	switch next := d.json.PeekKind(); next {
	case '{':
		fields, err := d.rawObject()
		return structpb.NewStructValue(&structpb.Struct{Fields: fields}), err
	case '[':
		values, err := d.rawList()
		return structpb.NewListValue(&structpb.ListValue{Values: values}), err
	case '"':
		text, err := d.text(next)
		return structpb.NewStringValue(text), err
	case '0':
		text, err := d.text(next)
		if err != nil {
			return nil, err
		}
		return numberValue(text), nil
	case 't', 'f':
		return structpb.NewBoolValue(next == 't'), d.json.SkipValue()
	default: // null, or what the decoder then says is wrong
		return structpb.NewNullValue(), d.json.SkipValue()
	}
}

func (d *decoder) rawObject() (map[string]*structpb.Value, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	fields := map[string]*structpb.Value{}
	for d.json.PeekKind() == '"' {
		if d.spent() {
			rest, err := d.restOfObject()
			if err != nil {
				return nil, err
			}
			fields[restName] = rest
			break
		}
		name, err := d.text('"')
		if err != nil {
			return nil, err
		}
		if name != typeProperty && annotation(name) {
			if err := d.skipAnnotation(name); err != nil {
				return nil, err
			}
			continue
		}
		v, err := d.raw()
		if err != nil {
			return nil, err
		}
		if _, null := v.GetKind().(*structpb.Value_NullValue); null {
			delete(fields, name)
			continue
		}
		d.left -= memberCost
		fields[name] = v
	}
	_, err := d.json.ReadToken()
	return fields, err
}

func (d *decoder) rawList() ([]*structpb.Value, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	values := []*structpb.Value{}
	for d.json.PeekKind() != ']' {
		if d.spent() {
			rest, err := d.restOfList()
			if err != nil {
				return nil, err
			}
			values = append(values, rest)
			break
		}
		d.left -= elementCost
		v, err := d.raw()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	_, err := d.json.ReadToken()
	return values, err
}
