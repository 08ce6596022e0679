package graphmap_test

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
)

// fataler is a test, a benchmark or a fuzz run.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// encoded is the encoded draft of a record, its unmapped apart.
func encoded(t fataler, table *graphmap.Table, root string, record []byte) (basic, unmapped []byte) {
	t.Helper()
	draft, err := table.Draft(root, record)
	if err != nil {
		t.Fatalf("%.500s: %v", record, err)
	}
	defer draft.Release()
	return draft.Encode()
}

// draftOf checks what is promised of the encoded draft of any record, and returns the event that it is.
func draftOf(t fataler, table *graphmap.Table, root string, record []byte) *parleyv1.Event {
	t.Helper()
	basic, unmapped := encoded(t, table, root, record)
	got := &parleyv1.Event{}
	if err := proto.Unmarshal(append(append([]byte(nil), basic...), unmapped...), got); err != nil {
		t.Fatalf("the draft is not an event: %v: %.500s: %x", err, record, basic)
	}
	if len(got.ProtoReflect().GetUnknown()) > 0 {
		t.Fatalf("unknown fields")
	}
	alone := &parleyv1.Event{}
	if err := proto.Unmarshal(basic, alone); err != nil || alone.GetUnmapped() != nil {
		t.Fatalf("unmapped is not apart: %v", err)
	}
	if got.GetUnmapped() == nil && proto.Size(got) != len(basic) {
		t.Fatalf("%d bytes, but the message has %d", len(basic), proto.Size(got))
	}
	return got
}

// sameEvent checks that the draft of a record and Event say the same.
func sameEvent(t fataler, table *graphmap.Table, root string, record []byte) *parleyv1.Event {
	t.Helper()
	got := draftOf(t, table, root, record)
	want, err := table.Event(root, record)
	if err != nil {
		t.Fatalf("%.500s: %v", record, err)
	}
	if !proto.Equal(want, got) {
		t.Fatalf("%.500s (-event +draft):\n%s", record, cmp.Diff(want, got, protocmp.Transform(), nanEqual()))
	}
	return got
}

// TestADraftIsTheGoldenEvent: the draft of every golden record is the golden event.
func TestADraftIsTheGoldenEvent(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, g := range goldens(t) {
		sameEvent(t, table, g.Root, g.Record)
	}
}

// TestUnusualRecordsAreReadAsUsualOnes: a record that repeats names in every object, in which names and texts are written with escapes, becomes the
// same event as the record that Graph would send.
func TestUnusualRecordsAreReadAsUsualOnes(t *testing.T) {
	t.Parallel()
	schema, table := loadSchema(t), newTable(t)
	rapid.Check(t, func(t *rapid.T) {
		root := rapid.SampledFrom([]string{graphmap.RootChatMessage, graphmap.RootAIInteraction, graphmap.RootCallRecord}).Draw(t, "root")
		b := &builder{schema: schema, used: map[string]bool{}, pick: scattered(rapid.Uint64().Draw(t, "seed"))}
		record := b.object(root).encode()
		want := sameEvent(t, table, root, record)
		odd := unusual(record)
		if sameBytes(t, table, root, record, odd) {
			return
		}
		if got := draftOf(t, table, root, odd); !proto.Equal(want, got) {
			t.Fatalf("%.500s (-usual +unusual):\n%s", record, cmp.Diff(want, got, protocmp.Transform(), nanEqual()))
		}
	})
}

// sameBytes reports whether two records become the same bytes. Events may be the same without that, yet comparing those takes much longer.
func sameBytes(t fataler, table *graphmap.Table, root string, a, b []byte) bool {
	t.Helper()
	basic, unmapped := encoded(t, table, root, a)
	otherBasic, otherUnmapped := encoded(t, table, root, b)
	return bytes.Equal(basic, otherBasic) && bytes.Equal(unmapped, otherUnmapped)
}

// unusual writes a record with each member of its objects twice, first with a value that does not count, and with all that can be
// escaped escaped.
func unusual(record []byte) []byte {
	dec := jsontext.NewDecoder(bytes.NewReader(record), jsontext.AllowDuplicateNames(true))
	var out []byte
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return out
		}
		_, n := dec.StackIndex(dec.StackDepth())
		in, _ := dec.StackIndex(dec.StackDepth())
		isName := in == jsontext.KindBeginObject && n%2 == 1 && token.Kind() == jsontext.KindString
		if k := token.Kind(); k != jsontext.KindEndObject && k != jsontext.KindEndArray && len(out) > 0 && out[len(out)-1] != '{' && out[len(out)-1] != '[' && out[len(out)-1] != ':' {
			out = append(out, ',')
		}
		switch token.Kind() {
		case jsontext.KindString:
			literal := escaped(token.String())
			if isName {
				out = append(append(out, literal...), `:[{"a":"b"},null],`...)
				out = append(append(out, literal...), ':')
				continue
			}
			out = append(out, literal...)
		default:
			out = append(out, token.String()...)
		}
	}
}

// escaped writes a string with an escape for each of its UTF-16 units.
func escaped(s string) string {
	const digits = "0123456789abcdef"
	out := []byte{'"'}
	for _, unit := range utf16.Encode([]rune(s)) {
		out = append(out, '\\', 'u', digits[unit>>12], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
	}
	return string(append(out, '"'))
}

func TestADraftRefusesWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, record := range []string{``, `null`, `[]`, `{`, `{}x`, `{"id":"1","id":"2"}x`, `{"x":1,"x":nul}`, `{"x":{"a":1,"a":2}`} {
		if _, err := table.Draft(graphmap.RootChatMessage, []byte(record)); !errors.Is(err, graphmap.ErrRecord) {
			t.Errorf("%s: %v", record, err)
		}
	}
	if _, err := table.Draft("driveItem", []byte(`{}`)); !errors.Is(err, graphmap.ErrRoot) {
		t.Errorf("an unknown root: %v", err)
	}
}

// TestFieldNumbers compares the numbers that drafts are grouped by with the contract.
func TestFieldNumbers(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for root, record := range map[string]string{
		graphmap.RootChatMessage:   `{"messageType":"systemEventMessage","x":1,"a@nextLink":"b"}`,
		graphmap.RootAIInteraction: `{"x":1,"a@nextLink":"b"}`, graphmap.RootCallRecord: `{"x":1,"a@nextLink":"b"}`,
	} {
		event := sameEvent(t, table, root, []byte(record))
		if event.GetSource() == nil || event.GetUnmapped() == nil || len(event.GetTruncatedFields()) != 1 ||
			event.GetSystem().GetMessage().GetMessageType() == 0 && event.GetCopilot() == nil && event.GetCall() == nil {
			t.Errorf("%s: %v", record, event)
		}
	}
}

func BenchmarkChatDraft(b *testing.B) {
	table, record := newTable(b), []byte(chatRecord)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		draft, err := table.Draft(graphmap.RootChatMessage, record)
		if err != nil {
			b.Fatal(err)
		}
		draft.Encode()
		draft.Release()
	}
}
