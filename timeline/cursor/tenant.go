package cursor

import (
	"time"

	"github.com/google/uuid"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/cursorpb"
	"github.com/parley-gateway/parley/internal/seal"
)

// Bounds of what the token of a tenant holds. With the tokens of walks, 1 KiB each, they keep it below 8 KiB.
const (
	// MaxOpenUsers is how many users are open at a time.
	MaxOpenUsers = 64
	// MaxStartedUsers is how many of them may have a token: a part of their events was delivered.
	MaxStartedUsers = 4
	// MaxOpenIDs is how many bytes the ids of open users have together; see IDSize.
	MaxOpenIDs = MaxOpenUsers * uuidSize

	uuidSize       = 24      // bytes of a UUID with all that encloses it
	maxMissing     = 48      // reasons
	maxStartedSize = 1 << 11 // bytes of the token of a user's walk; more is malformed
)

// Tenant is a position in the users of a tenant.
type Tenant struct {
	// End is the end of the interval, pinned by the first call.
	End time.Time
	// Begun is the last user who was begun; empty = none was.
	Begun string
	// Open are the users who were begun and are not finished.
	Open []OpenUser
	// Finished is set when every user is.
	Finished bool
	// DoubtfulUsers says that the list of the users may lack some.
	DoubtfulUsers bool
	// Read, Refused and Incomplete count the finished users.
	Read, Refused, Incomplete int64
	// Missing counts them by the reasons why something is missing.
	Missing []Missing
	// Totals count the data that was read of each source, in the order of the enum parleyv1.Source.
	Totals []Total
}

// OpenUser is a user who was begun and is not finished.
type OpenUser struct {
	ID string
	// Token is the token of the user's events, decoded from its text; empty = nothing was delivered.
	Token []byte
}

// Missing counts users by a reason why something of them is missing.
type Missing struct {
	Reason  parleyv1.ErrorReason
	Source  parleyv1.Source
	Lasting bool
	Count   int64
}

// Total counts the data that was read of one source, all users together.
type Total struct {
	Counts Counts
	// Settled is the earliest time up to which a user is settled; zero = nobody was read.
	Settled time.Time
}

// IDSize is the size of an open user's id in a token.
func IDSize(id string) int {
	if len(packID(id).GetUuid()) > 0 {
		return uuidSize
	}
	return len(id) + 8
}

// AddMissing counts a user. Reasons that a token has no room for are counted under SEVERAL_DOUBTS, the lasting ones apart.
func (t *Tenant) AddMissing(m Missing) {
	if t.countMissing(m) {
		return
	}
	if len(t.Missing) >= maxMissing-2 {
		m.Reason, m.Source = parleyv1.ErrorReason_ERROR_REASON_SEVERAL_DOUBTS, parleyv1.Source_SOURCE_UNSPECIFIED
		if t.countMissing(m) {
			return
		}
	}
	t.Missing = append(t.Missing, m)
}

// countMissing adds a count to its reason, and reports whether the reason was there.
func (t *Tenant) countMissing(m Missing) bool {
	for i := range t.Missing {
		if have := &t.Missing[i]; have.Reason == m.Reason && have.Source == m.Source && have.Lasting == m.Lasting {
			have.Count += m.Count
			return true
		}
	}
	return false
}

// Seal makes the token of a position.
func (t *Tenant) Seal(with seal.Sealer, digest []byte) (string, error) {
	m := &cursorpb.Tenant{
		Times: packTimes(time.Unix(0, 0), t.End), Begun: packID(t.Begun), Finished: t.Finished, DoubtfulUsers: t.DoubtfulUsers,
		Users: packCounts(t.Read, t.Refused, t.Incomplete),
	}
	for _, user := range t.Open {
		m.Open = append(m.Open, &cursorpb.OpenUser{Id: packID(user.ID), Token: user.Token})
	}
	for _, missing := range t.Missing {
		m.Missing = append(m.Missing, &cursorpb.Missing{
			Reason: uint32(missing.Reason), Source: uint32(missing.Source), Lasting: missing.Lasting, Count: uint64(missing.Count),
		})
	}
	for i := range t.Totals {
		total := &t.Totals[i]
		c := &total.Counts
		packed := &cursorpb.Total{Counts: packCounts(c.Events, c.Duplicates, c.OutOfWindow, c.LeftOut, c.Pages, c.FromCache, c.Requests)}
		if !total.Settled.IsZero() {
			packed.Settled = packTimes(t.End, total.Settled)
		}
		m.Totals = append(m.Totals, packed)
	}
	plain, err := marshal(&cursorpb.Cursor{Position: &cursorpb.Cursor_Tenant{Tenant: m}})
	if err != nil {
		return "", err
	}
	return sealed(with, plain, digest)
}

