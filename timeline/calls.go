package timeline

import (
	"sync"
	"sync/atomic"
)

// claim is what the rows of a sheet say of the user by themselves.
type claim int

const (
	named   claim = iota // each names the user, or nobody
	silent               // some name an organizer who is not the user, and no participants
	another              // some name participants, and the user is none of them
)

// belonging is what is known of a call's part in an answer.
type belonging int

const (
	belongs  belonging = iota
	foreign            // it is not to be handed over
	unproven           // it belongs here by Graph's word alone
)

// answer is what the rows and records of a sheet say. A sheet holds the answer to one user's question, so that it is the
// same for every caller.
type answer struct {
	mu sync.Mutex
	// proved and refuted are calls by key of which records have told.
	told    map[string]belonging
	counted int // of them in what the sheet takes
	// all is set when every call is proved.
	all atomic.Bool
	// judged is set when word was found out; word is what the rows claim as they stand.
	judged bool
	word   claim
}

// heard is what the rows claim, found out by hear when it is not known.
func (a *answer) heard(hear func() claim) claim {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.judged {
		a.word, a.judged = hear(), true
	}
	return a.word
}

// claimed is what the rows claim, if it was found out.
func (a *answer) claimed() (word claim, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.word, a.judged
}

// of returns what was told of a call.
func (a *answer) of(key string) (is belonging, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	is, known = a.told[key]
	return is, known
}

// is notes what was told of a call.
func (a *answer) is(key string, what belonging) belonging {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told == nil {
		a.told = map[string]belonging{}
	}
	a.told[key] = what
	return what
}

// toldBytes is what one answer takes beside its key, which the sheet holds.
const toldBytes = 48

// fresh is the number of answers that were not counted yet.
func (a *answer) fresh() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh := len(a.told) - a.counted
	a.counted = len(a.told)
	return fresh
}

// growByCalls counts what the sheet has come to take by answers about calls.
func (s *sheet) growByCalls() { s.grow(int64(s.calls.fresh()) * toldBytes) }
