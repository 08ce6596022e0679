package weigh_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/weigh"
)

func table() *weigh.Table { return weigh.New((*parleyv1.Event)(nil).ProtoReflect().Descriptor()) }

// compact is the length of protojson's form without its blanks outside of texts.
func compact(tb testing.TB, m proto.Message) int {
	tb.Helper()
	raw, err := protojson.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	n, quoted, escaped := 0, false, false
	for _, c := range raw {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		}
		if quoted || c != ' ' {
			n++
		}
	}
	return n
}

// bounded checks that JSON and Most bound the JSON of an event, and JSON not by much more than slack times.
func bounded(t *testing.T, tab *weigh.Table, e *parleyv1.Event, slack float64) {
	t.Helper()
	raw, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, want := tab.JSON(raw), compact(t, e)
	if got < want || tab.Most(len(raw)) < got {
		t.Errorf("%d bytes of JSON are taken for %d, at most %d: %.200v", want, got, tab.Most(len(raw)), e)
	}
	if slack > 0 && float64(got) > slack*float64(want)+16 {
		t.Errorf("%d bytes of JSON are taken for %d", want, got)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../source/graphmap/testdata/golden/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	tab := table()
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &structpb.Struct{}
		if err := protojson.Unmarshal(raw, s); err != nil {
			t.Fatal(err)
		}
		one := s.GetFields()["event"].GetStructValue()
		if one == nil {
			one = s
		}
		e := &parleyv1.Event{Unmapped: one}
		bounded(t, tab, e, 1.3)
		text, err := protojson.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		e = &parleyv1.Event{}
		if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, e) == nil {
			bounded(t, tab, e, 1.3)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	tab := table()
	for c := range 0x80 {
		e := &parleyv1.Event{Body: &parleyv1.Body{Content: strings.Repeat(string(rune(c)), 1000)}}
		bounded(t, tab, e, 7)
		if n := weigh.Prefix(e.GetBody().GetContent(), 600); n > 600 || n < 100 || weigh.Text(e.GetBody().GetContent()[:n]) > 600 {
			t.Errorf("%q is cut to %d", rune(c), n)
		}
	}
	bounded(t, tab, &parleyv1.Event{Body: &parleyv1.Body{Content: "\u2028\u2029ü😀\u0080"}}, 0)
}

// TestWorst fills one field after another of every message with the shortest values of the longest JSON.
func TestWorst(t *testing.T) {
	t.Parallel()
	tab := table()
	root := &parleyv1.Event{}
	fill(t, tab, root, root.ProtoReflect(), 0)
	if tab.JSON([]byte{0xff}) < 1 || tab.JSON(protowire.AppendTag(nil, 1, protowire.BytesType)) < 2 {
		t.Error("bytes that are no message weigh nothing")
	}
}

func fill(t *testing.T, tab *weigh.Table, root *parleyv1.Event, m protoreflect.Message, depth int) {
	t.Helper()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.IsMap() {
			continue
		}
		for _, v := range values(m, fd) {
			if fd.IsList() {
				list := m.NewField(fd).List()
				for range 50 {
					list.Append(v)
				}
				m.Set(fd, protoreflect.ValueOfList(list))
			} else {
				m.Set(fd, v)
			}
			bounded(t, tab, root, 0)
		}
		if fd.Message() != nil && depth < 6 && fd.Message().ParentFile().Package() == "parley.v1" {
			var child protoreflect.Message
			if fd.IsList() {
				list := m.NewField(fd).List()
				child = list.AppendMutable().Message()
				m.Set(fd, protoreflect.ValueOfList(list))
			} else {
				child = m.Mutable(fd).Message()
			}
			fill(t, tab, root, child, depth+1)
		}
		m.Clear(fd)
	}
}

// values are one or two values of a field that weigh much.
func values(m protoreflect.Message, fd protoreflect.FieldDescriptor) []protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return []protoreflect.Value{protoreflect.ValueOfBool(true)}
	case protoreflect.Int32Kind:
		return []protoreflect.Value{protoreflect.ValueOfInt32(1), protoreflect.ValueOfInt32(math.MinInt32)}
	case protoreflect.Int64Kind:
		return []protoreflect.Value{protoreflect.ValueOfInt64(1), protoreflect.ValueOfInt64(math.MinInt64)}
	case protoreflect.FloatKind:
		return []protoreflect.Value{protoreflect.ValueOfFloat32(-math.MaxFloat32)}
	case protoreflect.DoubleKind:
		return []protoreflect.Value{protoreflect.ValueOfFloat64(-1.2345678901234567e-300)}
	case protoreflect.StringKind:
		return []protoreflect.Value{protoreflect.ValueOfString("x"), protoreflect.ValueOfString("\x01\x02")}
	case protoreflect.EnumKind:
		longest := fd.Enum().Values().Get(fd.Enum().Values().Len() - 1)
		return []protoreflect.Value{protoreflect.ValueOfEnum(longest.Number()), protoreflect.ValueOfEnum(math.MaxInt32)}
	case protoreflect.MessageKind:
		if fd.Message().FullName() == "google.protobuf.Timestamp" {
			return []protoreflect.Value{
				protoreflect.ValueOfMessage((&timestamppb.Timestamp{}).ProtoReflect()),
				protoreflect.ValueOfMessage((&timestamppb.Timestamp{Seconds: 1, Nanos: 1}).ProtoReflect()),
			}
		}
		if fd.IsList() {
			return []protoreflect.Value{m.NewField(fd).List().NewElement()}
		}
		return []protoreflect.Value{m.NewField(fd)}
	default:
		return nil
	}
}

func TestMost(t *testing.T) {
	t.Parallel()
	tab := table()
	if most := tab.Most(1) - 2; most < 6 || most > 64 {
		t.Errorf("one byte may become %d", most)
	} else {
		t.Logf("one byte may become %d", most)
	}
}

func BenchmarkJSON(b *testing.B) {
	tab := table()
	raw, err := proto.Marshal(&parleyv1.Event{
		Name: "users/u/events/chat,19:a@thread.v2,1", Uid: "uid", Version: 7, EventTime: timestamppb.Now(), CreateTime: timestamppb.Now(),
		Actor:  &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u", DisplayName: "Ada"}},
		Body:   &parleyv1.Body{Content: strings.Repeat("<p>\"x\"</p>", 60), PlainText: strings.Repeat("\"x\"\n", 60), ContentBytes: 10},
		Detail: &parleyv1.Event_Chat{Chat: &parleyv1.ChatDetail{Reactions: []*parleyv1.Reaction{{ReactionType: "like"}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		_ = tab.JSON(raw)
	}
}
