package authn

import (
	"crypto/sha256"
	"sync"

	"github.com/parley-gateway/parley/internal/lru"
)

// verifiedBytes bounds the memory of verified tokens: the length of the tokens, and verifiedOverhead for each.
const (
	verifiedBytes    = 8 << 20
	verifiedOverhead = 1 << 10
)

// verifiedTokens remembers tokens that were accepted, so that the signature and the JSON of a token are read once and not at each call.
// It holds the SHA-256 of a token and what its claims say; the token itself is not in it. It is safe for concurrent use.
type verifiedTokens struct {
	mu     sync.Mutex
	tokens *lru.Cache[tokenDigest, *verifiedToken]
}

// tokenDigest is the SHA-256 of a token, its signature included.
type tokenDigest [sha256.Size]byte

// verifiedToken is an accepted token. It is never changed.
type verifiedToken struct {
	claims claims
	caller Caller
	signer tokenKey
}

func newVerifiedTokens(limit int64) *verifiedTokens {
	return &verifiedTokens{tokens: lru.New[tokenDigest, *verifiedToken](limit, nil)}
}

func (v *verifiedTokens) get(digest tokenDigest) *verifiedToken {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, _ := v.tokens.Get(digest)
	return known
}

func (v *verifiedTokens) put(digest tokenDigest, length int, known *verifiedToken) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tokens.PutCost(digest, known, int64(length)+verifiedOverhead)
}

func (v *verifiedTokens) drop(digest tokenDigest) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tokens.Delete(digest)
}

// remembered returns the caller of a token that was accepted before and would be accepted now; nil = the token has to be verified. A
// remembered token counts only while its times hold and the key set is the reading that had its key: each reading of the set makes new
// keys, so a token is verified again after it.
func (t *Tokens) remembered(digest tokenDigest) *Caller {
	known := t.verified.get(digest)
	if known == nil {
		return nil
	}
	// As for every token, a fetch of the keys begins when one is due.
	if known.signer.set.find(known.signer.id) != known.signer.key || t.validator.Validate(&known.claims) != nil {
		t.verified.drop(digest)
		return nil
	}
	caller := known.caller // the certificate of a bound token is added to it
	return &caller
}
