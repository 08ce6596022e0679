package source

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
)

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
	// Conversation returns one chat with its members (with a notice, where Graph withholds some), or an error of kind NotFound when the user
	// is not one of them.
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

// UserQuery selects users. Graph is asked to evaluate all of it; where it refuses, the page is Unfiltered. Lists of ids and names hold at
// most MaxUserTerms. Its zero value is everybody.
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
	// UserID turns a user principal name into an object id. An error whose Kind is Denied means that the look-up is refused.
	UserID(ctx context.Context, upn string) (string, error)
}

// NameReader reads display names from the directory.
type NameReader interface {
	// Names returns the display names of object ids, by the id in lower case. An id that the directory does not know, or that has no
	// name, is absent. It asks for MaxUserTerms ids at a time; with an error it returns what was found before.
	Names(ctx context.Context, ids []string) (map[string]string, error)
}
