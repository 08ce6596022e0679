package source

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source/graphmap"
)

// ParticipantVerifier tells from the record of a call whether a user has a part in it.
type ParticipantVerifier interface {
	// VerifyParticipant returns nil when the record names the user: as organizer, among its participants, or at an end of a session.
	// ErrNotParticipant says that the record, read whole, names people and the user is none of them. After every other error the
	// user is unverified.
	VerifyParticipant(ctx context.Context, user string, ref Ref) error
}

var _ ParticipantVerifier = (*Call)(nil)

// VerifyParticipant implements ParticipantVerifier. It reads the participants first, which name the user of most calls, and the record
// with all its sessions for the others. A part that cannot be read does not hide a user whom another part names.
func (c *Call) VerifyParticipant(ctx context.Context, user string, ref Ref) error {
	if user == "" || strings.Contains(user, "@") {
		return ErrUserIDRequired
	}
	id, err := segment(ref.ID)
	if err != nil {
		return err
	}
	path := callsPath + "/" + id
	participants, missing := c.participants(ctx, path, ref.ID)
	people := property{name: participantsProperty, value: array(participants)}
	if call, err := c.callDetail([]property{people}); err != nil || TookPart(call, user) {
		return err
	}
	r := c.recordRequest(ctx, path, ref.ID)
	r.Query = []graph.Param{{Name: "$expand", Value: expandSessions}}
	answer, err := c.graph.Object(ctx, r)
	if err != nil {
		return errors.Join(missing, err)
	}
	all, err := properties(answer.Body)
	if err != nil {
		return err
	}
	if missing == nil {
		all = append(withoutList(all, participantsProperty), people)
	}
	if call, err := c.callDetail(without(all, sessionsProperty)); err != nil || TookPart(call, user) {
		return err
	}
	sessions, unread := c.sessions(ctx, path, ref.ID, all)
	all = append(withoutList(all, sessionsProperty), property{name: sessionsProperty, value: array(sessions)})
	call, err := c.callDetail(all)
	if err != nil {
		return err
	}
	if unverified := errors.Join(missing, unread); unverified != nil && !TookPart(call, user) {
		return unverified
	}
	return verifyParticipant(call, user)
}

// callDetail maps a record.
func (c *Call) callDetail(record []property) (*parleyv1.CallDetail, error) {
	whole, err := object(record)
	if err != nil {
		return nil, err
	}
	table, err := c.table()
	if err != nil {
		return nil, err
	}
	event, err := table.Event(graphmap.RootCallRecord, whole)
	if err != nil {
		return nil, malformed("a record cannot be read", err)
	}
	return event.GetCall(), nil
}

// ErrNotParticipant is in the errors of Call.Event and VerifyParticipant when the record, read whole, names people and the user is
// none of them. After an error of kind NotFound without it the user is unverified.
var ErrNotParticipant = errors.New("source: the user took no part in the call")

// verifyParticipant returns nil when the call, which has all its participants and sessions, names the user.
func verifyParticipant(call *parleyv1.CallDetail, user string) error {
	switch {
	case TookPart(call, user):
		return nil
	case !NamesPeople(call):
		return notFound("the record of the call names nobody")
	default:
		return fmt.Errorf("%w: %w", ErrNotParticipant, notFound("the record of the call does not name the user"))
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
