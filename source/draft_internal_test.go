package source

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// compareWays checks that a record becomes the same item with a draft and without, and reports whether there is a draft.
func compareWays(t *testing.T, record []byte) bool {
	t.Helper()
	chat, copilot, call := NewChat(nil, Options{Tenant: "t"}), NewCopilot(nil, Options{Tenant: "t"}), NewCall(nil, Options{Tenant: "t"})
	drafted := false
	for name, ways := range map[string]struct {
		draft func() (Item, bool)
		plain func() (Item, error)
	}{
		"chat":      {func() (Item, bool) { return chat.draftItem("u", "asked", false, record) }, func() (Item, error) { return chat.messageItem("u", "asked", false, record) }},
		"by create": {func() (Item, bool) { return chat.draftItem("u", "", true, record) }, func() (Item, error) { return chat.messageItem("u", "", true, record) }},
		"copilot":   {func() (Item, bool) { return copilot.draftItem("u", record) }, func() (Item, error) { return copilot.interactionItem("u", record) }},
		"call":      {func() (Item, bool) { return call.draftItem("-", record, true) }, func() (Item, error) { return call.recordItem("-", record, true) }},
		"whole":     {func() (Item, bool) { return call.draftItem("u", record, false) }, func() (Item, error) { return call.recordItem("u", record, false) }},
	} {
		got, ok := ways.draft()
		if !ok {
			continue
		}
		drafted = true
		want, err := ways.plain()
		if err != nil {
			t.Fatalf("%s: a draft of a record that is refused: %v", name, err)
		}
		have, err := got.Event()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		hope, err := want.Event()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(hope, have, protocmp.Transform()); diff != "" {
			t.Fatalf("%s: %.300s (-event +draft):\n%s", name, record, diff)
		}
		got.Basic, got.Unmapped, want.Basic, want.Unmapped = nil, nil, nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %.300s (-event +draft):\n%s", name, record, diff)
		}
	}
	return drafted
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

func TestDraftOfSeeds(t *testing.T) {
	t.Parallel()
	drafts := 0
	records := seedRecords(t)
	for _, record := range records {
		if compareWays(t, record) {
			drafts++
		}
	}
	if drafts*3 < len(records)*2 { // the others are CSV, answers without a list, or have equal names
		t.Errorf("only %d of %d records have drafts", drafts, len(records))
	}
}

func FuzzDraft(f *testing.F) {
	for _, record := range seedRecords(f) {
		f.Add(record)
	}
	f.Add([]byte(`{"id":"1","body":{"contentType":"html","content":"<attachment id=\"a\"></attachment>"},"attachments":[{"id":"a","contentType":"reference","name":"n","content":"{\"type\":\"AdaptiveCard\"}"}],"eventDetail":{}}`))
	f.Add([]byte(`{"id":"1","sessionId":"s","contexts":[{"contextType":"TeamsMeeting","contextReference":"19:meeting_a@thread.v2"}],"joinWebUrl":"https://x/19:meeting_a@thread.v2","version":7,"startDateTime":"2026-01-01T00:00:00Z","organizer":{"user":{"id":"u"}}}`))
	f.Add(replyRecord(nil, "<customemoji alt='a'>", refers("forwardedMessageReference", "1", `{"originalMessageId":2,"originalConversationId":"c d"}`)))
	f.Add([]byte(`{"id":"1","interactionType":"aiResponse","sessionId":"s","body":{"contentType":"html","content":"<p>**a**</p>\u001b"},"attachments":[]}`))
	f.Fuzz(func(t *testing.T, record []byte) { compareWays(t, record) })
}

// TestFieldNumbers compares the numbers that drafts are completed by with the contract.
func TestFieldNumbers(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		message protoreflect.ProtoMessage
		numbers map[protoreflect.Name]protowire.Number
	}{
		{(*parleyv1.Event)(nil), map[protoreflect.Name]protowire.Number{
			"name": eventName, "uid": eventUIDField, "version": eventVersion, "owner": eventOwner, "conversation": eventConversation, "kind": eventKind,
			"event_time": eventTime, "create_time": eventCreateTime, "update_time": eventUpdateTime, "edit_time": eventEditTime,
			"delete_time": eventDeleteTime, "actor": eventActor, "body": eventBody, "attachments": eventAttachments,
			"reply_to": eventReplyTo, "correlation_id": eventCorrelation, "unmapped": eventUnmapped, "system": eventSystem,
			"reply_to_conversation": eventReplyToConversation,
		}},
		{(*parleyv1.EventSource)(nil), map[protoreflect.Name]protowire.Number{
			"source": sourceSource, "id": sourceID, "chat_id": sourceChatID, "api_version": sourceAPIVersion, "etag": sourceEtag,
		}},
		{(*parleyv1.Body)(nil), map[protoreflect.Name]protowire.Number{
			"content_type": bodyContentType, "message_body_content_type": bodyMessageContentType, "content": bodyContent,
			"plain_text": bodyPlainText, "content_size": bodyContentSize,
		}},
		{(*parleyv1.Attachment)(nil), map[protoreflect.Name]protowire.Number{
			"id": attachmentID, "content_type": attachmentContentType, "content_url": attachmentContentURL,
			"content": attachmentContent, "name": attachmentName, "content_size": attachmentContentSize,
		}},
		{(*parleyv1.ChatDetail)(nil), map[protoreflect.Name]protowire.Number{
			"message_type": chatMessageType, "message_type_other": chatMessageTypeOther, "channel": chatChannel, "reactions": chatReactions,
		}},
		{(*parleyv1.ChannelIdentity)(nil), map[protoreflect.Name]protowire.Number{"channel_id": channelID}},
		{(*parleyv1.Reaction)(nil), map[protoreflect.Name]protowire.Number{"create_time": reactionCreateTime}},
		{(*parleyv1.CopilotDetail)(nil), map[protoreflect.Name]protowire.Number{
			"interaction_type": copilotInteractionType, "interaction_type_other": copilotInteractionTypeOther, "session_id": copilotSessionID, "request_id": copilotRequestID, "contexts": copilotContexts,
		}},
		{(*parleyv1.CopilotContext)(nil), map[protoreflect.Name]protowire.Number{"reference": contextReference, "context_type": contextType}},
		{(*parleyv1.CallDetail)(nil), map[protoreflect.Name]protowire.Number{
			"partial": callPartial, "start_time": callStart, "join_thread_id": callJoinThreadID, "join_web_url": callJoinWebURL,
			"organizer": callOrganizer, "legacy_organizer": callLegacyOrganizer, "record_version": callRecordVersion,
		}},
		{(*parleyv1.CallParticipant)(nil), map[protoreflect.Name]protowire.Number{"identity": participantIdentity}},
	} {
		fields := of.message.ProtoReflect().Descriptor().Fields()
		for name, number := range of.numbers {
			if fd := fields.ByName(name); fd == nil || fd.Number() != number {
				t.Errorf("%s is not %s", name, fd.FullName())
			}
		}
	}
}
