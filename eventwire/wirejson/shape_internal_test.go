package wirejson

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestEveryMessageIsWrittenFromItsBytes looks for what an Encoder of events would leave to protojson without a word: a message whose
// fields are not declared in the order of their numbers, or have large ones, and fields of kinds that it does not know. The
// exceptions are those that events rarely have: floating point, bytes, durations and free-form objects.
func TestEveryMessageIsWrittenFromItsBytes(t *testing.T) {
	t.Parallel()
	known := map[protoreflect.FullName]*shape{}
	shapeOf((*parleyv1.Event)(nil).ProtoReflect().Descriptor(), known)
	if len(known) < 30 {
		t.Errorf("only %d messages below an event", len(known))
	}
	for name, s := range known {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
		if err != nil {
			t.Fatal(err)
		}
		message, ok := found.(protoreflect.MessageDescriptor)
		if !ok || s.fields == nil {
			t.Errorf("%s has no table: declare its fields in the order of their numbers, below %d", name, maxNumber)
			continue
		}
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			if s.fields[field.Number()].kind == 0 && !rare(field) {
				t.Errorf("%s is of kind %v, which no table knows", field.FullName(), field.Kind())
			}
		}
	}
}

// rare reports whether a field is one of those that are left to protojson on purpose.
func rare(field protoreflect.FieldDescriptor) bool {
	switch field.Kind() {
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.BytesKind:
		return true
	case protoreflect.MessageKind:
		return field.Message().ParentFile().Package() == "google.protobuf"
	default:
		return false
	}
}
