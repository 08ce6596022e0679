// Package requestid makes and reads the ids of requests: the header x-request-id over REST, the metadata of that name over
// gRPC, and what logs and audit records call request_id.
package requestid

import (
	"context"
	"math/rand/v2"
)

// Header is the metadata key, and the name of the header in lower case.
const Header = "x-request-id"

// maxLength bounds an id that a caller gives, in bytes.
const maxLength = 128

// New returns 120 random bits in base32. They tell calls apart and keep no secret.
func New() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var text [24]byte
	bits := rand.Uint64() //nolint:gosec // see above
	for i := range text {
		if i == 12 {
			bits = rand.Uint64() //nolint:gosec // see above
		}
		text[i] = letters[bits%32]
		bits >>= 5
	}
	return string(text[:])
}

// Of returns the id that a caller gave by one plain word of at most 128 characters, else a new one.
func Of(given []string) string {
	if len(given) == 1 && valid(given[0]) {
		return given[0]
	}
	return New()
}

func valid(id string) bool {
	if id == "" || len(id) > maxLength {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

type key struct{}

// NewContext returns a context that carries the id of a request.
func NewContext(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, key{}, id)
}

// FromContext returns the id that a context carries, or "".
func FromContext(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}
