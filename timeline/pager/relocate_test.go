package pager_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// changingChats is a user's list of chats in pages of 20, which may change between two calls.
type changingChats struct {
	directory

	list []*parleyv1.Conversation
	slow time.Duration // pages after the first one take it
}

// newChangingChats returns 30 chats. Those before firstGroup are chats of two.
func newChangingChats(firstGroup int) *changingChats {
	d := &changingChats{directory: directory{rows: 30, size: 20}}
	for i, id := range numbers(0, d.rows) {
		chat := &parleyv1.Conversation{Name: "users/u/conversations/" + id, Kind: parleyv1.ConversationKind_CONVERSATION_KIND_GROUP}
		if i < firstGroup {
			chat.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_ONE_ON_ONE
		}
		d.list = append(d.list, chat)
	}
	return d
}

func (d *changingChats) Conversations(_ context.Context, _ source.ConversationQuery, link string) (*source.Page[*parleyv1.Conversation], error) {
	if link != "" {
		time.Sleep(d.slow)
	}
	return dirPage(&d.directory, link, func(i int) *parleyv1.Conversation { return d.list[i] })
}

// remove makes chats leave the list.
func (d *changingChats) remove(at, n int) {
	d.list = slices.Delete(d.list, at, at+n)
	d.rows = len(d.list)
}

// TestAPageThatChangedLosesNoRow goes on from a token behind the tenth of the chats, in a page whose chats have changed since.
func TestAPageThatChangedLosesNoRow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(d *changingChats)
		want   []string
	}{
		{"the last one left", func(d *changingChats) { d.remove(9, 1) }, numbers(10, 30)},
		{"the last two left", func(d *changingChats) { d.remove(8, 2) }, numbers(10, 30)},
		{"all that came left", func(d *changingChats) { d.remove(0, 10) }, numbers(10, 30)},
		{"the last one changed", func(d *changingChats) { d.list[9].Topic = "new" }, numbers(10, 30)},
		{"the last one changed and one left", func(d *changingChats) { d.list[9].Topic = "new"; d.remove(0, 1) }, numbers(10, 30)},
		{"all the others left", func(d *changingChats) { d.remove(10, 20) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, e := newChangingChats(0), newLister(t)
			req := query.Conversations{Caller: "c", Owner: "u", User: "u"}
			page, err := e.ListConversations(t.Context(), query.Sources{Conversations: d}, req, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			test.change(d)
			rest := &chats{}
			if err := e.StreamConversations(t.Context(), query.Sources{Conversations: d}, req, page.GetNextPageToken(), rest.add); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, rest.names); diff != "" || !rest.summary.GetComplete() || rest.notices != nil {
				t.Errorf("complete %v, notices %v (-want +got):\n%s", rest.summary.GetComplete(), rest.notices, diff)
			}
		})
	}
}

// TestRowsBeyondTheTokenComeASecondTime: of a page of 200 users of which more were delivered than a token knows, all come again when the last
// one has left, and a notice says so.
func TestRowsBeyondTheTokenComeASecondTime(t *testing.T) {
	t.Parallel()
	d, e := &directory{rows: 200, size: 200}, newLister(t)
	first, err := e.ListUsers(t.Context(), d.sources(), query.Users{}, "", 150)
	if err != nil {
		t.Fatal(err)
	}
	d.skipped = 149
	rest, err := e.ListUsers(t.Context(), d.sources(), query.Users{}, first.GetNextPageToken(), 500)
	if err != nil {
		t.Fatal(err)
	}
	came := map[string]bool{}
	for _, user := range rest.GetUsers() {
		came[user.GetName()] = true
	}
	for _, id := range numbers(150, 200) {
		if !came["users/"+id] {
			t.Errorf("user %s is lost", id)
		}
	}
	if n := rest.GetNotices(); len(n) != 1 || n[0].GetCode() != "RESTARTED" || !rest.GetComplete() || len(rest.GetUsers()) >= 200 {
		t.Errorf("%d users, complete %v, notices %v", len(rest.GetUsers()), rest.GetComplete(), n)
	}
}

// TestAPageOfHiddenRowsThatChangedLosesNoRow: the filter hides all of the first page, and a checkpoint comes while the second one is read.
func TestAPageOfHiddenRowsThatChangedLosesNoRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, e := newChangingChats(20), newLister(t)
		d.slow = time.Minute
		req := query.Conversations{Caller: "c", Owner: "u", User: "u", Filter: "kind = CONVERSATION_KIND_GROUP"}
		all := &chats{}
		if err := e.StreamConversations(t.Context(), query.Sources{Conversations: d}, req, "", all.add); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(numbers(20, 30), all.names); diff != "" || len(all.tokens) < 3 {
			t.Fatalf("%d tokens (-want +got):\n%s", len(all.tokens), diff)
		}
		d.remove(5, 1)
		for i, token := range all.tokens {
			rest := &chats{}
			if err := e.StreamConversations(t.Context(), query.Sources{Conversations: d}, req, token, rest.add); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(numbers(20+all.after[i], 30), rest.names); diff != "" || !rest.summary.GetComplete() {
				t.Errorf("checkpoint %d: complete %v (-want +got):\n%s", i, rest.summary.GetComplete(), diff)
			}
		}
	})
}
