package graphmap_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Choices that a builder leaves to its pick function; the function answers with a number below n.
const (
	pickVariant       = "variant"        // which of the types that may stand here
	pickLength        = "length"         // how many elements, 0 to 2
	pickMember        = "member"         // which member of an enumeration
	pickBool          = "bool"           //
	pickExtra         = "extra"          // 1 = add properties that no type declares
	pickUnknownType   = "unknown type"   // 1 = give the object a derived type that nobody knows
	pickUnknownMember = "unknown member" // 1 = use a member that the contract does not know
	pickAbsent        = "absent"         // 1 = leave the property out, 2 = send null, 3 = annotate it too
	pickUntyped       = "untyped"        // 1 = leave out @odata.type
	pickFraction      = "fraction"       // digits behind the seconds of a time, 0 to 7
)

// builder makes records of Graph's types with values that occur once each.
type builder struct {
	schema *schema
	beta   bool
	pick   func(what string, n int) int
	serial int
	// used collects every declared property that was filled, as `declaring.property`.
	used map[string]bool
}

// object is a record or a part of one. Its members keep their order.
type object struct {
	typ     string // Graph's type, or the nearest known base of an unknown one
	unknown string // name of the unknown type, if it has one
	members []member
}

type member struct {
	name     string
	property graphProperty
	value    any // *object, []any, leaf, or extra
}

// leaf is a scalar of a declared property.
type leaf struct {
	typ  string // Graph's type
	text string // as Graph writes it, without quotes
	json string // as it stands in the record
}

// extra is a value that no type declares.
type extra struct{ value any }

func (b *builder) next() int {
	b.serial++
	return b.serial
}

// object builds a value of a declared type, or of one that derives from it.
func (b *builder) object(declared string) *object {
	variants := b.schema.variants(declared, b.beta)
	o := &object{typ: variants[b.pick(pickVariant, len(variants))]}
	if o.typ != declared && b.pick(pickUntyped, 2) == 0 {
		o.annotate("#microsoft.graph." + o.typ)
	}
	if len(variants) > 1 && b.pick(pickUnknownType, 2) == 1 {
		o.unknown = fmt.Sprintf("future%d%s", b.next(), strings.ToUpper(declared[:1])+strings.ReplaceAll(declared[1:], ".", ""))
		o.typ, o.members = b.knownBase(declared, o.typ), nil
		o.annotate("#microsoft.graph." + o.unknown)
		o.members = append(o.members, b.extras()...)
	}
	for _, p := range b.schema.properties(o.typ, b.beta) {
		absent := b.pick(pickAbsent, 8)
		switch absent {
		case 1:
			continue
		case 2:
			o.members = append(o.members, member{name: p.name, value: extra{nil}})
			continue
		case 3:
			o.members = append(o.members, member{name: p.name + "@odata.context", value: leaf{json: `"https://graph.example/$metadata"`}})
		}
		b.used[p.declaring+"."+p.name] = true
		o.members = append(o.members, member{name: p.name, property: p, value: b.property(p)})
	}
	if b.pick(pickExtra, 2) == 1 {
		o.members = append(o.members, b.extras()...)
	}
	return o
}

// knownBase is what an unknown type looks like to somebody who knows its base only.
func (b *builder) knownBase(declared, fallback string) string {
	if b.schema.Types[declared].Abstract {
		return fallback
	}
	return declared
}

func (o *object) annotate(typ string) {
	text, _ := json.Marshal(typ)
	o.members = append(o.members, member{name: "@odata.type", value: leaf{json: string(text)}})
}

func (b *builder) property(p graphProperty) any {
	if !p.list {
		return b.value(p.typ)
	}
	list := []any{}
	for range b.pick(pickLength, 3) {
		list = append(list, b.value(p.typ))
	}
	return list
}

