// Package doccheck checks that every element of the public contract is documented, from the descriptor set that the gateway
// serves: what is missing there is missing for every client that is generated from it.
package doccheck

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const (
	// contract is the package whose elements are checked.
	contract = "parley.v1"
	// graphOption names the Graph properties that fill a field.
	graphOption = "parley.v1.graph"
	// ownMark stands in the comment of a field that no Graph property fills.
	ownMark = "Parley's own"
	// minLength is the shortest comment, in bytes, that can say something.
	minLength = 20
)

// modelFiles hold the messages that carry Graph's data: each of their fields names its source.
var modelFiles = map[string]bool{
	"parley/v1/call.proto":         true,
	"parley/v1/chat.proto":         true,
	"parley/v1/content.proto":      true,
	"parley/v1/conversation.proto": true,
	"parley/v1/copilot.proto":      true,
	"parley/v1/event.proto":        true,
	"parley/v1/identity.proto":     true,
	"parley/v1/system.proto":       true,
	"parley/v1/usage.proto":        true,
	"parley/v1/user.proto":         true,
}

// Check returns one line for each element of a serialized descriptor set that breaks a rule, sorted by file.
// The error is one of reading the set.
func Check(descriptorSet []byte) (findings []string, err error) {
	files, err := load(descriptorSet)
	if err != nil {
		return nil, err
	}
	c := &checker{}
	files.RangeFilesByPackage(contract, func(file protoreflect.FileDescriptor) bool {
		c.file(file)
		return true
	})
	if c.elements == 0 {
		return nil, fmt.Errorf("no element of %s in the descriptor set", contract)
	}
	slices.Sort(c.findings)
	return c.findings, nil
}

// load reads the set twice: the second time with the contract's own options known.
func load(raw []byte) (*protoregistry.Files, error) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(raw, set); err != nil {
		return nil, fmt.Errorf("descriptor set: %w", err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("descriptor set: %w", err)
	}
	found, err := files.FindDescriptorByName(graphOption)
	if err != nil {
		return nil, fmt.Errorf("option %s: %w", graphOption, err)
	}
	extension, ok := found.(protoreflect.ExtensionDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is not an option", graphOption)
	}
	known := &protoregistry.Types{}
	if err := known.RegisterExtension(dynamicpb.NewExtensionType(extension)); err != nil {
		return nil, fmt.Errorf("option %s: %w", graphOption, err)
	}
	if err := (proto.UnmarshalOptions{Resolver: known}).Unmarshal(raw, set); err != nil {
		return nil, fmt.Errorf("descriptor set: %w", err)
	}
	return protodesc.NewFiles(set)
}

// checker gathers findings.
type checker struct {
	elements int
	findings []string
}

func (c *checker) file(file protoreflect.FileDescriptor) {
	c.messages(file.Messages())
	c.enums(file.Enums())
	each(file.Extensions(), func(field protoreflect.ExtensionDescriptor) { c.element("option", field) })
	each(file.Services(), func(service protoreflect.ServiceDescriptor) {
		c.element("service", service)
		each(service.Methods(), func(method protoreflect.MethodDescriptor) { c.element("RPC", method) })
	})
}

func (c *checker) messages(messages protoreflect.MessageDescriptors) {
	each(messages, func(message protoreflect.MessageDescriptor) {
		if message.IsMapEntry() {
			return
		}
		c.element("message", message)
		each(message.Fields(), c.field)
		each(message.Oneofs(), func(oneof protoreflect.OneofDescriptor) {
			if !oneof.IsSynthetic() {
				c.element("oneof", oneof)
			}
		})
		c.messages(message.Messages())
		c.enums(message.Enums())
	})
}

func (c *checker) field(field protoreflect.FieldDescriptor) {
	comment := c.element("field", field)
	if modelFiles[field.ParentFile().Path()] && !strings.Contains(comment, ownMark) && !hasGraphOption(field) {
		c.report("field", field, "names no Graph property ("+graphOption+") and does not say "+ownMark)
	}
}

func (c *checker) enums(enums protoreflect.EnumDescriptors) {
	each(enums, func(enum protoreflect.EnumDescriptor) {
		c.element("enum", enum)
		each(enum.Values(), func(value protoreflect.EnumValueDescriptor) { c.element("enum value", value) })
	})
}

// element checks the comment of one element and returns it on one line.
func (c *checker) element(kind string, element protoreflect.Descriptor) string {
	c.elements++
	location := element.ParentFile().SourceLocations().ByDescriptor(element)
	comment := strings.Join(strings.Fields(location.LeadingComments), " ")
	switch {
	case comment == "":
		c.report(kind, element, "has no comment")
	case len(comment) < minLength:
		c.report(kind, element, fmt.Sprintf("has a comment of less than %d characters: %q", minLength, comment))
	case restates(comment, element):
		c.report(kind, element, fmt.Sprintf("only restates its name: %q", comment))
	}
	return comment
}

func (c *checker) report(kind string, element protoreflect.Descriptor, text string) {
	c.findings = append(c.findings, fmt.Sprintf("%s: %s %s %s", element.ParentFile().Path(), kind, element.FullName(), text))
}

// hasGraphOption reports whether an option names a Graph property.
func hasGraphOption(field protoreflect.FieldDescriptor) bool {
	has := false
	field.Options().ProtoReflect().Range(func(option protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		has = has || option.FullName() == graphOption && value.List().Len() > 0
		return !has
	})
	return has
}

// fillers are words that add nothing to a name.
var fillers = map[string]bool{
	"a": true, "an": true, "the": true, "of": true, "is": true, "this": true, "that": true, "for": true, "its": true,
	"field": true, "value": true, "enum": true, "message": true, "represents": true, "contains": true, "returns": true,
}

// restates reports whether a comment has no word beyond those of the element's name and its parent's.
func restates(comment string, element protoreflect.Descriptor) bool {
	known := map[string]bool{}
	for _, name := range []protoreflect.Name{element.Name(), element.Parent().Name()} {
		for _, word := range words(string(name)) {
			known[singular(word)] = true
		}
	}
	for _, word := range words(comment) {
		if !fillers[word] && !known[singular(word)] {
			return false
		}
	}
	return true
}

// words splits a name or a text into lower-case words, at whatever is no letter or digit and before capitals.
func words(text string) []string {
	var spaced strings.Builder
	var last rune
	for _, r := range text {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			spaced.WriteByte(' ')
		}
		spaced.WriteRune(unicode.ToLower(r))
		last = r
	}
	return strings.FieldsFunc(spaced.String(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func singular(word string) string { return strings.TrimSuffix(word, "s") }

// each calls visit for every descriptor of a list.
func each[D any](list interface {
	Len() int
	Get(i int) D
}, visit func(D),
) {
	for i := range list.Len() {
		visit(list.Get(i))
	}
}
