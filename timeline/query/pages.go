package query

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/filter"
)

// Conversations asks for a user's conversations.
type Conversations struct {
	// Caller and Tenant bind the cursor; Owner and User are as in Events.
	Caller, Tenant, Owner, User string
	// Sources are the requested sources: CONVERSATION for the chats, COPILOT and CALL for conversations that are derived from events.
	// Empty = the chats.
	Sources []parleyv1.Source
	// Unavailable are sources that are not asked, with the state to report.
	Unavailable map[parleyv1.Source]parleyv1.SourceState
	// Start and End bound the events that conversations are derived from, half open; zero = absent.
	Start, End time.Time
	// ByLastMessage orders by the last message, newest first; else the order is Graph's own.
	ByLastMessage bool
	// View is how much of each conversation is returned; unspecified = BASIC.
	View parleyv1.EventView
	// Filter is the caller's AIP-160 filter; empty = everything.
	Filter string
	// Narrow says that the caller may not read every user: no count tells what others have read before.
	Narrow bool
	// BoundTo is what else tokens are bound to, as Events.BoundTo.
	BoundTo string
	// Reconnect ends a stream at once, without a frame, if its token is the last one of a finished stream.
	Reconnect bool

	compiled compiled
}

// ShownView is the view of the answer.
func (r *Conversations) ShownView() parleyv1.EventView {
	return view.OfList(r.View)
}

// HasChats reports whether the chats are asked for.
func (r *Conversations) HasChats() bool {
	return len(r.Sources) == 0 || slices.Contains(r.Sources, parleyv1.Source_SOURCE_CONVERSATION)
}

// Derived returns the requested sources that conversations are derived from.
func (r *Conversations) Derived() []parleyv1.Source {
	var sources []parleyv1.Source
	for _, src := range r.Sources {
		if src != parleyv1.Source_SOURCE_CONVERSATION {
			sources = append(sources, src)
		}
	}
	return sources
}

// Events is the query for the events that conversations are derived from, of one source and with an end.
func (r *Conversations) Events(src parleyv1.Source, end time.Time) Events {
	return Events{
		Caller: r.Caller, Tenant: r.Tenant, Owner: r.Owner, User: r.User, Sources: []parleyv1.Source{src}, Unavailable: r.Unavailable,
		Start: r.Start, End: end, Narrow: r.Narrow,
	}
}

// Digest is the associated data of the cursors.
func (r *Conversations) Digest() []byte {
	numbers := []int64{int64(r.ShownView())}
	if r.ByLastMessage {
		numbers = append(numbers, 1)
	}
	if len(r.Derived()) > 0 {
		numbers = append(numbers, -1, r.Start.Unix(), int64(r.Start.Nanosecond()), r.End.Unix(), int64(r.End.Nanosecond()))
		for _, src := range r.Sources {
			numbers = append(numbers, int64(src))
		}
	}
	return digestOf(numbers, "conversations", r.Tenant, r.Caller, r.Owner, r.User, r.Filter, r.BoundTo)
}

// CompileFilter compiles the filter on the fields of conversations; see Events.
func (r *Conversations) CompileFilter() (*filter.Filter, error) {
	return r.compiled.compile(r.Filter, filter.Conversations, r.ShownView())
}

// CheckFilter returns the error of CompileFilter.
func (r *Conversations) CheckFilter() error {
	_, err := r.CompileFilter()
	return err
}

// Usage asks for the Copilot usage report.
type Usage struct {
	// Caller and Tenant bind the cursor.
	Caller, Tenant string
	// Period and Version are as in source.UsageQuery.
	Period, Version string
	// Filter is the caller's AIP-160 filter; empty = everything.
	Filter string
	// Inactive includes users with a licence and without a row in the report.
	Inactive bool
	// BoundTo is what else tokens are bound to, as Events.BoundTo.
	BoundTo string
	// Reconnect ends a stream at once, without a frame, if its token is the last one of a finished stream.
	Reconnect bool

	compiled compiled
}

// Digest is the associated data of the cursors.
func (r *Usage) Digest() []byte {
	var numbers []int64
	if r.Inactive {
		numbers = append(numbers, 1)
	}
	return digestOf(numbers, "usage", r.Tenant, r.Caller, r.Period, r.Version, r.Filter, r.BoundTo)
}

// CompileFilter compiles the filter on the fields of the usage report; see Events.
func (r *Usage) CompileFilter() (*filter.Filter, error) {
	return r.compiled.compile(r.Filter, filter.Usage, parleyv1.EventView_EVENT_VIEW_FULL)
}

// CheckFilter returns the error of CompileFilter.
func (r *Usage) CheckFilter() error {
	_, err := r.CompileFilter()
	return err
}

// UsageCounts asks for a report of how many users have Copilot and use it.
type UsageCounts struct {
	// Caller and Tenant bind the cursor.
	Caller, Tenant string
	// Report, Period and Version are as in source.UsageQuery.
	Report          source.UsageReport
	Period, Version string
	// BoundTo is what else tokens are bound to, as Events.BoundTo.
	BoundTo string
}

// Digest is the associated data of the cursors.
func (r *UsageCounts) Digest() []byte {
	return digestOf([]int64{int64(r.Report)}, "usage counts", r.Tenant, r.Caller, r.Period, r.Version, r.BoundTo)
}

// Users asks for the users of the tenant.
type Users struct {
	// Caller and Tenant bind the cursor.
	Caller, Tenant string
	// View is how much of each user is returned; unspecified = BASIC.
	View parleyv1.EventView
	// Filter is the caller's AIP-160 filter; empty = everybody.
	Filter string
	// BoundTo is what else tokens are bound to, as Events.BoundTo.
	BoundTo string

	compiled compiled
}

// ShownView is the view of the answer.
func (r *Users) ShownView() parleyv1.EventView {
	return view.OfList(r.View)
}

// CompileFilter compiles the filter on the fields of users; see Events.
func (r *Users) CompileFilter() (*filter.Filter, error) {
	return r.compiled.compile(r.Filter, filter.Users, r.ShownView())
}

// CheckFilter returns the error of CompileFilter.
func (r *Users) CheckFilter() error {
	_, err := r.CompileFilter()
	return err
}

// Digest is the associated data of the cursors.
func (r *Users) Digest() []byte {
	return digestOf([]int64{int64(r.ShownView())}, "users", r.Tenant, r.Caller, r.Filter, r.BoundTo)
}

// digestOf is the digest of texts and numbers.
func digestOf(numbers []int64, texts ...string) []byte {
	data := appendTexts(nil, texts...)
	for _, n := range numbers {
		data = binary.AppendVarint(data, n)
	}
	sum := sha256.Sum256(data)
	return sum[:]
}

// appendTexts appends texts, each with its length before it.
func appendTexts(data []byte, texts ...string) []byte {
	data = append(data, "parley cursor 1"...)
	for _, text := range texts {
		data = binary.AppendUvarint(data, uint64(len(text)))
		data = append(data, text...)
	}
	return data
}
