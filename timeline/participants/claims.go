package participants

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// claimOf returns what a row claims that holds the user's id.
func (check *Check) claimOf(call *parleyv1.CallDetail) chunk.Claim {
	switch {
	case source.TookPart(call, check.user):
		return chunk.ClaimsUser
	case source.NamesPeople(call):
		return chunk.ClaimsOthers
	case call.GetOrganizer() != nil || call.GetLegacyOrganizer() != nil:
		return chunk.ClaimsOrganizer
	default:
		return chunk.ClaimsUser
	}
}

// mentions reports whether an entry holds the user's id at all. Only few rows do, so that most rows are not decoded.
func (check *Check) mentions(e *chunk.Entry) bool {
	return bytes.Contains(bytes.ToLower(e.Basic), check.lower)
}

// claimOfOthers returns what a row claims that does not hold the user's id.
func claimOfOthers(event []byte) chunk.Claim {
	call := eventwire.Field(event, eventwire.EventCall)
	holds := func(number protowire.Number) bool { return eventwire.Field(call, number) != nil }
	if holds(eventwire.CallDetailParticipants) || holds(eventwire.CallDetailLegacyParticipants) || holds(eventwire.CallDetailSessions) {
		return chunk.ClaimsOthers
	}
	if holds(eventwire.CallDetailOrganizer) || holds(eventwire.CallDetailLegacyOrganizer) {
		return chunk.ClaimsOrganizer
	}
	return chunk.ClaimsUser
}
