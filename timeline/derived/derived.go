// Package derived makes conversations of events, for Copilot sessions and for calls without a chat, of which Graph keeps nothing else.
// Package pager above it lists these conversations, and package timeline reads single ones; below it are the chunks that hold the
// events. It asks Graph nothing.
package derived

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// maxNamed bounds the people, the calls and the sessions that a conversation names each.
const maxNamed = 100

// Groups collects events by their conversations. Groups of one walk's sources can be joined in any order.
type Groups struct {
	// Tenant is the tenant id, and Owner the user segment of names.
	Tenant, Owner string

	byName map[string]*group
}

// group is one conversation.
type group struct {
	first, last    time.Time
	copilot, calls int64
	people         named[*parleyv1.IdentitySet] // by their ids in lower case
	records        named[string]
	sessions       named[string]
}

// named are things by their ids. Of more than maxNamed the smallest ids stay, in whatever order they come.
type named[T any] map[string]T

func (n *named[T]) add(id string, thing T) {
	if id == "" {
		return
	}
	if *n == nil {
		*n = named[T]{}
	}
	(*n)[id] = thing
	if len(*n) > 2*maxNamed {
		for _, id := range sortedIDs(*n)[maxNamed:] {
			delete(*n, id)
		}
	}
}

func (n named[T]) list() []T {
	var all []T
	for _, id := range sortedIDs(n) {
		if len(all) < maxNamed {
			all = append(all, n[id])
		}
	}
	return all
}

