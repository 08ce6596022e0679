package pager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// scattered is Graph with numbered chats in pages of 20. The last message of chat n is n minutes old, so that numbers are the
// right order; every tenth of the second half has none. Graph sends the chats in another order.
type scattered struct {
	directory

	order     []int
	unordered bool // the order was refused, or is not known in this cloud
	timeless  bool // last messages are not expanded
	loop      bool // page 3 leads to itself
	broken    int  // requests from this on fail; 0 = none
	delay     time.Duration
	asked     int
}

func newScattered(rows int) *scattered {
	s := &scattered{order: make([]int, rows)}
	for i := range rows {
		s.order[i] = i * 37 % rows // 37 divides none of the sizes below
	}
	return s
}

func (s *scattered) sources() query.Sources { return query.Sources{Conversations: s} }

func (s *scattered) Conversations(ctx context.Context, q source.ConversationQuery, link string) (*source.Page[*parleyv1.Conversation], error) {
	s.asked++
	if s.broken > 0 && s.asked >= s.broken {
		return nil, errors.New("broken")
	}
	if !q.ByLastMessage {
		return nil, errors.New("not asked for")
	}
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	from := 0
	if link != "" {
		from, _ = strconv.Atoi(link[strings.LastIndexByte(link, '=')+1:])
	}
	page := &source.Page[*parleyv1.Conversation]{Requests: 1, ReadAt: time.Now(), Unordered: s.unordered && link == ""}
	for _, n := range s.order[from:min(from+20, len(s.order))] {
		chat := &parleyv1.Conversation{Name: fmt.Sprintf("users/u/conversations/%04d", n)}
		if !s.timeless && (n < len(s.order)/2 || n%10 != 0) {
			chat.LastMessageTime = timestamppb.New(time.Date(2026, 11, 20, 12, -n, 0, 0, time.UTC))
		}
		page.Items = append(page.Items, chat)
	}
	page.Rows = len(page.Items)
	if next := from + 20; next < len(s.order) {
		if s.loop && from == 40 {
			next = from
		}
		page.Next = fmt.Sprintf("https://graph/v1.0/x?$skiptoken=%d", next)
	}
	return page, nil
}

// sortedNumbers are the names in the right order: chats without a message come last.
func sortedNumbers(rows int) []string {
	var list, last []string
	for n := range rows {
		name := fmt.Sprintf("%04d", n)
		if n < rows/2 || n%10 != 0 {
			list = append(list, name)
		} else {
			last = append(last, name)
		}
	}
	return append(list, last...)
}

// TestChatsAreSortedWhereGraphDoesNotSort: an order that Graph does not keep. Refused, unknown to the cloud, or ignored without a word.
func TestChatsAreSortedWhereGraphDoesNotSort(t *testing.T) {
	t.Parallel()
	req := query.Conversations{Caller: "c", Owner: "u", User: "u", ByLastMessage: true}
	for _, unordered := range []bool{true, false} {
		graph := newScattered(205)
		graph.unordered = unordered
		e := newLister(t)
		all := &chats{}
		if err := e.StreamConversations(t.Context(), graph.sources(), req, "", all.add); err != nil {
			t.Fatal(err)
		}
		want := sortedNumbers(205)
		if diff := cmp.Diff(want, all.names); diff != "" {
			t.Errorf("unordered %v, stream (-want +got):\n%s", unordered, diff)
		}
		counts := all.summary.GetSources()[0].GetCounts()
		if !all.summary.GetComplete() || len(all.notices) > 0 || counts.GetPages() != 11 || counts.GetGraphRequests() != 11 || counts.GetEvents() != 205 {
			t.Errorf("unordered %v: notices %v, summary %v", unordered, all.notices, all.summary)
		}
		for _, size := range []int{7, 50, 1000} {
			var names []string
			for token := ""; ; {
				page, err := e.ListConversations(t.Context(), graph.sources(), req, token, size)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range page.GetConversations() {
					names = append(names, row.GetName()[len("users/u/conversations/"):])
				}
				if len(page.GetNotices()) > 0 {
					t.Errorf("notices %v", page.GetNotices())
				}
				if token = page.GetNextPageToken(); token == "" {
					if !page.GetComplete() {
						t.Errorf("not complete: %v", page.GetSources())
					}
					break
				}
				rest := &chats{}
				if err := e.StreamConversations(t.Context(), graph.sources(), req, token, rest.add); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want[len(names):], rest.names); diff != "" {
					t.Fatalf("resumed after %d (-want +got):\n%s", len(names), diff)
				}
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("pages of %d (-want +got):\n%s", size, diff)
			}
		}
	}
}