// OpenTenant opens the token of a position in the users of a tenant.
func OpenTenant(with seal.Sealer, token string, digest []byte) (*Tenant, error) {
	plain, err := with.Open(token, digest)
	if err != nil {
		return nil, err
	}
	return decodeTenant(plain)
}

func decodeTenant(plain []byte) (*Tenant, error) {
	message, err := unmarshal(plain)
	if err != nil {
		return nil, err
	}
	m := message.GetTenant()
	if m == nil || len(m.GetOpen()) > MaxOpenUsers || len(m.GetMissing()) > maxMissing || len(m.GetTotals()) > maxSources {
		return nil, ErrMalformed
	}
	times, err := unpackTimes(time.Unix(0, 0), m.GetTimes())
	if err != nil || len(times) != 1 {
		return nil, ErrMalformed
	}
	t := &Tenant{End: times[0], Finished: m.GetFinished(), DoubtfulUsers: m.GetDoubtfulUsers()}
	if t.Begun, err = unpackID(m.GetBegun()); err != nil || !unpackCounts(m.GetUsers(), &t.Read, &t.Refused, &t.Incomplete) {
		return nil, ErrMalformed
	}
	for _, user := range m.GetOpen() {
		id, err := unpackID(user.GetId())
		if err != nil || id == "" || len(user.GetToken()) > maxStartedSize {
			return nil, ErrMalformed
		}
		t.Open = append(t.Open, OpenUser{id, user.GetToken()})
	}
	for _, missing := range m.GetMissing() {
		if missing.GetReason() > maxReason || missing.GetSource() > maxSource || int64(missing.GetCount()) < 0 {
			return nil, ErrMalformed
		}
		t.Missing = append(t.Missing, Missing{
			parleyv1.ErrorReason(missing.GetReason()), parleyv1.Source(missing.GetSource()), missing.GetLasting(), int64(missing.GetCount()),
		})
	}
	for _, packed := range m.GetTotals() {
		total, err := unpackTotal(packed, t.End)
		if err != nil {
			return nil, err
		}
		t.Totals = append(t.Totals, total)
	}
	return t, nil
}

func unpackTotal(packed *cursorpb.Total, end time.Time) (Total, error) {
	var total Total
	c := &total.Counts
	if !unpackCounts(packed.GetCounts(), &c.Events, &c.Duplicates, &c.OutOfWindow, &c.LeftOut, &c.Pages, &c.FromCache, &c.Requests) {
		return total, ErrMalformed
	}
	settled, err := unpackTimes(end, packed.GetSettled())
	if err != nil || len(settled) > 1 {
		return total, ErrMalformed
	}
	if len(settled) == 1 {
		total.Settled = settled[0]
	}
	return total, nil
}

// packID writes an id; nil for an empty one.
func packID(id string) *cursorpb.UserID {
	if id == "" {
		return nil
	}
	if parsed, err := uuid.Parse(id); err == nil && parsed.String() == id {
		return &cursorpb.UserID{Uuid: parsed[:]}
	}
	return &cursorpb.UserID{Text: id}
}

func unpackID(packed *cursorpb.UserID) (string, error) {
	if len(packed.GetUuid()) == 0 {
		return packed.GetText(), nil
	}
	parsed, err := uuid.FromBytes(packed.GetUuid())
	if err != nil {
		return "", ErrMalformed
	}
	return parsed.String(), nil
}
