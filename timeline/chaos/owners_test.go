package chaos_test

import (
	"slices"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestAMessageHasOneUIDForAllItsOwners reads two members of one chat side by side. Both get all of its messages, each message under one
// uid and version, so that whoever stores by these has it once; what is only theirs stays apart.
func TestAMessageHasOneUIDForAllItsOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.sim.Oracle("")
	other := ""
	for person := range o.Users() {
		if person.ID != w.user && o.Licensed(person.ID) && slices.Contains(slices.Collect(o.Chats(person.ID)), w.chat) {
			other = person.ID
		}
	}
	if other == "" {
		t.Fatal("nobody else is in the chat")
	}
	start, end := interval()
	want := 0
	for range o.ChatMessages(w.chat, start, end) {
		want++
	}
	inVirtualTime(t, func(t *testing.T) {
		t.Helper()
		b := newBed(t, w, true)
		defer b.close()
		b.behave(t, w, nil, 0)
		read := func(user string) (shared, own []string) {
			t.Helper()
			req := w.requests()["all"]
			req.Owner, req.User = user, user
			s := b.read(t.Context(), req, "", 0)
			if s.err != nil || !s.summary.GetComplete() {
				t.Fatalf("%v %v", s.err, s.summary)
			}
			for _, e := range s.events {
				switch {
				case e.GetSource().GetSource() == chats && e.GetSource().GetChatId() == w.chat:
					shared = append(shared, version(e))
				case e.GetSource().GetSource() == parleyv1.Source_SOURCE_COPILOT:
					own = append(own, version(e))
				}
			}
			slices.Sort(shared)
			return shared, own
		}
		a, ofA := read(w.user)
		c, ofC := read(other)
		if len(a) != want || !slices.Equal(a, c) {
			t.Errorf("%d and %d messages of one chat, Graph holds %d", len(a), len(c), want)
		}
		for _, id := range ofA {
			if slices.Contains(ofC, id) {
				t.Errorf("%s is both users'", id)
			}
		}
		if len(ofA) == 0 || len(ofC) == 0 {
			t.Error("one of them has no interactions: the test shows nothing of them")
		}
	})
}
