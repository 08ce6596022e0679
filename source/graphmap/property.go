package graphmap

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// kind says how a JSON value becomes a value of a field.
type kind uint8

const (
	kindString   kind = iota
	kindName          // display name of an identity, which may hold a Teams address instead
	kindType          // @odata.type, without its namespace
	kindBytes         // base64 text
	kindBool          //
	kindInt32         //
	kindInt64         //
	kindFloat32       //
	kindFloat64       //
	kindEnum          //
	kindTime          // RFC 3339 text
	kindDate          // day, as text of the form yyyy-MM-dd
	kindDuration      // ISO 8601 text
	kindObject        // any object, as google.protobuf.Struct
	kindMessage       //
)

// property is one JSON property of the Graph types that one message stands for.
type property struct {
	name     string
	kind     kind
	list     bool
	slot     uint8 // which of the object's messages has the field
	altField int8  // ≥ 0 numbers the field among those that several properties fill; -1 otherwise
	index    uint8 // bit in seen
	field    protoreflect.FieldDescriptor
	// other is the sibling that takes unknown members of an enumeration, or the address of an identity; may be nil.
	other protoreflect.FieldDescriptor
	enum  map[string]protoreflect.EnumNumber
	sub   *plan
	// The numbers of field and other, and whether field is written when it is zero.
	number, otherNumber protowire.Number
	presence            bool
}

// plan is the table of one message, or of one root with its parts.
type plan struct {
	properties map[string]*property
	// folded plans compare names without case, spaces and punctuation: reports name their columns in several ways.
	folded bool
	// fanOut names the list whose objects are rows of their own; empty = none.
	fanOut    string
	rowPlan   *plan // of such an object
	altFields int8
	size      int // bytes of memory that the message takes
}

// Limits of a plan, checked by compile.
const (
	maxProperties = 128
	maxAltFields  = 4
	maxSlots      = 3
)

// seen is the set of properties that an object has had so far.
type seen [maxProperties / 64]uint64

// add puts i into the set and reports whether it was there before.
func (s *seen) add(i uint8) bool {
	word, bit := &s[i/64], uint64(1)<<(i%64)
	had := *word&bit != 0
	*word |= bit
	return had
}

// lookup finds the property by its name; unknown ones are nil.
func (p *plan) lookup(name []byte) *property {
	if p.folded {
		return p.properties[fold(string(name))]
	}
	return p.properties[string(name)]
}

// fold leaves letters and digits, in lower case, of an ASCII name.
func fold(name string) string {
	out := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= 0x80:
			out = append(out, c)
		}
	}
	return string(out)
}
