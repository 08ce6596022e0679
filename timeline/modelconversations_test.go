package timeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// chatList is a user's chats, in pages.
type chatList struct {
	ids  []string
	size int
}

func (c *chatList) Conversations(_ context.Context, q source.ConversationQuery, link string) (*source.Page[*parleyv1.Conversation], error) {
	from, _ := strconv.Atoi(link) // no link: the beginning
	to := min(from+c.size, len(c.ids))
	page := &source.Page[*parleyv1.Conversation]{Requests: 1, ReadAt: time.Now()}
	for _, id := range c.ids[from:to] {
		page.Items = append(page.Items, &parleyv1.Conversation{Name: resource.Conversation(q.Owner, id), Kind: parleyv1.ConversationKind_CONVERSATION_KIND_MEETING})
	}
	if page.Rows = to - from; to < len(c.ids) {
		page.Next = strconv.Itoa(to)
	}
	return page, nil
}

func (c *chatList) Conversation(context.Context, string, string, string) (*parleyv1.Conversation, error) {
	return nil, errors.New("no conversation is read whole")
}

// conversationWorld is random data and a random request for conversations.
type conversationWorld struct {
	*rand.Rand

	chats  *chatList
	graphs []*fakeGraph
	req    query.Conversations
	have   []query.Sources // the same data, behind no cache and behind caches
	sealer seal.Sealer
}

func newConversationWorld(t *testing.T, seed uint64) *conversationWorld {
	t.Helper()
	w := &conversationWorld{Rand: rand.New(rand.NewPCG(seed, 11)), chats: &chatList{size: 3}}
	const conversation = parleyv1.Source_SOURCE_CONVERSATION
	start := time.Now().UTC().Truncate(time.Second).AddDate(0, 0, -20)
	w.req = query.Conversations{Caller: "c", Tenant: "t", Owner: "u", User: "u", Start: start, End: start.Add(time.Duration(1+w.IntN(15*24)) * time.Hour)}
	w.req.Sources = [][]parleyv1.Source{{copilot}, {call}, {copilot, call}, {copilot, conversation}, {call, conversation}, {copilot, call, conversation}}[w.IntN(6)]
	threads := 1 + w.IntN(12)
	for i := range threads {
		if w.IntN(2) == 0 {
			w.chats.ids = append(w.chats.ids, fmt.Sprintf("19:thread%d@thread.v2", i))
		}
	}
	for i := range w.IntN(10) {
		w.chats.ids = append(w.chats.ids, fmt.Sprintf("19:chat%d@thread.v2", i))
	}
	w.Shuffle(len(w.chats.ids), func(i, j int) { w.chats.ids[i], w.chats.ids[j] = w.chats.ids[j], w.chats.ids[i] })
	for _, src := range []parleyv1.Source{copilot, call} {
		g := &fakeGraph{src: src, size: 1 + w.IntN(20)}
		for i := range w.IntN(80) {
			r := row{id: fmt.Sprintf("%s%03d", src, i), version: 1, conversation: fmt.Sprintf("19:thread%d@thread.v2", w.IntN(threads))}
			r.at = w.req.Start.Add(time.Duration((w.Float64()*1.2 - 0.1) * float64(w.req.End.Sub(w.req.Start))))
			if w.IntN(4) == 0 {
				r.at = w.req.Start.Add(w.req.End.Sub(w.req.Start) / 8 * time.Duration(w.IntN(9))) // many at one instant
			}
			r.at = r.at.Truncate(time.Millisecond)
			switch r.created = r.at; {
			case src == copilot && w.IntN(2) == 0:
				r.conversation = fmt.Sprint("session", w.IntN(9))
			case src == call && w.IntN(3) == 0:
				r.conversation = resource.CallConversation(r.id)
			}
			g.rows = append(g.rows, r)
		}
		w.graphs = append(w.graphs, g)
	}
	w.have = []query.Sources{sources(w.graphs...), cachedSources(t, cache.Config{}, w.graphs...)}
	for i := range w.have {
		w.have[i].Conversations = w.chats
	}
	var err error
	if w.sealer, err = seal.Random(); err != nil {
		t.Fatal(err)
	}
	return w
}

// told is what the test compares of a conversation.
type told struct {
	Name           string
	Derived        bool
	First, Last    time.Time
	Copilot, Calls int64
}

