package dataset_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/dataset"
)

// TestRowsFromTheWireEqualThoseOfDecodedEvents holds rows that are read from the wire format against the decoded events.
func TestRowsFromTheWireEqualThoseOfDecodedEvents(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	reader := dataset.NewReader("night")
	for range 150 {
		e := new(parleyv1.Event)
		fill(random, e.ProtoReflect(), 0)
		content, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.Read(content); err != nil {
			t.Fatal(err)
		}
		if reader.Kind() != e.GetKind() || reader.HasName() != (e.GetName() != "") || reader.IsCall() != (e.GetCall() != nil) {
			t.Errorf("%v, named %t, call %t: %v", reader.Kind(), reader.HasName(), reader.IsCall(), e)
		}
		got, err := reader.EventRow()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantRow(t, e), got); diff != "" {
			t.Fatalf("row of the event, decoded (-) and read (+):\n%s\n%v", diff, e)
		}
		wantTurnPart(t, e, reader.TurnPart())
	}
}

func wantTurnPart(t *testing.T, e, part *parleyv1.Event) {
	t.Helper()
	if paired := e.GetKind() == parleyv1.EventKind_EVENT_KIND_PROMPT || e.GetKind() == parleyv1.EventKind_EVENT_KIND_ANSWER; paired != (part != nil) {
		t.Fatalf("part %v of %v", part, e.GetKind())
	}
	if part == nil {
		return
	}
	want := &parleyv1.Event{
		Uid: e.GetUid(), Version: e.GetVersion(), Owner: e.GetOwner(), Kind: e.GetKind(), CreateTime: e.GetCreateTime(), CorrelationId: e.GetCorrelationId(),
		Conversation: e.GetConversation(),
		Detail:       &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: e.GetCopilot().GetAppClass(), SessionId: e.GetCopilot().GetSessionId()}},
	}
	if e.GetActor().GetUser() == nil && e.GetActor().GetApplication() != nil {
		want.Actor = &parleyv1.IdentitySet{Application: &parleyv1.Identity{}}
	}
	if !proto.Equal(want, part) {
		t.Errorf("part of a turn\ngot  %v\nwant %v", part, want)
	}
}

// TestADamagedEventIsNoRow: what is no event is no row.
func TestADamagedEventIsNoRow(t *testing.T) {
	t.Parallel()
	whole, err := proto.Marshal(&parleyv1.Event{Uid: "a", Body: &parleyv1.Body{Content: "hello"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cut": whole[:len(whole)-1], "cut inside": append(bytes.Clone(whole[:len(whole)-1]), 0xff), "no text": {2<<3 | 2, 1, 0xff}, "no message": {13<<3 | 2, 1, 0xff},
	} {
		reader := dataset.NewReader("night")
		err := reader.Read(content)
		if err == nil {
			_, err = reader.EventRow()
		}
		if err == nil {
			t.Errorf("%s: there is a row", name)
		}
	}
}

// fill sets random fields of a message.
func fill(random *rand.Rand, m protoreflect.Message, depth int) {
	if at, ok := m.Interface().(*timestamppb.Timestamp); ok {
		at.Seconds, at.Nanos = random.Int64N(1<<32), []int32{0, 1000, 1}[random.IntN(3)]
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if random.IntN(3) == 0 || f.IsMap() || f.Kind() == protoreflect.MessageKind && depth > 2 {
			continue
		}
		if f.IsList() {
			for range random.IntN(3) {
				list := m.Mutable(f).List()
				list.Append(element(random, list.NewElement(), f, depth))
			}
			continue
		}
		m.Set(f, element(random, m.NewField(f), f, depth))
	}
}

func element(random *rand.Rand, empty protoreflect.Value, f protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.MessageKind:
		if value, ok := empty.Message().Interface().(*structpb.Value); ok {
			value.Kind = &structpb.Value_BoolValue{BoolValue: true}
			return empty
		}
		fill(random, empty.Message(), depth+1)
		return empty
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(random.IntN(9)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "users/a/events/b", "x\n\"y\"", "ä"}[random.IntN(4)])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{1, 2})
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(random.Int32N(100))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(random.Int64N(100))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(random.Float32())
	default:
		return protoreflect.ValueOfFloat64(random.Float64())
	}
}

type enumeration interface {
	String() string
	Number() protoreflect.EnumNumber
}

func enum(member enumeration, other string) string {
	if member.Number() == 0 {
		return other
	}
	return member.String()
}

func last(name string) string {
	parts := bytes.Split([]byte(name), []byte("/"))
	return string(parts[len(parts)-1])
}

func instant(at *timestamppb.Timestamp) (*time.Time, string) {
	if at == nil {
		return nil, ""
	}
	exact := at.AsTime()
	if micros := exact.Truncate(time.Microsecond); !micros.Equal(exact) {
		return &micros, exact.Format(time.RFC3339Nano)
	}
	return &exact, ""
}

