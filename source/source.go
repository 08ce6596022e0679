package source

import (
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
)

// EventQuery says which events of one Graph API are asked for. It is comparable by its Key and holds nothing of the caller.
type EventQuery struct {
	// Owner is the user segment of the names of the events: an object id, a user principal name that could not be
	// resolved, or "-" for the whole tenant.
	Owner string
	// User is whom Graph is asked about; empty with Owner "-".
	User string
	// Conversation is the chat whose own messages are read; empty for all of the user's.
	Conversation string
	// Start and End bound the event time, half open. A zero Start means from the source's beginning, a zero End is refused.
	Start, End time.Time
	// ByCreateTime asks a chat's own messages by creation instead of modification time, newest first.
	ByCreateTime bool
	// Descending asks a chat's own messages newest first where Graph can; other sources ignore it.
	Descending bool
	// Clause is the filter for Graph beside the interval; its zero value filters nothing.
	Clause Clause
	// Shared says whether a user's calls may be found in the calls of all users. What the pages hold does not depend on it.
	Shared Sharing
}

// Sharing says whether a user's calls may be found in the calls of all users, in place of a list of the user's own.
type Sharing int

// The ways of finding a user's calls.
const (
	// ShareIfMany reads the calls of all users once several users ask for a settled interval.
	ShareIfMany Sharing = iota
	// ShareAlways is for readings of many users: whoever asks first reads the calls of all, and nobody asks for a list of their own.
	ShareAlways
	// ShareNever asks Graph about the user.
	ShareNever
)

// Clause is the part of a filter that Graph evaluates. Values are raw, the OData builder quotes them. All parts must hold.
type Clause struct {
	Sender // chat: each of its lists must hold

	AnySender            Sender   // chat: one of its values must hold
	AppClasses           []string // copilot: appClass eq, joined by or
	SystemOnly, NoSystem bool     // chat: messageType eq / ne 'systemEventMessage'
	ParticipantID        string   // call: participants_v2/any(p:p/id eq …)
}

// Sender is a condition on who sent a message. A list holds where one of its values does.
type Sender struct {
	UserIDs          []string // from/user/id eq
	UserTypes        []string // from/user/userIdentityType eq
	ApplicationTypes []string // from/application/applicationIdentityType eq
}

// Add adds the lists of another condition, unless one of them is there already.
func (s *Sender) Add(other Sender) bool {
	lists := []*[]string{&s.UserIDs, &s.UserTypes, &s.ApplicationTypes}
	added := [][]string{other.UserIDs, other.UserTypes, other.ApplicationTypes}
	for i, list := range lists {
		if len(*list) > 0 && len(added[i]) > 0 {
			return false
		}
	}
	for i, list := range lists {
		*list = append(*list, added[i]...)
	}
	return true
}

// IsZero reports whether the condition asks for nothing.
func (s *Sender) IsZero() bool { return len(s.UserIDs)+len(s.UserTypes)+len(s.ApplicationTypes) == 0 }

// IsZero reports whether the clause filters nothing.
func (c *Clause) IsZero() bool {
	return len(c.AppClasses) == 0 && c.Sender.IsZero() && c.AnySender.IsZero() && !c.SystemOnly && !c.NoSystem && c.ParticipantID == ""
}

// Item is one event with what the timeline sorts and de-duplicates by.
type Item struct {
	// Time is the event time, by which the timeline orders events.
	Time time.Time
	// Key is equal for the same thing and orders things of one instant; Event.uid is derived from it.
	Key string
	// NoTime marks a record without a usable time; Time is then zero.
	NoTime bool
	// Created is the creation time; zero when the record has none. Version is the event's.
	Created time.Time
	Version int64
	// Basic is the event as protobuf wire bytes, view BASIC; Unmapped is the field that FULL has beyond it, as a field of the
	// event. Both are shared and must not be changed.
	Basic, Unmapped []byte
}

// NewItem makes an item of an event; its time, key and mark are the caller's. An event that cannot be encoded is an error.
func NewItem(event *parleyv1.Event) (Item, error) {
	item := Item{Version: event.GetVersion()}
	if created := event.GetCreateTime(); created.IsValid() {
		item.Created = created.AsTime()
	}
	whole, err := proto.MarshalOptions{Deterministic: true}.Marshal(event)
	if err != nil {
		return item, malformed("an event cannot be encoded", err)
	}
	if event.GetUnmapped() == nil {
		item.Basic = whole
		return item, nil
	}
	item.Basic, item.Unmapped, err = splitUnmapped(whole)
	return item, err
}

