package authn

import (
	"crypto/sha256"
	"errors"
)

// WhyOf returns the cause in an error; empty when it is not a refusal.
func WhyOf(err error) Why {
	if r, ok := errors.AsType[*RefusedError](err); ok {
		return r.Why
	}
	return ""
}

// Remembered returns how many accepted tokens are remembered.
func (t *Tokens) Remembered() int {
	t.verified.mu.Lock()
	defer t.verified.mu.Unlock()
	return t.verified.tokens.Len()
}

// RememberAtMost replaces the bound of the remembered tokens, in bytes.
func (t *Tokens) RememberAtMost(limit int64) { t.verified = newVerifiedTokens(limit) }

// Remembers reports whether a token would be accepted without being verified.
func (t *Tokens) Remembers(token string) bool {
	return t.remembered(sha256.Sum256([]byte(token))) != nil
}
