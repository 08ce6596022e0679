package pager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// rooms are chats whose members the list tells, cuts or leaves out.
type rooms struct {
	directory

	unfiltered bool
	query      source.ConversationQuery
}

func (d *rooms) Conversations(_ context.Context, q source.ConversationQuery, link string) (*source.Page[*parleyv1.Conversation], error) {
	d.query = q
	page, err := dirPage(&d.directory, link, func(i int) *parleyv1.Conversation {
		c := &parleyv1.Conversation{Name: fmt.Sprintf("users/u/conversations/%03d", i)}
		if i%3 > 0 { // 0 leaves them out
			c.Members = []*parleyv1.ConversationMember{{DisplayName: []string{"", "Ada", "Bob"}[i%3]}}
		}
		c.MembersTruncated = i%3 > 0 && i%2 == 0
		return c
	})
	if page != nil {
		page.Unfiltered = d.unfiltered && link == "" // pages of links do not tell
	}
	return page, err
}

func (d *rooms) Conversation(_ context.Context, _, _, id string) (*parleyv1.Conversation, error) {
	return &parleyv1.Conversation{Members: []*parleyv1.ConversationMember{{DisplayName: map[bool]string{true: "Ada", false: "Bob"}[id < "006"]}}}, nil
}

func TestFilteredConversations(t *testing.T) {
	t.Parallel()
	for unfiltered, expected := range map[bool][]string{
		false: {"000", "001", "002", "003", "004", "006", "007", "008", "009", "010"},
		true:  {"000", "001", "002", "003", "004", "007", "010"},
	} {
		d := &rooms{directory: directory{rows: 12, size: 5}, unfiltered: unfiltered}
		e := newLister(t)
		req := query.Conversations{Owner: "u", User: "u", Filter: `members.display_name = "Ada"`}
		got := &chats{}
		if err := e.StreamConversations(t.Context(), query.Sources{Conversations: d}, req, "", got.add); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(expected, got.names); diff != "" || !got.summary.GetComplete() {
			t.Errorf("unfiltered %v (-want +got):\n%s%v", unfiltered, diff, got.summary)
		}
		if d.query.MemberName != "Ada" {
			t.Errorf("Graph was not given the name: %+v", d.query)
		}
		names, token := []string(nil), ""
		for {
			page, err := e.ListConversations(t.Context(), query.Sources{Conversations: d}, req, token, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.GetConversations() {
				names = append(names, c.GetName()[len("users/u/conversations/"):])
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if diff := cmp.Diff(expected, names); diff != "" {
			t.Errorf("unfiltered %v, list (-want +got):\n%s", unfiltered, diff)
		}
	}
}

func TestConcealedUsersCannotBeFilteredByName(t *testing.T) {
	t.Parallel()
	d := &directory{rows: 5, size: 5}
	e := newLister(t)
	_, err := e.ListCopilotUsage(t.Context(), d.sources(), query.Usage{Period: "D7", Filter: `user_principal_name = "ada@example.com"`}, "", 0)
	var own *failure.Error
	if !errors.As(err, &own) || own.Reason != parleyv1.ErrorReason_ERROR_REASON_IDENTITIES_CONCEALED {
		t.Errorf("error %v", err)
	}
}
