// Package cursor reads and writes the tokens from which a List or a stream goes on. A token is a sealed cursorpb.Cursor. It is
// bound to the caller and to everything in the request but the page size, and List and Stream accept each other's. Events is the token of a
// walk over events, Pages that of a chain of Graph's pages and, in its part Derived, of conversations made of events, and Tenant that of
// a stream over users. The packages above it decide what a token holds; package seal below it encrypts it.
package cursor

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/internal/cursorpb"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/timeline/failure"
)

// Versions of the messages. While a gateway is upgraded, replicas of two minor versions open each other's tokens: a minor version reads
// what the one before it wrote, and writes what the one before it reads. So a version, and a field within one, is first only read, and
// written from the next minor version on.
const (
	written = 1 // this package writes it
	oldest  = 1 // this package reads it and those after it,
	newest  = 1 // up to this one
)

// room is how many bytes a message may have so that its token has at most 1 KiB, unless Graph's link is too long for that. The
// token of a stream over users is longer. Sealing adds 33 bytes, and base64 a third.
const room = 1024*3/4 - 33

// maxSource and maxReason are more than any number of a parleyv1.Source and a parleyv1.ErrorReason. A newer gateway may have some that this one does not know.
const (
	maxSource = 1 << 14
	maxReason = 1 << 14
)

// Errors of a token that was opened; Refusal turns them into those of a call.
var (
	// ErrVersion says that another version of the gateway made the token: it has a version that this package does not read, or a field
	// that it does not know.
	ErrVersion = errors.New("the token has another version")
	// ErrMalformed says that this package did not write the content of a token, or that it is a position of another kind.
	ErrMalformed = errors.New("malformed cursor")
)

// Refusal returns the error of a call whose token cannot be used, because of err. field is the request field of the token.
func Refusal(err error, field string) error {
	if errors.Is(err, ErrVersion) {
		return failure.TokenVersion(field)
	}
	return failure.TokenRefused(field)
}

// Counts are the counts of a report. LeftOut are rows out of the interval; those that a filter or a check left out are not counted.
type Counts struct {
	Events, Duplicates, OutOfWindow, LeftOut, Pages, FromCache, Requests int64
}

// marshal encodes the message of a token.
func marshal(c *cursorpb.Cursor) ([]byte, error) {
	c.Version = written
	plain, err := proto.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode a cursor: %w", err)
	}
	return plain, nil
}

// sealed makes the token of an encoded message.
func sealed(with seal.Sealer, plain, digest []byte) (string, error) {
	token, err := with.Seal(plain, digest)
	if err != nil {
		return "", fmt.Errorf("seal a cursor: %w", err)
	}
	return token, nil
}

// unmarshal decodes the message of a token.
func unmarshal(plain []byte) (*cursorpb.Cursor, error) {
	c := &cursorpb.Cursor{}
	switch err := proto.Unmarshal(plain, c); {
	case err != nil:
		return nil, ErrMalformed
	case c.GetVersion() < oldest || c.GetVersion() > newest || hasUnknown(c.ProtoReflect()):
		return nil, ErrVersion
	default:
		return c, nil
	}
}

// hasUnknown reports whether a message, or one in it, has fields that this version does not know. Reading without them could go on at
// another position.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			for i := 0; i < value.List().Len() && !found; i++ {
				found = hasUnknown(value.List().Get(i).Message())
			}
		default:
			found = hasUnknown(value.Message())
		}
		return !found
	})
	return found
}

// packCounts makes a list of counts.
func packCounts(counts ...int64) []uint64 {
	packed := make([]uint64, len(counts))
	for i, n := range counts {
		packed[i] = uint64(max(n, 0))
	}
	return packed
}

// unpackCounts reads a list of counts, and reports whether it has the right length.
func unpackCounts(packed []uint64, counts ...*int64) bool {
	if len(packed) != len(counts) {
		return false
	}
	for i, n := range packed {
		if *counts[i] = int64(n); *counts[i] < 0 {
			return false
		}
	}
	return true
}