// splitUnmapped splits an event into the field unmapped and the rest.
func splitUnmapped(whole []byte) (basic, unmapped []byte, err error) {
	basic = make([]byte, 0, len(whole))
	for len(whole) > 0 {
		number, _, n := protowire.ConsumeField(whole)
		if n < 0 {
			return nil, nil, malformed("an event cannot be encoded", protowire.ParseError(n))
		}
		if number == eventwire.EventUnmapped {
			unmapped = append(unmapped, whole[:n]...)
		} else {
			basic = append(basic, whole[:n]...)
		}
		whole = whole[n:]
	}
	return basic, unmapped, nil
}

// IsZero reports whether the item holds no event.
func (i *Item) IsZero() bool { return i.Basic == nil }

// Event decodes the event, view FULL. The result is the caller's own.
func (i *Item) Event() (*parleyv1.Event, error) {
	event := &parleyv1.Event{}
	for _, part := range [][]byte{i.Basic, i.Unmapped} {
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(part, event); err != nil {
			return nil, malformed("an encoded event cannot be read", err)
		}
	}
	return event, nil
}

// Page is one page as Graph sent it, normalized.
type Page[T any] struct {
	Items []T
	// Lazy has the items in place of Items, which is then empty; nil on most pages. Such a page is the last of its chain.
	Lazy Rows[T]
	// Next is Graph's link to the next page, byte for byte; empty on the last page.
	Next string
	// Requests counts the requests that Graph saw for this page, retries included.
	Requests int
	// Rows counts the records of the page before normalization.
	Rows int
	// Read is when Graph answered.
	Read time.Time
	// FromCache is true when the page was not asked for again.
	FromCache bool
	// Joined is true beside FromCache when the page was just being asked for by somebody else.
	Joined bool
	// Unfiltered is true when Graph did not evaluate (all of) the clause: it refused it, or the API has no such filter. The
	// three flags belong to the first page of a chain and hold for every page behind it.
	Unfiltered bool
	// Unbounded is true when the interval was not sent, because Graph refused or ignored it beside the user's own clause:
	// rows outside are no fault of Graph and are to be left out.
	Unbounded bool
	// Verified is true when the participants of each call of the page name the user.
	Verified bool
	// Doubts are what could not be found out about a page that stands for a whole chain.
	Doubts []Doubt
	// Unordered is true when an order was asked for that Graph or its cloud does not know.
	Unordered bool
	// Concealed is true when a usage row of the page does not name its user.
	Concealed bool
	// Refreshed is the day that a usage report reaches up to, as its first row says; empty when there is none.
	Refreshed string
}

// Doubt is what could not be found out about a chain of pages.
type Doubt struct {
	// Reason is why, as the contract names it.
	Reason parleyv1.ErrorReason
	// At is the time of the row in doubt; zero = the whole interval is in doubt.
	At time.Time
}

// Len is the number of items.
func (p *Page[T]) Len() int {
	if p.Lazy != nil {
		return p.Lazy.Len()
	}
	return len(p.Items)
}

// Part returns the part of the items that item i is in, 0 ≤ i < Len; from is the index of its first. Items are one part.
func (p *Page[T]) Part(i int) (items []T, from int, err error) {
	if p.Lazy != nil {
		return p.Lazy.Part(i)
	}
	return p.Items, 0, nil
}

// Rows are items that are made when they are wanted, since together they would take many times what they are made of.
// Rows never change and are safe for concurrent use.
type Rows[T any] interface {
	// Len is the number of items.
	Len() int
	// Part makes the items of the part that item i is in, 0 ≤ i < Len; from is the index of its first. Parts take a few
	// MiB at most. Errors are *graph.Error.
	Part(i int) (items []T, from int, err error)
	// Cost is the memory that the rows take, in bytes.
	Cost() int64
}

// EventReader reads the events of one Graph API, a page at a time.
type EventReader interface {
	// Events returns the first page of q, or the page behind link, which came from an earlier page of the same query.
	// Errors are *graph.Error or context errors.
	Events(ctx context.Context, q EventQuery, link string) (*Page[Item], error)
}

