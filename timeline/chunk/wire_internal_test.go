package chunk

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestWireNumbers compares the field numbers that are written by hand with the contract.
func TestWireNumbers(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		message protoreflect.ProtoMessage
		field   protoreflect.Name
		number  protoreflect.FieldNumber
	}{
		{(*parleyv1.EventBatch)(nil), "events", listField},
		{(*parleyv1.ListEventsResponse)(nil), "events", listField},
		{(*parleyv1.Event)(nil), "event_time", eventTime},
		{(*parleyv1.Event)(nil), "out_of_window", eventOutOfRange},
	} {
		fd := of.message.ProtoReflect().Descriptor().Fields().ByName(of.field)
		if fd == nil || fd.Number() != of.number {
			t.Errorf("%s has another number", of.field)
		}
	}
}
