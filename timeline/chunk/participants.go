package chunk

import (
	"sync"
	"sync/atomic"
)

// Claim is what the rows of a sheet say of the user by themselves.
type Claim int

const (
	ClaimsUser      Claim = iota // each names the user, or nobody
	ClaimsOrganizer              // some name an organizer who is not the user, and no participants
	ClaimsOthers                 // some name participants, and the user is none of them
)

// Participation is what is known of a call's part in an answer.
type Participation int

const (
	Participates Participation = iota
	Contradicted               // it is not to be handed over
	Unverified                 // it belongs here by Graph's word alone
)

// Participants is what the rows and records of a sheet say. A sheet holds the answer to one user's question, so that it is the
// same for every caller.
type Participants struct {
	mu sync.Mutex
	// proved and refuted are calls by key of which records have told.
	told    map[string]Participation
	counted int // of them in what the sheet takes
	// AllVerified is set when every call is proved.
	AllVerified atomic.Bool
	// judged is set when word was found out; word is what the rows claim as they stand.
	judged bool
	word   Claim
}

// Claim is what the rows claim, found out by hear when it is not known.
func (a *Participants) Claim(hear func() Claim) Claim {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.judged {
		a.word, a.judged = hear(), true
	}
	return a.word
}

// KnownClaim is what the rows claim, if it was found out.
func (a *Participants) KnownClaim() (word Claim, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.word, a.judged
}

// Get returns what was told of a call.
func (a *Participants) Get(key string) (is Participation, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	is, known = a.told[key]
	return is, known
}

// Put notes what was told of a call.
func (a *Participants) Put(key string, what Participation) Participation {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told == nil {
		a.told = map[string]Participation{}
	}
	a.told[key] = what
	return what
}

// toldBytes is what one answer takes beside its key, which the sheet holds.
const toldBytes = 48

// fresh is the number of answers that were not counted yet.
func (a *Participants) fresh() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh := len(a.told) - a.counted
	a.counted = len(a.told)
	return fresh
}

// CountParticipants counts what the sheet has come to take by answers about calls.
func (s *Chunk) CountParticipants() { s.grow(int64(s.Participants.fresh()) * toldBytes) }