func object(t *testing.T, m proto.Message) string {
	t.Helper()
	if !m.ProtoReflect().IsValid() {
		return ""
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	return compact.String()
}

func list[M proto.Message](t *testing.T, messages []M) string {
	t.Helper()
	if len(messages) == 0 {
		return ""
	}
	texts := make([]string, 0, len(messages))
	for _, m := range messages {
		texts = append(texts, object(t, m))
	}
	return "[" + strings.Join(texts, ",") + "]"
}

// wantRow is the row by the decoded event.
func wantRow(t *testing.T, e *parleyv1.Event) dataset.Event {
	t.Helper()
	row := dataset.Event{
		UID: e.GetUid(), Version: e.GetVersion(), UserID: dataset.UserID(e.GetOwner()), Name: e.GetName(), Kind: e.GetKind().String(),
		Source: enum(e.GetSource().GetSource(), ""), SourceID: e.GetSource().GetId(), ChatID: e.GetSource().GetChatId(),
		APIVersion: e.GetSource().GetApiVersion(), ETag: e.GetSource().GetEtag(),
		ConversationID: last(e.GetConversation()), ReplyTo: e.GetReplyTo(), ReplyConversationID: last(e.GetReplyToConversation()),
		CorrelationID: e.GetCorrelationId(), Actor: object(t, e.GetActor()), SummaryText: e.GetSummary().GetText(), SummaryKey: e.GetSummary().GetTemplateKey(),
		Importance: enum(e.GetImportance(), e.GetImportanceOther()), Locale: e.GetLocale(), WebURL: e.GetWebUrl(),
		Attachments: list(t, e.GetAttachments()), Mentions: list(t, e.GetMentions()), Links: list(t, e.GetLinks()),
		Unmapped: object(t, e.GetUnmapped()), OutOfWindow: e.GetOutOfWindow(), TruncatedFields: e.GetTruncatedFields(), Run: "night",
	}
	row.EventTime, row.EventTimeText = instant(e.GetEventTime())
	row.CreateTime, row.CreateTimeText = instant(e.GetCreateTime())
	row.UpdateTime, row.UpdateTimeText = instant(e.GetUpdateTime())
	row.EditTime, row.EditTimeText = instant(e.GetEditTime())
	row.DeleteTime, row.DeleteTimeText = instant(e.GetDeleteTime())
	row.EventDate = dataset.DateOf(row.EventTime)
	var actor *parleyv1.Identity
	for kind, identity := range map[string]*parleyv1.Identity{"user": e.GetActor().GetUser(), "application": e.GetActor().GetApplication(), "guest": e.GetActor().GetGuest(), "phone": e.GetActor().GetPhone(), "device": e.GetActor().GetDevice()} {
		order := map[string]int{"user": 5, "application": 4, "guest": 3, "phone": 2, "device": 1}
		if identity != nil && order[kind] > order[row.ActorKind] {
			row.ActorKind, actor = kind, identity
		}
	}
	row.ActorID, row.ActorDisplayName, row.ActorTenantID = actor.GetId(), actor.GetDisplayName(), actor.GetTenantId()
	row.ActorIdentityType = enum(actor.GetIdentityType(), actor.GetIdentityTypeOther())
	if body := e.GetBody(); body != nil {
		row.ContentType = enum(body.GetContentType(), body.GetContentTypeOther())
		row.Content, row.PlainText, row.ContentSize = body.GetContent(), body.GetPlainText(), new(body.GetContentSize())
	}
	wantDetail(t, &row, e)
	return row
}

func wantDetail(t *testing.T, row *dataset.Event, e *parleyv1.Event) {
	t.Helper()
	message := func(d *parleyv1.ChatDetail) {
		row.MessageType, row.Subject = enum(d.GetMessageType(), d.GetMessageTypeOther()), d.GetSubject()
		row.TeamID, row.ChannelID, row.Reactions = d.GetChannel().GetTeamId(), d.GetChannel().GetChannelId(), list(t, d.GetReactions())
	}
	switch detail := e.GetDetail().(type) {
	case *parleyv1.Event_Copilot:
		d := detail.Copilot
		row.AppClass, row.SessionID, row.RequestID = d.GetAppClass(), d.GetSessionId(), d.GetRequestId()
		row.InteractionType, row.Contexts = enum(d.GetInteractionType(), d.GetInteractionTypeOther()), list(t, d.GetContexts())
		row.Detail = object(t, d)
	case *parleyv1.Event_Chat:
		message(detail.Chat)
		row.Detail = object(t, detail.Chat)
	case *parleyv1.Event_System:
		row.SystemEventType = detail.System.GetEventType()
		message(detail.System.GetMessage())
		row.Detail = object(t, detail.System)
	case *parleyv1.Event_Call:
		d := detail.Call
		row.CallType, row.CallPartial, row.RecordVersion = enum(d.GetCallType(), d.GetCallTypeOther()), new(d.GetPartial()), d.RecordVersion
		row.CallStartTime, _ = instant(d.GetStartTime())
		row.CallEndTime, _ = instant(d.GetEndTime())
		row.CallJoinURL = d.GetJoinWebUrl()
		for _, modality := range d.GetModalities() {
			row.CallModalities = append(row.CallModalities, modality.String())
		}
		row.Detail = object(t, d)
	}
}