// EventGetter reads one event whole.
type EventGetter interface {
	// Event returns the event that ref names as seen by owner, or an error of kind NotFound. It verifies that the user has
	// a part in it (chat by members, call by participants, ends of sessions or organizer, interaction by the user's own
	// history).
	Event(ctx context.Context, owner, user string, ref Ref) (*parleyv1.Event, error)
}

// Ref names one record inside its API.
type Ref = resource.Ref

// ConversationQuery selects chats.
type ConversationQuery struct {
	// Owner and User are as in EventQuery.
	Owner, User string
	// ByLastMessage asks Graph to order by the last message, newest first.
	ByLastMessage bool
	// MemberName and InstalledApp are filters for Graph; empty = none.
	MemberName, InstalledApp string
}

// ConversationReader reads a user's chats.
type ConversationReader interface {
	// Conversations returns the first page of q, or the page behind link.
	Conversations(ctx context.Context, q ConversationQuery, link string) (*Page[*parleyv1.Conversation], error)
	// Conversation returns one chat with all its members, or an error of kind NotFound when the user is not one of them.
	Conversation(ctx context.Context, owner, user, id string) (*parleyv1.Conversation, error)
}

// UsageReport is one of Graph's reports on Copilot use.
type UsageReport int

// The reports.
const (
	UsersReport   UsageReport = iota // a row for each user and period
	SummaryReport                    // counts for each period
	TrendsReport                     // counts for each day
)

// UsageQuery says which usage report is asked for.
type UsageQuery struct {
	Report UsageReport
	// Period is D7, D28, D30, D90, D180 or ALL; Version is "", v1 or v2.
	Period, Version string
}

// UsageReader reads the Copilot usage reports. A CSV report comes as one lazy page.
type UsageReader interface {
	// Usage returns the first page of the UsersReport, or the page behind link.
	Usage(ctx context.Context, q UsageQuery, link string) (*Page[*parleyv1.CopilotUsageRow], error)
	// UsageCounts returns the first page of the SummaryReport or the TrendsReport, or the page behind link.
	UsageCounts(ctx context.Context, q UsageQuery, link string) (*Page[*parleyv1.CopilotUsageCounts], error)
}

// UserQuery selects users. Graph evaluates all of it; lists of ids and names hold at most MaxUserTerms. Its zero value is everybody.
type UserQuery struct {
	// IDs and PrincipalNames are alternatives each.
	IDs, PrincipalNames []string
	// DisplayName is the whole name, NamePrefix its beginning; empty = any.
	DisplayName, NamePrefix string
}

// MaxUserTerms is how many values Graph takes in one list of a filter of users.
const MaxUserTerms = 15

// IsZero reports whether the query selects everybody.
func (q *UserQuery) IsZero() bool {
	return len(q.IDs)+len(q.PrincipalNames) == 0 && q.DisplayName == "" && q.NamePrefix == ""
}

// UserReader reads the directory.
type UserReader interface {
	// Users returns the first page of q, or the page behind link.
	Users(ctx context.Context, q UserQuery, link string) (*Page[*parleyv1.User], error)
	// User returns the user of an object id or user principal name, or an error of kind NotFound.
	User(ctx context.Context, user string) (*parleyv1.User, error)
	// UserID turns a user principal name into an object id. An error of kind Forbidden means that the look-up is refused.
	UserID(ctx context.Context, upn string) (string, error)
}

// NameReader reads display names from the directory.
type NameReader interface {
	// Names returns the display names of object ids, by the id in lower case. An id that the directory does not know, or that has no
	// name, is absent. It asks for MaxUserTerms ids at a time; with an error it returns what was found before.
	Names(ctx context.Context, ids []string) (map[string]string, error)
}

// Priority says how urgently a page is wanted.
type Priority int

// Lists and gets go before streams.
const (
	Interactive Priority = iota
	Background
)

// PriorityKey is the key under which a context gives a Priority. It is for contexts that find theirs out when they are
// asked; others are made by WithPriority.
type PriorityKey struct{}

// WithPriority returns a context whose Graph requests have the given priority; without it they are Interactive.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, PriorityKey{}, p)
}

// PriorityOf returns the priority that WithPriority set.
func PriorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(PriorityKey{}).(Priority)
	return p
}
