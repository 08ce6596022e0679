package graphmap_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
)

// sameEvent checks that a draft of the record, if there is one, is what Event says, and reports whether there is one.
func sameEvent(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, table *graphmap.Table, root string, record []byte,
) bool {
	t.Helper()
	draft, ok := table.Draft(root, record)
	if !ok {
		return false
	}
	basic, unmapped := draft.Encode()
	table.Release(draft)
	want, err := table.Event(root, record)
	if err != nil {
		t.Fatalf("a draft of a record that Event refuses: %v", err)
	}
	got := &parleyv1.Event{}
	if err := proto.Unmarshal(append(append([]byte(nil), basic...), unmapped...), got); err != nil {
		t.Fatalf("the draft is not an event: %v: %.500s: %x", err, record, basic)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform(), nanEqual()); diff != "" {
		t.Fatalf("%.500s (-event +draft):\n%s", record, diff)
	}
	if len(got.ProtoReflect().GetUnknown()) > 0 {
		t.Fatalf("unknown fields")
	}
	alone := &parleyv1.Event{}
	if err := proto.Unmarshal(basic, alone); err != nil || alone.GetUnmapped() != nil {
		t.Fatalf("unmapped is not apart: %v", err)
	}
	if want.GetUnmapped() == nil && proto.Size(want) != len(basic) {
		t.Fatalf("%d bytes, but the message has %d", len(basic), proto.Size(want))
	}
	return true
}

// TestDraftOfGolden: every golden record is usual, and its draft is the golden event.
func TestDraftOfGolden(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, g := range goldens(t) {
		if !sameEvent(t, table, g.Root, g.Record) {
			t.Errorf("%s: no draft", g.path)
		}
	}
}

// TestDraftOfSchema: records with any properties that Graph declares are usual.
func TestDraftOfSchema(t *testing.T) {
	t.Parallel()
	schema, table := loadSchema(t), newTable(t)
	rapid.Check(t, func(t *rapid.T) {
		root := rapid.SampledFrom([]string{graphmap.RootChatMessage, graphmap.RootAIInteraction, graphmap.RootCallRecord}).Draw(t, "root")
		b := &builder{schema: schema, used: map[string]bool{}, pick: func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(t, what) }}
		record := b.object(root).encode()
		if !sameEvent(t, table, root, record) && len(record) < 16<<10 {
			t.Fatalf("no draft of %.300s", record)
		}
	})
}

func TestDraftRefuses(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, record := range []string{
		``, `null`, `[]`, `{`, `{}x`, `{"id":"1","id":"2"}`, `{"x":1,"x":null}`, `{"x":{"a":1,"a":2}}`, "{\"subject\":\"\xff\"}", `{"subject":"\ud800"}`, `{"subj\u0065ct":"a"}`,
	} {
		if _, ok := table.Draft(graphmap.RootChatMessage, []byte(record)); ok {
			t.Errorf("a draft of %s", record)
		}
	}
	if _, ok := table.Draft("driveItem", []byte(`{}`)); ok {
		t.Error("a draft of an unknown root")
	}
}

// TestFieldNumbers compares the numbers that drafts are grouped by with the contract.
func TestFieldNumbers(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for root, record := range map[string]string{
		graphmap.RootChatMessage: `{"messageType":"systemEventMessage","x":1}`, graphmap.RootAIInteraction: `{"x":1}`, graphmap.RootCallRecord: `{"x":1}`,
	} {
		if !sameEvent(t, table, root, []byte(record)) {
			t.Errorf("no draft of %s", record)
		}
	}
}

func BenchmarkChatDraft(b *testing.B) {
	table, record := newTable(b), []byte(chatRecord)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		draft, ok := table.Draft(graphmap.RootChatMessage, record)
		if !ok {
			b.Fatal("refused")
		}
		draft.Encode()
		table.Release(draft)
	}
}
