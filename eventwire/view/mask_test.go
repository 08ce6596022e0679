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

// TestMask: a whole field goes before a part of it, in any order, and only fields of this contract can be selected.
func TestMask(t *testing.T) {
	t.Parallel()
	event := &parleyv1.Event{Uid: "u", Body: &parleyv1.Body{Content: "c", PlainText: "p"}, Attachments: []*parleyv1.Attachment{{Id: "1", Name: "n"}}}
	for name, test := range map[string]struct {
		paths []string
		want  *parleyv1.Event
	}{
		"none":          {nil, &parleyv1.Event{}},
		"part":          {[]string{"body.plainText"}, &parleyv1.Event{Body: &parleyv1.Body{PlainText: "p"}}},
		"whole, part":   {[]string{"body", "body.plain_text"}, &parleyv1.Event{Body: event.GetBody()}},
		"part, whole":   {[]string{"body.plain_text", "body"}, &parleyv1.Event{Body: event.GetBody()}},
		"within a list": {[]string{"attachments.name"}, &parleyv1.Event{Attachments: []*parleyv1.Attachment{{Name: "n"}}}},
		"not there":     {[]string{"links.url"}, &parleyv1.Event{}},
	} {
		mask, err := view.NewMask(event.ProtoReflect().Descriptor(), test.paths...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(proto.Message(test.want), mask.Apply(event), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, path := range []string{"", ".", "uid.x", "body.", "unmapped.x", "event_time.nanos", "body,uid", "nothing", "body.nothing"} {
		var fault *view.PathError
		if _, err := view.NewMask(event.ProtoReflect().Descriptor(), "body", path); !errors.As(err, &fault) || fault.Path != path {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// FuzzMask checks that a selection cuts the same of an event and of its bytes, alone and in a list, and that no bytes break it.
func FuzzMask(f *testing.F) {
	f.Add("body.plain_text", []byte("\x6a\x03\x32\x01a"))
	f.Add("attachments.name", []byte("\x72\x03\x2a\x01a"))
	f.Add("call", []byte("\xff"))
	f.Fuzz(func(t *testing.T, path string, wire []byte) {
		event := &parleyv1.Event{}
		mask, err := view.NewMask(event.ProtoReflect().Descriptor(), path)
		if err != nil {
			return
		}
		if proto.Unmarshal(wire, event) != nil {
			_, _ = mask.AppendTo(nil, wire)
			_, _ = mask.AppendList(nil, wire)
			return
		}
		batch, err := proto.Marshal(&parleyv1.EventBatch{Events: []*parleyv1.Event{event, {Uid: "u"}}})
		if err != nil {
			t.Fatal(err)
		}
		cut, err := mask.AppendList([]byte(nil), batch)
		if err != nil {
			t.Fatal(err)
		}
		got, want := &parleyv1.EventBatch{}, &parleyv1.EventBatch{}
		if err := proto.Unmarshal(cut, got); err != nil {
			t.Fatal(err)
		}
		for _, e := range []*parleyv1.Event{event, {Uid: "u"}} {
			shown, _ := mask.Apply(e).(*parleyv1.Event)
			want.Events = append(want.Events, shown)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%q (-message +bytes):\n%s", path, diff)
		}
	})
}
