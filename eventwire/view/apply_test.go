package view_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	metadata = parleyv1.EventView_EVENT_VIEW_METADATA
	basic    = parleyv1.EventView_EVENT_VIEW_BASIC
	full     = parleyv1.EventView_EVENT_VIEW_FULL
)

// filled returns a message with every field set, lists with two elements, and the given member of each oneof. Texts
// that METADATA keeps begin with "kept", others with "canary".
func filled(m protoreflect.Message, detail int, kept bool) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if oneof := fd.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() && oneof.Fields().Get(detail%oneof.Fields().Len()) != fd {
			continue
		}
		marked, _ := proto.GetExtension(fd.Options(), parleyv1.E_Metadata).(bool)
		below := kept && marked
		switch {
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range 1 + len(fields.Get(0).Name())%2 { // one or two, so that large messages stay within bounds
				if fd.Message() != nil {
					filled(list.AppendMutable().Message(), detail, below)
				} else {
					list.Append(scalar(fd, below))
				}
			}
		case fd.Message() != nil && fd.Message().FullName() == "google.protobuf.Struct":
			s := m.Mutable(fd).Message().Interface().(*structpb.Struct)
			s.Fields = map[string]*structpb.Value{"canary key": structpb.NewStringValue("canary value")}
		case fd.Message() != nil:
			filled(m.Mutable(fd).Message(), detail, below)
		default:
			m.Set(fd, scalar(fd, below))
		}
	}
}

func scalar(fd protoreflect.FieldDescriptor, kept bool) protoreflect.Value {
	text := "canary "
	if kept {
		text = "kept "
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text + string(fd.FullName()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(text))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(7)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(7)
	default:
		return protoreflect.ValueOfInt64(7)
	}
}

// texts collects every text and byte string of a message, keys of Structs included.
func texts(m protoreflect.Message, into map[string]int) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		each := func(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
			switch {
			case fd.Message() != nil:
				texts(v.Message(), into)
			case fd.Kind() == protoreflect.StringKind || fd.Kind() == protoreflect.BytesKind:
				into[fmt.Sprintf("%s", v.Interface())]++
			}
		}
		switch {
		case fd.IsList():
			for i := range v.List().Len() {
				each(fd, v.List().Get(i))
			}
		case fd.IsMap():
			v.Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
				into[key.String()]++
				each(fd.MapValue(), v)
				return true
			})
		default:
			each(fd, v)
		}
		return true
	})
}

// messages returns every message that views apply to, filled; events once per detail.
func messages() []proto.Message {
	all := []proto.Message{&parleyv1.Event{}, &parleyv1.Event{}, &parleyv1.Event{}, &parleyv1.Event{}, &parleyv1.Conversation{}, &parleyv1.CopilotUsageRow{}, &parleyv1.User{}}
	for detail, m := range all {
		filled(m.ProtoReflect(), detail, true)
	}
	return all
}

