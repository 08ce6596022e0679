package timeline

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// claims is what one row says.
func (a *attendance) claims(call *parleyv1.CallDetail) chunk.Claim {
	switch {
	case source.TookPart(call, a.user):
		return chunk.ClaimsUser
	case source.NamesPeople(call):
		return chunk.ClaimsOthers
	case call.GetOrganizer() != nil || call.GetLegacyOrganizer() != nil:
		return chunk.ClaimsOrganizer
	default:
		return chunk.ClaimsUser
	}
}

// mentions reports whether an entry holds the user's id at all. Few rows do, and the others need not be decoded.
func (a *attendance) mentions(e *chunk.Entry) bool {
	return bytes.Contains(bytes.ToLower(e.Basic), a.lower)
}

// callFields are the numbers of the fields that say whom a call names.
var callFields = func() (numbers struct {
	call               protowire.Number
	people, organizers []protowire.Number
},
) {
	numbers.call = (*parleyv1.Event)(nil).ProtoReflect().Descriptor().Fields().ByName("call").Number()
	fields := (*parleyv1.CallDetail)(nil).ProtoReflect().Descriptor().Fields()
	numbers.people = []protowire.Number{
		fields.ByName("participants").Number(), fields.ByName("legacy_participants").Number(), fields.ByName("sessions").Number(),
	}
	numbers.organizers = []protowire.Number{fields.ByName("organizer").Number(), fields.ByName("legacy_organizer").Number()}
	return numbers
}()

// claimOfOthers is what a row says that does not hold the user's id.
func claimOfOthers(event []byte) chunk.Claim {
	call := field(event, callFields.call)
	for _, number := range callFields.people {
		if field(call, number) != nil {
			return chunk.ClaimsOthers
		}
	}
	for _, number := range callFields.organizers {
		if field(call, number) != nil {
			return chunk.ClaimsOrganizer
		}
	}
	return chunk.ClaimsUser
}

// field is the value of a message's first field of a number that has a length; nil when there is none.
func field(message []byte, number protowire.Number) []byte {
	for len(message) > 0 {
		n, kind, head := protowire.ConsumeTag(message)
		if head < 0 {
			return nil
		}
		size := protowire.ConsumeFieldValue(n, kind, message[head:])
		if size < 0 {
			return nil
		}
		if n == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[head:])
			return value
		}
		message = message[head+size:]
	}
	return nil
}
