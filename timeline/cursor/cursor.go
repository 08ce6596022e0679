// Package cursor reads and writes the tokens from which a List or a stream goes on. A token is a sealed cursorpb.Cursor. It is
// bound to the caller and to everything in the request but the page size, and List and Stream accept each other's. Packages merge and
// pager above it decide what a token holds; package seal below it encrypts it.
package cursor

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/internal/cursorpb"
	"github.com/parley-gateway/parley/internal/seal"
)

// version is the version of the messages that this package writes, and the only one that it reads.
const version = 1

// room is how many bytes a message may have so that its token has 1 KiB: sealing adds 33 bytes, and base64 a third.
const room = 1024*3/4 - 33

// maxReason is more than any number of a parleyv1.ErrorReason. A newer gateway may have reasons that this one does not know.
const maxReason = 1 << 14

// Errors of a token. Callers get the same answer for all of them: the token is refused.
var (
	// ErrVersion says that another version of the gateway made the token.
	ErrVersion = errors.New("the token has another version")
	// ErrMalformed says that this package did not write the content of a token, or that it is a position of the other kind.
	ErrMalformed = errors.New("malformed cursor")
)

// Counts are the counts of a report.
type Counts struct {
	Events, Duplicates, OutOfWindow, LeftOut, Pages, FromCache, Requests int64
}

// marshal encodes the message of a token.
func marshal(c *cursorpb.Cursor) ([]byte, error) {
	c.Version = version
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
	case c.GetVersion() != version:
		return nil, ErrVersion
	default:
		return c, nil
	}
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
