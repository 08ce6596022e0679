package source_test

import (
	"testing"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/source"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestRetainedMessagesAreTheMessagesOfChats reads the same interval from both exports: a retained copy has the uid, the version and the name of its message,
// and a deleted message has its text in the retained copy alone.
func TestRetainedMessagesAreTheMessagesOfChats(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{})
	user := sim.DemoUser()
	opt := source.Options{Tenant: sim.TenantID()}
	q := source.EventQuery{Owner: user.ID, User: user.ID, Start: simNow.AddDate(0, 0, -20), End: simNow.AddDate(0, 0, -1)}
	read := func(reader source.EventReader) map[string]*parleyv1.Event {
		items, _ := walk(t, reader, q)
		events := map[string]*parleyv1.Event{}
		for _, item := range items {
			event := eventOf(t, item)
			events[event.GetUid()] = event
		}
		return events
	}
	messages, copies := read(source.NewChat(client, opt)), read(source.NewRetainedChat(client, opt))
	if len(messages) < 50 || len(messages) != len(copies) {
		t.Fatalf("%d messages, %d retained copies", len(messages), len(copies))
	}
	deleted := 0
	for uid, message := range messages {
		retained := copies[uid]
		if retained.GetSource().GetSource() != parleyv1.Source_SOURCE_RETAINED_CHAT || message.GetSource().GetSource() != parleyv1.Source_SOURCE_CHAT {
			t.Fatalf("sources %v and %v", retained.GetSource(), message.GetSource())
		}
		if retained.GetVersion() != message.GetVersion() || retained.GetName() != message.GetName() || retained.GetKind() != message.GetKind() {
			t.Errorf("version %d, name %s, kind %s of a copy of %v", retained.GetVersion(), retained.GetName(), retained.GetKind(), message)
		}
		if message.GetDeleteTime() == nil {
			continue
		}
		deleted++
		if message.GetBody().GetContent() != "" || retained.GetBody().GetContent() == "" || retained.GetDeleteTime() == nil {
			t.Errorf("%s: text %q, retained %q", uid, message.GetBody().GetContent(), retained.GetBody().GetContent())
		}
	}
	if deleted == 0 {
		t.Error("no message was deleted")
	}
}
