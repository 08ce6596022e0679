package wire_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/wire"
)

// kinds are the messages that JSON columns hold, and others of all kinds.
func kinds() []proto.Message {
	return []proto.Message{
		new(parleyv1.Event), new(parleyv1.Conversation), new(parleyv1.CopilotUsageRow), new(parleyv1.StreamTenantEventsResponse), new(parleyv1.User),
		new(structpb.Struct), new(timestamppb.Timestamp), new(durationpb.Duration), new(structpb.ListValue), new(structpb.Value),
		new(wrapperspb.DoubleValue), new(fieldmaskpb.FieldMask),
	}
}

func want(t *testing.T, m proto.Message) (string, bool) {
	t.Helper()
	text, err := protojson.Marshal(m)
	if err != nil {
		return "", false
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	return compact.String(), true
}

// compare holds the JSON of a message against that of protojson. Where protojson refuses a time, it is null.
func compare(t *testing.T, m proto.Message, content []byte) {
	t.Helper()
	expected, ok := want(t, m)
	text, err := wire.JSON(m.ProtoReflect().Descriptor(), content)
	if !ok && err == nil && strings.Contains(text, "null") {
		return
	}
	if (err == nil) != ok || ok && text != expected {
		t.Errorf("%s: %v\ngot  %s\nwant %s", m.ProtoReflect().Descriptor().FullName(), err, text, expected)
	}
}

// TestRandomMessagesEqualProtojson holds the texts of messages with all of their fields against those of protojson.
func TestRandomMessagesEqualProtojson(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, kind := range kinds() {
		for range 60 {
			m := kind.ProtoReflect().New()
			fill(random, m, 0)
			content, err := proto.Marshal(m.Interface())
			if err != nil {
				t.Fatal(err)
			}
			compare(t, m.Interface(), content)
			// What is written twice is merged.
			other := kind.ProtoReflect().New()
			fill(random, other, 0)
			second, err := proto.Marshal(other.Interface())
			if err != nil {
				t.Fatal(err)
			}
			content = append(content, second...)
			merged := kind.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(content, merged); err != nil {
				t.Fatal(err)
			}
			compare(t, merged, content)
		}
	}
}

// TestSingleFieldsEqualThoseOfTheWhole holds single fields of an event against those of the whole.
func TestSingleFieldsEqualThoseOfTheWhole(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		event := new(parleyv1.Event)
		fill(random, event.ProtoReflect(), 0)
		text, err := proto.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		var m wire.Message
		m.Scan(event.ProtoReflect().Descriptor(), text)
		if m.Err() != nil {
			t.Fatal(m.Err())
		}
		whole, ok := want(t, event)
		if !ok {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(whole), &fields); err != nil {
			t.Fatal(err)
		}
		declared := event.ProtoReflect().Descriptor().Fields()
		for i := range declared.Len() {
			text := string(m.AppendField(nil, declared.Get(i).Number()))
			if wanted := string(fields[declared.Get(i).JSONName()]); text != wanted {
				t.Fatalf("%s:\ngot  %s\nwant %s", declared.Get(i).Name(), text, wanted)
			}
		}
	}
}

// TestUnsetFieldsAreLeftOut: protojson leaves out what is not set, and cannot write some messages at all.
func TestUnsetFieldsAreLeftOut(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]proto.Message{
		"empty":           new(parleyv1.Event),
		"empty text":      &parleyv1.Event{Body: &parleyv1.Body{}},
		"zero that is":    &parleyv1.CopilotUsageRow{ReportPeriod: new(int32(0))},
		"unknown enum":    &parleyv1.Event{Kind: 4711},
		"negative enum":   &parleyv1.Event{Kind: -1},
		"no value":        &structpb.Struct{Fields: map[string]*structpb.Value{"a": {}}},
		"not a number":    structpb.NewNumberValue(math.NaN()),
		"year 10000":      &timestamppb.Timestamp{Seconds: 253402300800},
		"negative nanos":  &timestamppb.Timestamp{Nanos: -1},
		"mixed signs":     &durationpb.Duration{Seconds: 1, Nanos: -1},
		"negative":        &durationpb.Duration{Nanos: -1_500_000},
		"escapes":         structpb.NewStringValue("\x00\x1f\b\f\n\r\t\"\\/<>&\u2028\x7f\U0001F600"),
		"large and small": &structpb.ListValue{Values: []*structpb.Value{structpb.NewNumberValue(1e21), structpb.NewNumberValue(1e-7), structpb.NewNumberValue(-0.1)}},
	} {
		content, err := proto.Marshal(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		compare(t, m, content)
	}
}