// value builds a value of a type; all but objects are leaves.
func (b *builder) value(typ string) any {
	n := b.next()
	if _, isEnum := b.schema.Enums[typ]; isEnum {
		return b.enum(typ, n)
	}
	quoted := func(text string) leaf {
		raw, _ := json.Marshal(text)
		return leaf{typ: typ, text: text, json: string(raw)}
	}
	bare := func(text string) leaf { return leaf{typ: typ, text: text, json: text} }
	switch typ {
	case "String":
		return quoted(fmt.Sprintf("text %d ü \" \\ \u2028", n))
	case "Boolean":
		return bare([]string{"true", "false"}[b.pick(pickBool, 2)])
	case "Int32":
		return bare(strconv.Itoa(-7000 - n))
	case "Int64":
		return bare(strconv.Itoa(4294967295000 + n))
	case "Single":
		return bare(fmt.Sprintf("%d.%02d", n, n%100))
	case "DateTimeOffset":
		at := time.Date(2020, 1, 1, 0, 0, n, 0, time.UTC).Format("2006-01-02T15:04:05")
		if digits := b.pick(pickFraction, 8); digits > 0 {
			at += "." + "1234567"[:digits]
		}
		return quoted(at + "Z")
	case "Duration":
		return quoted(fmt.Sprintf("PT%dM0.%03dS", n, n%1000))
	case "Binary":
		return quoted(base64.StdEncoding.EncodeToString(fmt.Append(nil, "bytes ", n)))
	case "detailsInfo", "callRecords.feedbackTokenSet":
		return extra{map[string]any{fmt.Sprint("Token", n): n, "Deep": map[string]any{"Yes": true, "List": []any{"a", 1.5, nil}}}}
	default:
		return b.object(typ)
	}
}

func (b *builder) enum(typ string, n int) leaf {
	members := b.schema.members(typ, b.beta)
	text := members[b.pick(pickMember, len(members))]
	switch {
	case b.schema.Enums[typ].Flags:
		text = strings.Join(members[:1+n%len(members)], ",")
	case b.pick(pickUnknownMember, 2) == 1:
		text = fmt.Sprint("future", n)
	}
	raw, _ := json.Marshal(text)
	return leaf{typ: typ, text: text, json: string(raw)}
}

// extras are members of every shape that no type declares.
func (b *builder) extras() []member {
	n := b.next()
	name := func(what string) string { return fmt.Sprintf("future%s%d", what, n) }
	return []member{
		{name: name("Text"), value: extra{fmt.Sprint("extra ", n)}},
		{name: name("Number"), value: extra{float64(n) + 0.5}},
		{name: name("Flag"), value: extra{n%2 == 0}},
		{name: name("Null"), value: extra{nil}},
		{name: name("Empty"), value: extra{""}},
		{name: name("Identity"), value: extra{map[string]any{"id": fmt.Sprint("id ", n), "displayName": "somebody", "rank": n}}},
		{name: name("List"), value: extra{[]any{fmt.Sprint("item ", n), map[string]any{"a.b": n}, []any{}, nil}}},
		{name: name("Text") + "@odata.mediaReadLink", value: leaf{json: `"https://graph.example/media"`}},
	}
}

// encode writes the object as JSON, members in their order.
func (o *object) encode() []byte {
	var out strings.Builder
	write(&out, o)
	return []byte(out.String())
}

func write(out *strings.Builder, v any) {
	switch v := v.(type) {
	case *object:
		out.WriteByte('{')
		for i, m := range v.members {
			if i > 0 {
				out.WriteByte(',')
			}
			name, _ := json.Marshal(m.name)
			out.Write(name)
			out.WriteByte(':')
			write(out, m.value)
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, element := range v {
			if i > 0 {
				out.WriteString(", ")
			}
			write(out, element)
		}
		out.WriteByte(']')
	case leaf:
		out.WriteString(v.json)
	case extra:
		raw, _ := json.Marshal(v.value)
		out.Write(raw)
	}
}