func sortedIDs[T any](n named[T]) []string {
	ids := make([]string, 0, len(n))
	for id := range n {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Add adds an encoded event of a source at its time. An event without a conversation is left out.
func (g *Groups) Add(src parleyv1.Source, at time.Time, event []byte) {
	name := eventwire.Field(event, eventwire.EventConversation)
	if len(name) == 0 {
		return
	}
	if g.byName == nil {
		g.byName = map[string]*group{}
	}
	in := g.byName[string(name)]
	if in == nil {
		in = &group{first: at, last: at}
		g.byName[string(name)] = in
	}
	if at.Before(in.first) {
		in.first = at
	}
	if at.After(in.last) {
		in.last = at
	}
	if src == parleyv1.Source_SOURCE_CALL {
		in.calls++
		id := string(eventwire.Field(event, eventwire.EventName))
		in.records.add(id, id)
		in.addCall(event)
		return
	}
	in.copilot++
	session := string(eventwire.Field(eventwire.Field(event, eventwire.EventCopilot), eventwire.CopilotDetailSessionID))
	in.sessions.add(session, session)
	actor := &parleyv1.IdentitySet{}
	if proto.Unmarshal(eventwire.Field(event, eventwire.EventActor), actor) == nil {
		in.addPerson(actor)
	}
}

// Join adds what other groups hold.
func (g *Groups) Join(other *Groups) {
	for name, from := range other.byName {
		if g.byName == nil {
			g.byName = map[string]*group{}
		}
		in := g.byName[name]
		if in == nil {
			g.byName[name] = from
			continue
		}
		if from.first.Before(in.first) {
			in.first = from.first
		}
		if from.last.After(in.last) {
			in.last = from.last
		}
		in.copilot += from.copilot
		in.calls += from.calls
		for _, set := range from.people {
			in.addPerson(set)
		}
		join(&in.records, from.records)
		join(&in.sessions, from.sessions)
	}
}

func join[T any](into *named[T], from named[T]) {
	for id, thing := range from {
		into.add(id, thing)
	}
}

// addCall adds the people that a call names.
func (g *group) addCall(encoded []byte) {
	event := &parleyv1.Event{}
	if proto.Unmarshal(encoded, event) == nil {
		for _, set := range People(event.GetCall()) {
			g.addPerson(set)
		}
	}
}

// addPerson adds a person. Of several identities with one id, the fullest is kept, in whatever order they come.
func (g *group) addPerson(set *parleyv1.IdentitySet) {
	id := strings.ToLower(idOf(set))
	if had := g.people[id]; had == nil || fuller(set, had) {
		g.people.add(id, set)
	}
}

// fuller reports whether one identity says more than another; of two that say as much, one is always the fuller.
func fuller(a, b *parleyv1.IdentitySet) bool {
	if size := cmp.Compare(proto.Size(a), proto.Size(b)); size != 0 {
		return size > 0
	}
	stable := proto.MarshalOptions{Deterministic: true}
	first, err := stable.Marshal(a)
	if err != nil {
		return false
	}
	second, err := stable.Marshal(b)
	return err == nil && bytes.Compare(first, second) < 0
}

// People are those whom a call names: its organizer, its participants, and the ends of its sessions.
func People(call *parleyv1.CallDetail) []*parleyv1.IdentitySet {
	var all []*parleyv1.IdentitySet
	add := func(set *parleyv1.IdentitySet) {
		if id := idOf(set); id != "" && !slices.ContainsFunc(all, func(had *parleyv1.IdentitySet) bool { return strings.EqualFold(idOf(had), id) }) {
			all = append(all, set)
		}
	}
	add(call.GetOrganizer().GetIdentity())
	add(call.GetLegacyOrganizer())
	for _, p := range call.GetParticipants() {
		add(p.GetIdentity())
	}
	for _, set := range call.GetLegacyParticipants() {
		add(set)
	}
	for _, session := range call.GetSessions() {
		add(session.GetCaller().GetIdentity())
		add(session.GetCallee().GetIdentity())
	}
	return all
}

// idOf is the id of the identity in a set; empty for none.
func idOf(set *parleyv1.IdentitySet) string {
	id := ""
	set.ProtoReflect().Range(func(_ protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if m, ok := v.Interface().(protoreflect.Message); ok {
			if identity, ok := m.Interface().(*parleyv1.Identity); ok && identity.GetId() != "" && (id == "" || identity.GetId() < id) {
				id = identity.GetId()
			}
		}
		return true
	})
	return id
}

// Conversations returns the conversations by the time of their last event, then by the key of their name.
func (g *Groups) Conversations() []*parleyv1.Conversation {
	all := make([]*parleyv1.Conversation, 0, len(g.byName))
	for name := range g.byName {
		all = append(all, g.Conversation(name))
	}
	slices.SortFunc(all, Compare)
	return all
}

// Conversation returns the conversation of a name; nil when it has no event.
func (g *Groups) Conversation(name string) *parleyv1.Conversation {
	in := g.byName[name]
	if in == nil {
		return nil
	}
	c := New(g.Tenant, g.Owner, name)
	if in.calls > 0 {
		c.Kind = parleyv1.ConversationKind_CONVERSATION_KIND_CALL
	}
	c.Participants, c.Calls, c.CopilotSessions = in.people.list(), in.records.list(), in.sessions.list()
	c.Activity = &parleyv1.ConversationActivity{
		FirstEventTime: timestamppb.New(in.first), LastEventTime: timestamppb.New(in.last), CopilotEvents: in.copilot, CallEvents: in.calls,
	}
	return c
}

// New returns the derived conversation of a name, of the kind COPILOT.
func New(tenant, owner, name string) *parleyv1.Conversation {
	c := &parleyv1.Conversation{Name: name, Kind: parleyv1.ConversationKind_CONVERSATION_KIND_COPILOT, Derived: true}
	if _, id, err := resource.ParseConversation(name); err == nil {
		c.Uid = source.DerivedUID(tenant, id, owner)
	}
	return c
}

// Compare orders conversations by the time of their last event, then by the key of their name.
func Compare(a, b *parleyv1.Conversation) int {
	return cmp.Or(Last(a).Compare(Last(b)), strings.Compare(Key(a), Key(b)))
}

// Last is the time of a conversation's last event.
func Last(c *parleyv1.Conversation) time.Time { return c.GetActivity().GetLastEventTime().AsTime() }

// Key is the key that conversations of one instant are ordered by.
func Key(c *parleyv1.Conversation) string { return chunk.OrderKey(c.GetName()) }
