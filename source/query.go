package source

import (
	"time"
)

// EventQuery says which events of one Graph API are asked for. Package cache/readers makes a key of it. It holds nothing of the caller.
type EventQuery struct {
	// Owner is the user segment of the names of the events: an object id, a user principal name that could not be
	// resolved, or "-" for the whole tenant.
	Owner string
	// User is the user whom Graph is asked about; empty with Owner "-".
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
	// CallIndex says whether a user's calls may be found in the calls of all users. What the pages hold does not depend on it.
	CallIndex IndexUse
}

// IndexUse says whether a user's calls may be found in an index of the calls of all users, in place of a list of the user's own.
type IndexUse int

// The ways of finding a user's calls.
const (
	// IndexIfMany reads the calls of all users once several users ask for a settled interval.
	IndexIfMany IndexUse = iota
	// IndexAlways is for readings of many users: whoever asks first reads the calls of all, and nobody asks for a list of their own.
	IndexAlways
	// IndexNever asks Graph about the user.
	IndexNever
)

// Clause is the part of a filter that Graph evaluates. Values are raw, the OData builder quotes them. All parts must hold.
type Clause struct {
	Sender // chat: each of its lists must hold

	AnySender            Sender   // chat: one of its values must hold
	AppClasses           []string // copilot: appClass eq, joined by or
	SystemOnly, NoSystem bool     // chat: messageType eq / ne 'systemEventMessage'
	ParticipantID        string   // call: participants_v2/any(p:p/id eq …)
}

// IsZero reports whether the clause filters nothing.
func (c *Clause) IsZero() bool {
	return len(c.AppClasses) == 0 && c.Sender.IsZero() && c.AnySender.IsZero() && !c.SystemOnly && !c.NoSystem && c.ParticipantID == ""
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
