package derived_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/derived"
)

const (
	copilot = parleyv1.Source_SOURCE_COPILOT
	call    = parleyv1.Source_SOURCE_CALL
)

func person(id string) *parleyv1.IdentitySet {
	return &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: id}}
}

// event is an event of a conversation at a second.
type event struct {
	src   parleyv1.Source
	at    int64
	event *parleyv1.Event
}

func prompt(conversation, session, by string, at int64) event {
	return event{copilot, at, &parleyv1.Event{
		Name: fmt.Sprint("users/u/events/copilot,", at), Conversation: "users/u/conversations/" + conversation, Actor: person(by),
		Detail: &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{SessionId: session}},
	}}
}

// calling is an event with the name of its actor.
func calling(e event, name string) event {
	e.event.Actor.User.DisplayName = name
	return e
}

func record(conversation, id string, at int64, people ...string) event {
	detail := &parleyv1.CallDetail{Organizer: &parleyv1.CallParticipant{Identity: person(people[0])}}
	for _, p := range people[1:] {
		detail.Participants = append(detail.Participants, &parleyv1.CallParticipant{Identity: person(p)})
	}
	return event{call, at, &parleyv1.Event{
		Name: "users/u/events/call," + id, Conversation: "users/u/conversations/" + conversation, Detail: &parleyv1.Event_Call{Call: detail},
	}}
}

func group(t *testing.T, events ...event) *derived.Groups {
	t.Helper()
	g := &derived.Groups{Tenant: "t", Owner: "u"}
	for _, e := range events {
		encoded, err := proto.Marshal(e.event)
		if err != nil {
			t.Fatal(err)
		}
		g.Add(e.src, time.Unix(e.at, 0).UTC(), encoded)
	}
	return g
}

// TestEventsAreGroupedIntoConversations makes conversations of events: kind, people, calls, sessions, counts and times, in the order of their last events.
func TestEventsAreGroupedIntoConversations(t *testing.T) {
	t.Parallel()
	events := []event{
		prompt("s1", "s1", "u", 10), prompt("s1", "s1", "bot", 20), prompt("s1", "s1", "U", 5), calling(prompt("s1", "s1", "u", 6), "Uma"),
		prompt("19:m@thread.v2", "s2", "u", 30), prompt("19:m@thread.v2", "s3", "u", 31), record("19:m@thread.v2", "c2", 29, "b", "a", "u"), record("19:m@thread.v2", "c1", 28, "A"),
		record("call:c3", "c3", 20, "u", "v"),
		{copilot, 99, &parleyv1.Event{Name: "users/u/events/copilot,none"}}, // no conversation
	}
	uma := person("u")
	uma.User.DisplayName = "Uma"
	at := func(second int64) *timestamppb.Timestamp { return &timestamppb.Timestamp{Seconds: second} }
	want := []*parleyv1.Conversation{
		{
			Name: "users/u/conversations/call:c3", Kind: parleyv1.ConversationKind_CONVERSATION_KIND_CALL, Derived: true, Participants: []*parleyv1.IdentitySet{person("u"), person("v")},
			Calls: []string{"users/u/events/call,c3"}, Activity: &parleyv1.ConversationActivity{FirstEventTime: at(20), LastEventTime: at(20), CallEvents: 1},
		},
		{
			Name: "users/u/conversations/s1", Kind: parleyv1.ConversationKind_CONVERSATION_KIND_COPILOT, Derived: true, Participants: []*parleyv1.IdentitySet{person("bot"), uma},
			CopilotSessions: []string{"s1"}, Activity: &parleyv1.ConversationActivity{FirstEventTime: at(5), LastEventTime: at(20), CopilotEvents: 4},
		},
		{
			Name: "users/u/conversations/19:m@thread.v2", Kind: parleyv1.ConversationKind_CONVERSATION_KIND_CALL, Derived: true,
			Participants: []*parleyv1.IdentitySet{person("A"), person("b"), person("u")}, CopilotSessions: []string{"s2", "s3"},
			Calls:    []string{"users/u/events/call,c1", "users/u/events/call,c2"},
			Activity: &parleyv1.ConversationActivity{FirstEventTime: at(28), LastEventTime: at(31), CopilotEvents: 2, CallEvents: 2},
		},
	}
	without := protocmp.IgnoreFields(&parleyv1.Conversation{}, "uid")
	uids := map[string]string{}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		cut := r.IntN(len(events) + 1)
		g := group(t, events[:cut]...) // any events in any order, joined in any order
		g.Join(group(t, events[cut:]...))
		all := g.Conversations()
		slices.SortStableFunc(all, derived.Compare)
		if diff := cmp.Diff(want, all, protocmp.Transform(), without); diff != "" {
			t.Fatalf("round %d: %s", round, diff)
		}
		for _, c := range all {
			if had, ok := uids[c.GetName()]; c.GetUid() == "" || ok && had != c.GetUid() {
				t.Errorf("uid %q of %s, before %q", c.GetUid(), c.GetName(), had)
			}
			uids[c.GetName()] = c.GetUid()
		}
	}
	if c := group(t, events...).Conversation("users/u/conversations/other"); c != nil {
		t.Errorf("a conversation without events: %v", c)
	}
}