// want is the list by the rows alone.
func (w *conversationWorld) want() []told {
	var all []told
	known := map[string]bool{}
	if w.req.HasChats() {
		for _, id := range w.chats.ids {
			name := resource.Conversation("u", id)
			known[name] = true
			all = append(all, told{Name: name})
		}
	}
	byName := map[string]*told{}
	var made []*told
	for _, g := range w.graphs {
		if !slices.Contains(w.req.Sources, g.src) {
			continue
		}
		for _, r := range g.rows {
			name := resource.Conversation("u", r.conversation)
			if known[name] || r.at.Before(w.req.Start) || !r.at.Before(w.req.End) {
				continue
			}
			in := byName[name]
			if in == nil {
				in = &told{Name: name, Derived: true, First: r.at, Last: r.at}
				byName[name], made = in, append(made, in)
			}
			if in.Last = later(in.Last, r.at); r.at.Before(in.First) {
				in.First = r.at
			}
			if g.src == call {
				in.Calls++
			} else {
				in.Copilot++
			}
		}
	}
	slices.SortFunc(made, func(a, b *told) int {
		return cmp.Or(a.Last.Compare(b.Last), strings.Compare(a.Name, b.Name))
	})
	for _, c := range made {
		all = append(all, *c)
	}
	return all
}

func tell(conversations []*parleyv1.Conversation) []told {
	all := make([]told, 0, len(conversations))
	for _, c := range conversations {
		one := told{Name: c.GetName(), Derived: c.GetDerived()}
		if activity := c.GetActivity(); activity != nil {
			one.First, one.Last = activity.GetFirstEventTime().AsTime(), activity.GetLastEventTime().AsTime()
			one.Copilot, one.Calls = activity.GetCopilotEvents(), activity.GetCallEvents()
		}
		all = append(all, one)
	}
	return all
}

// walk reads to the end in random pieces: pages of any size and streams cut after any frame, each of an engine of its own, behind
// a cache or none.
func (w *conversationWorld) walk(t *testing.T) (all []*parleyv1.Conversation, complete bool, reports []*parleyv1.SourceReport) {
	t.Helper()
	token := ""
	for range 10000 {
		e, have := newEngine(t, timeline.Config{Sealer: w.sealer, WindowsAtOnce: 1 + w.IntN(6)}), w.have[w.IntN(2)]
		if w.IntN(2) == 0 {
			page, err := e.ListConversations(t.Context(), have, w.req, token, 1+w.IntN(12))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page.GetConversations()...)
			if token = page.GetNextPageToken(); token == "" {
				return all, page.GetComplete(), page.GetSources()
			}
			continue
		}
		var batches [][]*parleyv1.Conversation
		var summary *parleyv1.Summary
		checked, frames := 0, w.IntN(4)
		err := e.StreamConversations(t.Context(), have, w.req, token, func(f *parleyv1.StreamConversationsResponse) error {
			if frames--; frames < 0 {
				return errCut
			}
			switch {
			case f.GetBatch() != nil:
				batches = append(batches, f.GetBatch().GetConversations())
			case f.GetCheckpoint() != nil:
				token, checked = f.GetCheckpoint().GetResumeToken(), len(batches)
			case f.GetSummary() != nil:
				summary, checked = f.GetSummary(), len(batches)
			}
			return nil
		})
		all = append(all, slices.Concat(batches[:checked]...)...) // what came after the last checkpoint comes again
		switch {
		case err == nil:
			return all, summary.GetComplete(), summary.GetSources()
		case !errors.Is(err, errCut):
			t.Fatal(err)
		}
	}
	t.Fatal("no end")
	return nil, false, nil
}

// TestModelConversations: conversations of every kind are the oracle's, each once and in order, however they are read: in pages of any
// size, in streams that are cut and resumed, by other engines, cold and warm. Below each, there are its events.
func TestModelConversations(t *testing.T) {
	t.Parallel()
	for seed := range uint64(*worlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newConversationWorld(t, seed)
			want := w.want()
			for range 2 {
				all, complete, reports := w.walk(t)
				if diff := gocmp.Diff(want, tell(all)); diff != "" {
					t.Fatalf("%+v (-want +got):\n%s", w.req, diff)
				}
				if !complete {
					t.Errorf("not complete: %v", reports)
				}
				total := int64(0)
				for _, report := range reports {
					total += report.GetCounts().GetEvents()
				}
				if total != int64(len(all)) {
					t.Errorf("%d conversations counted, %d delivered", total, len(all))
				}
			}
			for _, c := range want {
				_, id, err := resource.ParseConversation(c.Name)
				if err != nil || !c.Derived {
					continue
				}
				below := query.Events{Caller: "c", Tenant: "t", Owner: "u", User: "u", Conversation: id, Sources: w.req.Derived(), Start: w.req.Start, End: w.req.End}
				events, last := listAll(t, newEngine(t, timeline.Config{}), w.have[w.IntN(2)], below, 1+w.IntN(9))
				if int64(len(events)) != c.Copilot+c.Calls || !last.GetComplete() {
					t.Errorf("below %s: %d events, want %d", c.Name, len(events), c.Copilot+c.Calls)
				}
			}
		})
	}
}
