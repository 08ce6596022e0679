package cursor

import (
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/cursorpb"
	"github.com/parley-gateway/parley/internal/seal"
)

// How many digests of delivered rows a token holds. They let the next call know rows that Graph sends again.
const (
	minDelivered = 16 // at least, however long the link is
	maxDelivered = 64 // at most
	digestSize   = 8  // bytes
	maxIndex     = 1 << 24
)

// MaxReasons is how many reasons of gaps the token of a pager holds.
const MaxReasons = 8

// Pages is a position in the pages of one API.
type Pages struct {
	// Link is the link of the page, as Graph gave it; empty = the first page.
	Link string
	// Index is how many rows of the page were delivered, and Last the hash of the last one of them.
	Index int
	Last  uint64
	// Finished is set when everything was delivered.
	Finished bool
	// Restarted says that the pages were begun again, because Graph did not know a link any more.
	Restarted bool
	// Unfiltered says that Graph did not evaluate its part of the filter. Pages of links do not tell.
	Unfiltered bool
	// Concealed and Refreshed are of the usage report: whether a row had concealed names, and the refresh date.
	Concealed bool
	Refreshed string
	// GapReasons are the reasons of the gaps so far. These gaps have no span, because rows of these APIs have no times.
	GapReasons []parleyv1.ErrorReason
	// Counts are the counts of the report so far.
	Counts Counts
	// Users are the counts of the users without a row in the usage report.
	Users Counts
	// Delivered are digests of the rows that were delivered. A token holds the latest ones.
	Delivered []uint64
	// Derived is the position in the conversations that are derived from events; nil where none are asked for.
	Derived *Derived
}

// Deliver notes the digest of a row that was delivered.
func (p *Pages) Deliver(digest uint64) {
	if len(p.Delivered) >= 2*maxDelivered {
		p.Delivered = append(p.Delivered[:0], p.Delivered[len(p.Delivered)-maxDelivered:]...)
	}
	p.Delivered = append(p.Delivered, digest)
}

// Seal makes the token of a position.
func (p *Pages) Seal(with seal.Sealer, digest []byte) (string, error) {
	plain, err := p.encode()
	if err != nil {
		return "", err
	}
	return sealed(with, plain, digest)
}

// OpenPages opens the token of a position in the pages of one API.
func OpenPages(with seal.Sealer, token string, digest []byte) (*Pages, error) {
	plain, err := with.Open(token, digest)
	if err != nil {
		return nil, err
	}
	return decodePages(plain)
}

func (p *Pages) encode() ([]byte, error) {
	c := &p.Counts
	m := &cursorpb.Pages{
		Link: []byte(p.Link), Index: uint32(p.Index), Last: p.Last, Finished: p.Finished, Restarted: p.Restarted,
		Unfiltered: p.Unfiltered, Concealed: p.Concealed, Refreshed: p.Refreshed,
		Counts: packCounts(c.Events, c.Duplicates, c.Pages, c.FromCache, c.Requests),
	}
	if u := &p.Users; *u != (Counts{}) {
		m.UserCounts = packCounts(u.Events, u.Duplicates, u.Pages, u.FromCache, u.Requests)
	}
	m.Derived = p.Derived.pack()
	for _, reason := range p.GapReasons {
		m.GapReasons = append(m.GapReasons, uint32(reason))
	}
	const heads = 8 // bytes of the version and of what encloses the message and the digests
	fit := min(max((room-heads-proto.Size(m))/digestSize, minDelivered), maxDelivered)
	m.Delivered = p.Delivered[max(0, len(p.Delivered)-fit):]
	return marshal(&cursorpb.Cursor{Position: &cursorpb.Cursor_Pages{Pages: m}})
}

func decodePages(plain []byte) (*Pages, error) {
	message, err := unmarshal(plain)
	if err != nil {
		return nil, err
	}
	m := message.GetPages()
	if m == nil || m.GetIndex() > maxIndex || len(m.GetGapReasons()) > MaxReasons || len(m.GetDelivered()) > maxDelivered {
		return nil, ErrMalformed
	}
	p := &Pages{
		Link: string(m.GetLink()), Index: int(m.GetIndex()), Last: m.GetLast(), Finished: m.GetFinished(), Restarted: m.GetRestarted(),
		Unfiltered: m.GetUnfiltered(), Concealed: m.GetConcealed(), Refreshed: m.GetRefreshed(), Delivered: m.GetDelivered(),
	}
	c := &p.Counts
	if !unpackCounts(m.GetCounts(), &c.Events, &c.Duplicates, &c.Pages, &c.FromCache, &c.Requests) {
		return nil, ErrMalformed
	}
	u := &p.Users
	if len(m.GetUserCounts()) > 0 && !unpackCounts(m.GetUserCounts(), &u.Events, &u.Duplicates, &u.Pages, &u.FromCache, &u.Requests) {
		return nil, ErrMalformed
	}
	for _, number := range m.GetGapReasons() {
		if number > maxReason {
			return nil, ErrMalformed
		}
		p.GapReasons = append(p.GapReasons, parleyv1.ErrorReason(number))
	}
	if p.Derived, err = unpackDerived(m.GetDerived()); err != nil {
		return nil, err
	}
	return p, nil
}