// TestNamedAreBounded: of many people, calls and sessions the same hundred are named, in whatever order they come; all are counted.
func TestNamedAreBounded(t *testing.T) {
	t.Parallel()
	events := make([]event, 0, 700)
	for i := range 350 {
		events = append(events, record("c", fmt.Sprintf("c%03d", i), int64(i), fmt.Sprintf("p%03d", i), fmt.Sprintf("q%03d", i)), prompt("c", fmt.Sprintf("s%03d", i), "u", int64(i)))
	}
	want := group(t, events...).Conversation("users/u/conversations/c")
	if len(want.GetCalls()) != 100 || len(want.GetParticipants()) != 100 || len(want.GetCopilotSessions()) != 100 || want.GetActivity().GetCallEvents() != 350 || want.GetActivity().GetCopilotEvents() != 350 {
		t.Errorf("%d calls, %d people, %d sessions, %v", len(want.GetCalls()), len(want.GetParticipants()), len(want.GetCopilotSessions()), want.GetActivity())
	}
	slices.Reverse(events)
	backwards := group(t, events[:100]...)
	backwards.Join(group(t, events[100:]...))
	if diff := cmp.Diff(want, backwards.Conversation("users/u/conversations/c"), protocmp.Transform()); diff != "" {
		t.Errorf("backwards: %s", diff)
	}
}

// FuzzGroups adds what is no event: nothing breaks, and what is counted was added.
func FuzzGroups(f *testing.F) {
	for _, e := range []event{prompt("s", "s", "u", 1), record("c", "c", 1, "a", "b")} {
		encoded, err := proto.Marshal(e.event)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded, e.src == call, int64(1))
	}
	f.Add([]byte{0xff}, true, int64(-1))
	f.Fuzz(func(t *testing.T, encoded []byte, isCall bool, second int64) {
		src := copilot
		if isCall {
			src = call
		}
		g, other := &derived.Groups{Tenant: "t", Owner: "u"}, &derived.Groups{Tenant: "t", Owner: "u"}
		at := time.Unix(second%1e9, 0)
		for range 2 {
			g.Add(src, at, encoded)
		}
		other.Add(src, at.Add(time.Second), encoded)
		g.Join(other)
		all := g.Conversations()
		if len(all) > 1 {
			t.Fatalf("%d conversations of one event", len(all))
		}
		for _, c := range all {
			activity := c.GetActivity()
			if activity.GetCopilotEvents()+activity.GetCallEvents() != 3 || activity.GetLastEventTime().AsTime().Sub(activity.GetFirstEventTime().AsTime()) != time.Second || !c.GetDerived() {
				t.Errorf("%v", c)
			}
		}
	})
}