func FuzzJSON(f *testing.F) {
	random := rand.New(rand.NewPCG(5, 6))
	for i, kind := range kinds() {
		m := kind.ProtoReflect().New()
		fill(random, m, 0)
		content, err := proto.Marshal(m.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, content)
	}
	f.Add(0, protowire.AppendVarint(protowire.AppendTag(nil, 6, protowire.VarintType), 1<<32))
	f.Fuzz(func(t *testing.T, kind int, content []byte) {
		all := kinds()
		m := all[uint(kind)%uint(len(all))]
		if err := proto.Unmarshal(content, m); err != nil {
			_, _ = wire.JSON(m.ProtoReflect().Descriptor(), content) // must not panic
			return
		}
		compare(t, m, content)
	})
}

// fill sets random fields of a message.
func fill(random *rand.Rand, m protoreflect.Message, depth int) {
	switch known := m.Interface().(type) {
	case *timestamppb.Timestamp:
		known.Seconds, known.Nanos = random.Int64N(1<<33), []int32{0, 500_000_000, 1000, 1}[random.IntN(4)]
		return
	case *durationpb.Duration:
		known.Seconds, known.Nanos = random.Int64N(100), random.Int32N(1e9)
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if random.IntN(3) == 0 || f.Kind() == protoreflect.MessageKind && depth > 2 && f.Message().FullName() != "google.protobuf.Value" {
			continue
		}
		switch {
		case f.IsMap():
			for range random.IntN(3) {
				if v := element(random, m.NewField(f).Map().NewValue(), f.MapValue(), depth); depth < 3 {
					m.Mutable(f).Map().Set(protoreflect.ValueOfString(text(random)).MapKey(), v)
				}
			}
		case f.IsList():
			for range random.IntN(3) {
				list := m.Mutable(f).List()
				list.Append(element(random, list.NewElement(), f, depth))
			}
		default:
			m.Set(f, element(random, m.NewField(f), f, depth))
		}
	}
}

func text(random *rand.Rand) string {
	return []string{"", "a", "käse \"und\" \\ brot\n", "\x01", "<b>&</b>", "日本"}[random.IntN(6)]
}

func element(random *rand.Rand, empty protoreflect.Value, f protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.MessageKind:
		if value, ok := empty.Message().Interface().(*structpb.Value); ok && (depth > 2 || random.IntN(2) == 0) {
			value.Kind = &structpb.Value_NumberValue{NumberValue: random.NormFloat64()}
			return empty
		}
		fill(random, empty.Message(), depth+1)
		if value, ok := empty.Message().Interface().(*structpb.Value); ok && value.GetKind() == nil {
			value.Kind = &structpb.Value_BoolValue{BoolValue: true}
		}
		return empty
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(random.IntN(5)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(random.IntN(2) == 0)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text(random))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(text(random)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(random.Uint32()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(random.Uint64()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(random.Uint32())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(random.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(random.NormFloat64() * math.Pow(10, float64(random.IntN(60)-30))))
	default:
		return protoreflect.ValueOfFloat64(random.NormFloat64() * math.Pow(10, float64(random.IntN(60)-30)))
	}
}
