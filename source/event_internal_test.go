package source

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// checkItems makes the items of a record, whatever API it is of, and checks that each says what its event says. It reports whether
// the record is one.
func checkItems(t *testing.T, record []byte) bool {
	t.Helper()
	chat, copilot, call := NewChat(nil, Options{Tenant: "t"}), NewCopilot(nil, Options{Tenant: "t"}), NewCall(nil, Options{Tenant: "t"})
	for name, item := range map[string]func() (Item, error){
		"chat": func() (Item, error) { return chat.item("u", "asked", record) },
		"by create": func() (Item, error) {
			item, err := chat.item("u", "", record)
			item.timeByCreation()
			return item, err
		},
		"copilot": func() (Item, error) { return copilot.item("u", record) },
		"call":    func() (Item, error) { return call.listItem("-", record) },
		"whole":   func() (Item, error) { return call.wholeItem("u", record) },
	} {
		item, err := item()
		if err != nil {
			if !isKind(err, graph.KindMalformed) {
				t.Fatalf("%s: %v", name, err)
			}
			return false
		}
		event, err := item.Event()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		created := time.Time{}
		if event.GetCreateTime() != nil {
			created = event.GetCreateTime().AsTime()
		}
		at := created
		if name != "by create" || created.IsZero() {
			at = time.Time{}
			if event.GetEventTime() != nil {
				at = event.GetEventTime().AsTime()
			}
		}
		want := Item{
			Key: item.Key, Version: event.GetVersion(), Created: created, Time: at,
			NoTime: event.GetEventTime() == nil && (name != "by create" || created.IsZero()),
		}
		bytes := slices.Concat(item.Basic, item.Unmapped)
		item.Basic, item.Unmapped = nil, nil
		if diff := cmp.Diff(want, item); diff != "" {
			t.Fatalf("%s: %.300s (-event +item):\n%s", name, record, diff)
		}
		if uid := string(appendEventUID(nil, "t", event.GetSource().GetSource(), item.Key)); event.GetUid() != uid || event.GetOwner() == "" {
			t.Fatalf("%s: %.300s: uid %s, want %s; owner %s", name, record, event.GetUid(), uid, event.GetOwner())
		}
		if len(event.ProtoReflect().GetUnknown()) > 0 || proto.Size(event) != len(bytes) {
			t.Fatalf("%s: %.300s: %d bytes, but the message has %d", name, record, len(bytes), proto.Size(event))
		}
		if (name == "call" || name == "whole") && event.GetCall().GetPartial() != (name == "call") {
			t.Fatalf("%s: partial is %v", name, event.GetCall().GetPartial())
		}
	}
	return true
}

// seedRecords are the records of the seeds, whatever API they are of.
func seedRecords(t interface {
	Helper()
	Fatal(args ...any)
},
) [][]byte {
	t.Helper()
	var records [][]byte
	for _, pattern := range []string{"testdata/seeds/*.json", "testdata/seeds/*/*.json", "testdata/golden/*.json"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, raw)
			if all, err := properties(raw); err == nil {
				if rows, ok := elements(find(all, "value")); ok {
					records = append(records, rows...)
				}
			}
		}
	}
	if len(records) == 0 {
		t.Fatal("no records")
	}
	return records
}

func TestEveryRecordOfTheSeedsBecomesAnItem(t *testing.T) {
	t.Parallel()
	items := 0
	records := seedRecords(t)
	for _, record := range records {
		if checkItems(t, record) {
			items++
		}
	}
	if items*3 < len(records)*2 { // the others are CSV
		t.Errorf("only %d of %d records have items", items, len(records))
	}
}

func FuzzItem(f *testing.F) {
	for _, record := range seedRecords(f) {
		f.Add(record)
	}
	f.Add([]byte(`{"id":"1","body":{"contentType":"html","content":"<attachment id=\"a\"></attachment>"},"attachments":[{"id":"a","contentType":"reference","name":"n","content":"{\"type\":\"AdaptiveCard\"}"}],"eventDetail":{}}`))
	f.Add([]byte(`{"id":"1","sessionId":"s","contexts":[{"contextType":"TeamsMeeting","contextReference":"19:meeting_a@thread.v2"}],"joinWebUrl":"https://x/19:meeting_a@thread.v2","version":7,"startDateTime":"2026-01-01T00:00:00Z","organizer":{"user":{"id":"u"}}}`))
	f.Add(replyRecord(nil, "<customemoji alt='a'>", refers("forwardedMessageReference", "1", `{"originalMessageId":2,"originalConversationId":"c d"}`)))
	f.Add([]byte(`{"id":"1","interactionType":"aiResponse","sessionId":"s","body":{"contentType":"html","content":"<p>**a**</p>\u001b"},"attachments":[]}`))
	f.Fuzz(func(t *testing.T, record []byte) { checkItems(t, record) })
}
