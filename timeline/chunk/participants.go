package chunk

import (
	"sync"
	"sync/atomic"
)

// Claim is the statement of a chunk's rows about the user's part, without the records.
type Claim int

// The claims, from the least to the most doubtful.
const (
	ClaimsUser      Claim = iota // every row names the user, or nobody
	ClaimsOrganizer              // some rows name an organizer who is not the user, and no participants
	ClaimsOthers                 // some rows name participants, and the user is none of them
)

// Participation is the user's part in one call, as far as it is known.
type Participation int

// The values of Participation.
const (
	Participates Participation = iota // the call is one of the user's
	Contradicted                      // the record names other people: the call is left out
	Unverified                        // the call is the user's by Graph's word alone
)

// Participants holds what the rows and the records of a chunk say about the user's part in its calls. A chunk answers the question
// about one user, so its participants are the same for every caller.
type Participants struct {
	// AllVerified is set after every call was verified.
	AllVerified atomic.Bool

	mu       sync.Mutex
	byKey    map[string]Participation // of calls whose record was read
	counted  int                      // participations in the cost of the chunk
	claim    Claim
	hasClaim bool
}

// Verify notes that the participants of every call name the user.
func (p *Participants) Verify() {
	p.AllVerified.Store(true)
	p.Claim(func() Claim { return ClaimsUser })
}

// Claim returns what the rows claim. It is worked out by work on first use.
func (p *Participants) Claim(work func() Claim) Claim {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hasClaim {
		p.claim, p.hasClaim = work(), true
	}
	return p.claim
}

// KnownClaim returns what the rows claim if that was worked out before.
func (p *Participants) KnownClaim() (claim Claim, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.claim, p.hasClaim
}

// Get returns the participation of a call by its key.
func (p *Participants) Get(key string) (participation Participation, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	participation, known = p.byKey[key]
	return participation, known
}

// Put stores the participation of a call, and returns it.
func (p *Participants) Put(key string, participation Participation) Participation {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byKey == nil {
		p.byKey = map[string]Participation{}
	}
	p.byKey[key] = participation
	return participation
}

// participationBytes is the memory of one participation beside its key, which the chunk holds.
const participationBytes = 48

// uncounted returns the number of participations that came since the last call.
func (p *Participants) uncounted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.byKey) - p.counted
	p.counted = len(p.byKey)
	return n
}

// CountParticipants adds the participations that came since the last call to the cost of the chunk.
func (c *Chunk) CountParticipants() { c.grow(int64(c.Participants.uncounted()) * participationBytes) }