// TestSortedPagesOfChatsArePassedOn: where Graph keeps the order, one page is read for a page.
func TestSortedPagesOfChatsArePassedOn(t *testing.T) {
	t.Parallel()
	graph := newScattered(205)
	slices.SortFunc(graph.order, func(a, b int) int {
		names := sortedNumbers(205)
		return slices.Index(names, fmt.Sprintf("%04d", a)) - slices.Index(names, fmt.Sprintf("%04d", b))
	})
	req := query.Conversations{Caller: "c", Owner: "u", User: "u", ByLastMessage: true}
	page, err := newLister(t).ListConversations(t.Context(), graph.sources(), req, "", 15)
	if err != nil || len(page.GetConversations()) != 15 || graph.asked != 1 || len(page.GetNotices()) > 0 {
		t.Errorf("%d requests, %v, %v", graph.asked, page, err)
	}
}

// TestOrderThatBreaksLater: pages that are in order by themselves and not together, which shows when rows are out already.
func TestOrderThatBreaksLater(t *testing.T) {
	t.Parallel()
	graph := newScattered(60)
	for i := range graph.order {
		graph.order[i] = 59 - i/20*20 - (19 - i%20)
	}
	all := &chats{}
	req := query.Conversations{Caller: "c", Owner: "u", User: "u", ByLastMessage: true}
	if err := newLister(t).StreamConversations(t.Context(), graph.sources(), req, "", all.add); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ORDER_NOT_KEPT"}, all.notices); diff != "" || len(all.names) != 60 || !all.summary.GetComplete() {
		t.Errorf("%d chats, notices (-want +got):\n%s", len(all.names), diff)
	}
}

// TestChatsThatCannotBeSortedComeAsGraphSendsThem come as Graph sends them, whole, with one notice.
func TestChatsThatCannotBeSortedComeAsGraphSendsThem(t *testing.T) {
	t.Parallel()
	req := query.Conversations{Caller: "c", Owner: "u", User: "u", ByLastMessage: true}
	for name, test := range map[string]struct {
		rows     int
		change   func(*scattered)
		complete bool
	}{
		"too many":                   {5205, func(*scattered) {}, true},
		"no times":                   {205, func(s *scattered) { s.timeless = true }, true},
		"a list that ends in a loop": {205, func(s *scattered) { s.loop = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			graph := newScattered(test.rows)
			graph.unordered = true
			test.change(graph)
			all := &chats{}
			if err := newLister(t).StreamConversations(t.Context(), graph.sources(), req, "", all.add); err != nil {
				t.Fatal(err)
			}
			if all.summary.GetComplete() != test.complete || test.complete && len(all.names) != test.rows {
				t.Errorf("%d chats, summary %v", len(all.names), all.summary)
			}
			if n := len(slices.DeleteFunc(slices.Clone(all.notices), func(code string) bool { return code != "ORDER_NOT_KEPT" })); n != 1 {
				t.Errorf("notices %v", all.notices)
			}
		})
	}
}

// TestASlowListOfChatsComesUnsorted: a List has 20 s. What cannot be sorted within them comes as it is, so that each call makes progress.
func TestASlowListOfChatsComesUnsorted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		graph := newScattered(405)
		graph.unordered, graph.delay = true, time.Second
		e := newLister(t)
		req := query.Conversations{Caller: "c", Owner: "u", User: "u", ByLastMessage: true}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		page, err := e.ListConversations(ctx, graph.sources(), req, "", 20)
		if err != nil || len(page.GetConversations()) != 20 || page.GetNextPageToken() == "" {
			t.Fatalf("%v, %v", page, err)
		}
		if len(page.GetNotices()) != 1 || page.GetNotices()[0].GetCode() != "ORDER_NOT_KEPT" {
			t.Errorf("notices %v", page.GetNotices())
		}
		// A stream has the time.
		all := &chats{}
		if err := e.StreamConversations(t.Context(), graph.sources(), req, "", all.add); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sortedNumbers(405), all.names); diff != "" {
			t.Errorf("stream (-want +got):\n%s", diff)
		}
	})
}

// TestACallerWhoLeavesEndsTheSortingOfChats: nothing is handed out, and no request follows.
func TestACallerWhoLeavesEndsTheSortingOfChats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		graph := newScattered(405)
		graph.unordered, graph.delay = true, time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 5500*time.Millisecond)
		defer cancel()
		all := &chats{}
		req := query.Conversations{Caller: "c", Owner: "u", User: "u", ByLastMessage: true}
		err := newLister(t).StreamConversations(ctx, graph.sources(), req, "", all.add)
		asked := graph.asked
		time.Sleep(time.Minute)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || graph.asked != asked {
			t.Errorf("%v, %d requests, %d later", err, asked, graph.asked)
		}
	})
}
