package source

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// ErrNoPart is in the error of Call.Event when the record, read whole, names people and the user is none of them. An error of
// kind NotFound without it leaves open whether the user took part.
var ErrNoPart = errors.New("source: the user took no part in the call")

// prove returns nil when the call, which has all its participants and sessions, names the user.
func prove(call *parleyv1.CallDetail, user string) error {
	switch {
	case TookPart(call, user):
		return nil
	case !NamesPeople(call):
		return notFound("the record of the call names nobody")
	default:
		return fmt.Errorf("%w: %w", ErrNoPart, notFound("the record of the call does not name the user"))
	}
}

// TookPart reports whether the user attended the call or organized it, in the new or the deprecated form.
func TookPart(call *parleyv1.CallDetail, user string) bool {
	organizer := call.GetOrganizer()
	return same(organizer.GetId(), user) || among(organizer.GetIdentity(), user) || among(call.GetLegacyOrganizer(), user) ||
		Attended(call, user)
}

// Attended reports whether a call holds an object id or number among its participants, in the new or the deprecated form, or
// at an end of one of its sessions: Graph's participants are known to lack some.
func Attended(call *parleyv1.CallDetail, id string) bool {
	for _, p := range call.GetParticipants() {
		if same(p.GetId(), id) || among(p.GetIdentity(), id) {
			return true
		}
	}
	for _, set := range call.GetLegacyParticipants() {
		if among(set, id) {
			return true
		}
	}
	for _, session := range call.GetSessions() {
		for _, end := range []*parleyv1.CallEndpoint{session.GetCaller(), session.GetCallee()} {
			if same(end.GetAssociatedIdentity().GetId(), id) || among(end.GetIdentity(), id) {
				return true
			}
		}
	}
	return false
}

// NamesPeople reports whether a call holds participants or sessions at all; one that does not says nothing of who attended.
func NamesPeople(call *parleyv1.CallDetail) bool {
	return len(call.GetParticipants())+len(call.GetLegacyParticipants())+len(call.GetSessions()) > 0
}

// among reports whether any identity of a set has the id.
func among(set *parleyv1.IdentitySet, id string) bool {
	found := false
	set.ProtoReflect().Range(func(_ protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if m, ok := v.Interface().(protoreflect.Message); ok {
			identity, _ := m.Interface().(*parleyv1.Identity)
			found = same(identity.GetId(), id)
		}
		return !found
	})
	return found
}

func same(a, b string) bool { return a != "" && strings.EqualFold(a, b) }
