package view_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// sameView checks that METADATA of the bytes of an event is METADATA of the event.
func sameView(t *testing.T, event *parleyv1.Event, wire []byte) {
	t.Helper()
	got, err := view.Metadata(nil, wire, event.ProtoReflect().Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	pruned := &parleyv1.Event{}
	if err := proto.Unmarshal(got, pruned); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(view.Apply(event, metadata), proto.Message(pruned), protocmp.Transform()); diff != "" {
		t.Errorf("METADATA (-message +bytes):\n%s", diff)
	}
}

func TestMetadataOfBytes(t *testing.T) {
	t.Parallel()
	for detail := range 4 {
		event := &parleyv1.Event{}
		filled(event.ProtoReflect(), detail, true)
		wire, err := proto.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		sameView(t, event, wire)
	}
	for _, broken := range []string{"\xff", "\x0a\x05a", "\x6a\x02\x0a\xff"} {
		event := (*parleyv1.Event)(nil).ProtoReflect().Descriptor()
		if _, err := view.Metadata(nil, []byte(broken), event); err != nil && !errors.Is(err, view.ErrWire) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func FuzzMetadataOfBytes(f *testing.F) {
	for detail := range 4 {
		event := &parleyv1.Event{}
		filled(event.ProtoReflect(), detail, true)
		wire, err := proto.Marshal(event)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		event := &parleyv1.Event{}
		if proto.Unmarshal(wire, event) != nil {
			_, _ = view.Metadata(nil, wire, event.ProtoReflect().Descriptor()) // whatever it says, it does not fail
			return
		}
		// In the order that the encoder gives: two members of a oneof are no event that anybody sends.
		wire, err := proto.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		sameView(t, event, wire)
	})
}