// TestMetadataKeepsNoCanary fills every field of the model and finds that exactly the marked texts are left.
func TestMetadataKeepsNoCanary(t *testing.T) {
	t.Parallel()
	for _, m := range messages() {
		before, want, got := proto.Clone(m), map[string]int{}, map[string]int{}
		texts(m.ProtoReflect(), want)
		cut := view.Apply(m, metadata)
		texts(cut.ProtoReflect(), got)
		canaries := 0
		for text := range want {
			if strings.HasPrefix(text, "canary") {
				delete(want, text)
				canaries++
			}
		}
		name := m.ProtoReflect().Descriptor().Name()
		if canaries == 0 || (len(want) == 0 && name != "User") {
			t.Errorf("%s: %d canaries, %d marked texts: the test tests nothing", name, canaries, len(want))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		raw, err := protojson.Marshal(cut)
		if err != nil || strings.Contains(string(raw), "canary") {
			t.Errorf("%s: %v, or a canary survives in JSON", name, err)
		}
		if !proto.Equal(before, m) {
			t.Errorf("%s was changed", name)
		}
		if again := view.Apply(cut, metadata); again != cut {
			t.Errorf("%s: what is metadata already was copied", name)
		}
	}
}

// TestMetadataHoldsNoWrittenText names the fields that people or Copilot write into, so that a mark on one of them is
// an error here.
func TestMetadataHoldsNoWrittenText(t *testing.T) {
	t.Parallel()
	event, conversation := (*parleyv1.Event)(nil).ProtoReflect().Descriptor(), (*parleyv1.Conversation)(nil).ProtoReflect().Descriptor()
	for _, path := range []string{
		"body", "body.content", "body.plain_text", "attachments.content", "attachments.name", "attachments.content_url", "attachments.thumbnail_url",
		"mentions.text", "mentions.mentioned.conversation.display_name", "mentions.mentioned.tag.display_name", "links.url", "links.display_name",
		"web_url", "unmapped", "copilot.contexts", "chat.subject", "chat.summary", "chat.policy_violation", "chat.hosted_contents.content_bytes",
		"system.channel_display_name", "system.channel_description", "system.chat_display_name", "system.team_display_name", "system.team_description",
		"system.teams_app_display_name", "system.call_recording_display_name", "system.call_recording_url", "system.message.subject",
		"call.join_web_url", "call.sessions.caller.feedback", "call.sessions.failure_info.reason", "call.sessions.segments.media.caller_network.ip_address",
		"actor.user.user_principal_name", "actor.user.details",
	} {
		if view.ShownInMetadata(event, path) {
			t.Errorf("Event: metadata holds %s", path)
		}
	}
	for _, path := range []string{"topic", "last_message", "web_url", "online_meeting", "unmapped", "members.email"} {
		if view.ShownInMetadata(conversation, path) {
			t.Errorf("Conversation: metadata holds %s", path)
		}
	}
}

func TestBasicIsFullWithoutUnmapped(t *testing.T) {
	t.Parallel()
	for _, m := range messages() {
		name, before := m.ProtoReflect().Descriptor().Name(), proto.Clone(m)
		if got := view.Apply(m, full); got != m {
			t.Errorf("%s: FULL is a copy", name)
		}
		want := proto.Clone(m)
		unmapped := want.ProtoReflect().Descriptor().Fields().ByName("unmapped")
		got := view.Apply(m, basic)
		if unmapped == nil {
			if got != m {
				t.Errorf("%s: BASIC is a copy without need", name)
			}
			continue
		}
		want.ProtoReflect().Clear(unmapped)
		if !proto.Equal(want, got) {
			t.Errorf("%s: BASIC is more or less than FULL without unmapped", name)
		}
		if !proto.Equal(before, m) {
			t.Errorf("%s was changed", name)
		}
		if again := view.Apply(got, basic); again != got {
			t.Errorf("%s: what is basic already was copied", name)
		}
	}
}

func TestOtherViewsAreMetadata(t *testing.T) {
	t.Parallel()
	m := &parleyv1.Event{Uid: "u", WebUrl: "secret"}
	for _, v := range []parleyv1.EventView{parleyv1.EventView_EVENT_VIEW_UNSPECIFIED, 99, -1} {
		if diff := cmp.Diff(&parleyv1.Event{Uid: "u"}, view.Apply(m, v), protocmp.Transform()); diff != "" {
			t.Errorf("%v: %s", v, diff)
		}
	}
	var none *parleyv1.Event
	if got := view.Apply(none, metadata); got != proto.Message(none) {
		t.Errorf("nothing became %v", got)
	}
}

// TestUnknownFieldsAreNotMetadata: a field from a newer contract may be anything.
func TestUnknownFieldsAreNotMetadata(t *testing.T) {
	t.Parallel()
	actor := &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u"}}
	actor.GetUser().ProtoReflect().SetUnknown(protoreflect.RawFields("\xfa\x3f\x06canary"))
	m := &parleyv1.Event{Actor: actor, Attachments: []*parleyv1.Attachment{{Id: "1"}, {Id: "2", Name: "canary"}, {Id: "3"}}}
	got := view.Apply(m, metadata)
	want := &parleyv1.Event{
		Actor:       &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u"}},
		Attachments: []*parleyv1.Attachment{{Id: "1"}, {Id: "2"}, {Id: "3"}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if len(m.GetActor().GetUser().ProtoReflect().GetUnknown()) == 0 || m.GetAttachments()[1].GetName() == "" {
		t.Error("the event was changed")
	}
	if wire, err := proto.Marshal(got); err != nil || strings.Contains(string(wire), "canary") {
		t.Errorf("%v, or the canary survives on the wire", err)
	}
}

func TestMarkedPathsAreShownInMetadata(t *testing.T) {
	t.Parallel()
	md := (*parleyv1.Event)(nil).ProtoReflect().Descriptor()
	for path, want := range map[string]bool{
		"uid": true, "eventTime": true, "event_time": true, "copilot.app_class": true, "copilot.appClass": true, "actor.user.id": true,
		"system.message.channel.team_id": true, "call.sessions.segments.media.streams.audio_codec": true,
		"": false, ".": false, "uid.": false, "uid.x": false, "nothing": false, "body.content_type": false, "actor.user.email": false, "actor..id": false,
	} {
		if got := view.ShownInMetadata(md, path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
	if paths := metadataPaths(md, md, "", map[protoreflect.FullName]bool{}); len(paths) < 300 {
		t.Errorf("%d paths", len(paths))
	}
}

// metadataPaths lists the paths of all fields that EVENT_VIEW_METADATA keeps of a message, in proto names. Messages that
// hold themselves are not entered again.
func metadataPaths(root, md protoreflect.MessageDescriptor, prefix string, above map[protoreflect.FullName]bool) (paths []string) {
	if above[md.FullName()] {
		return nil
	}
	above[md.FullName()] = true
	defer delete(above, md.FullName())
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		path := prefix + string(fd.Name())
		if !view.ShownInMetadata(root, path) {
			continue
		}
		paths = append(paths, path)
		if inner := fd.Message(); inner != nil && !fd.IsMap() && inner.ParentFile().Package() == md.ParentFile().Package() {
			paths = append(paths, metadataPaths(root, inner, path+".", above)...)
		}
	}
	return paths
}

func BenchmarkMetadata(b *testing.B) {
	m := &parleyv1.Event{}
	filled(m.ProtoReflect(), 1, true)
	b.ReportAllocs()
	for b.Loop() {
		view.Apply(m, metadata)
	}
}
