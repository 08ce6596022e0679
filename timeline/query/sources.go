package query

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// Sources are the readers of one call, bound to a tenant and an identity.
type Sources struct {
	// Events holds a reader for each source of events that this tenant has.
	Events map[parleyv1.Source]source.EventReader
	// Getters read single events whole; streams with the view FULL use the one for calls.
	Getters map[parleyv1.Source]source.EventGetter
	// CallVerifier verifies from records that a user took part in a call; nil = the list entry of a call must name the user.
	CallVerifier source.ParticipantVerifier
	// Conversations, Usage and Users read single chains of pages; nil where a call does not need them.
	Conversations source.ConversationReader
	Usage         source.UsageReader
	Users         source.UserReader
	// Names reads display names of the directory; nil where nobody may.
	Names source.NameReader
	// NameActors adds to the actors of events the names that Graph left out, before a filter compares them, and reports whether all could
	// be looked up. It changes the events. nil = the filter compares what Graph sent.
	NameActors func(ctx context.Context, events []*parleyv1.Event) (complete bool)
	// Skew is how far this machine's clock is ahead of Graph's, negative when it is behind; nil = not.
	Skew func() time.Duration
}

// ClockSkew is Skew, and 0 where nobody measures it.
func (s *Sources) ClockSkew() time.Duration {
	if s.Skew == nil {
		return 0
	}
	return s.Skew()
}
