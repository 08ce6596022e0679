package source

import (
	"context"
	"errors"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source/graphmap"
)

// CallProver tells from the record of a call whether a user has a part in it.
type CallProver interface {
	// Prove returns nil when the record names the user: as organizer, among its participants, or at an end of a session.
	// ErrNoPart says that the record, read whole, names people and the user is none of them; every other error leaves it open.
	Prove(ctx context.Context, user string, ref Ref) error
}

var _ CallProver = (*Call)(nil)

// Prove implements CallProver. The participants come first, for most calls are proved by them; the record and all its
// sessions are read for the others. One part that cannot be read does not hide the proof that another holds.
func (c *Call) Prove(ctx context.Context, user string, ref Ref) error {
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
	if call, err := c.detail([]property{people}); err != nil || TookPart(call, user) {
		return err
	}
	r := c.recordRequest(ctx, path, ref.ID)
	r.Query = []graphclient.Param{{Name: "$expand", Value: expandSessions}}
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
	if call, err := c.detail(without(all, sessionsProperty)); err != nil || TookPart(call, user) {
		return err
	}
	sessions, unread := c.sessions(ctx, path, ref.ID, all)
	all = append(withoutList(all, sessionsProperty), property{name: sessionsProperty, value: array(sessions)})
	call, err := c.detail(all)
	if err != nil {
		return err
	}
	if unproven := errors.Join(missing, unread); unproven != nil && !TookPart(call, user) {
		return unproven
	}
	return prove(call, user)
}

// detail maps a record.
func (c *Call) detail(record []property) (*parleyv1.CallDetail, error) {
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
