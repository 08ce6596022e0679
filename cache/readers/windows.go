package readers

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/source"
)

// Windows caches values that were made of all pages of a query, in place of the pages. The timeline caches its chunks so. Readers
// of events that Decorator.Events returned are Windows.
type Windows interface {
	// WindowKey returns the key of the window of a query.
	WindowKey(q *source.EventQuery) string
	// Window returns the value that was put under a key; nil = none that the context's Control accepts. A hit is counted
	// and recorded as one look-up; a miss is not, because the look-ups of pages follow.
	Window(ctx context.Context, key string) any
	// Put caches a value, and reports false if it is too large for that. It is shared with every reader and must not
	// change; putting it again replaces it.
	Put(v Value) bool
}

// Answers holds whole answers that were made of windows, by Put. Readers of events that Decorator.Events returned are
// Answers.
type Answers interface {
	// AnswerKey names a page of the answer to a request, given by its digest, in the reader's scope.
	AnswerKey(request [sha256.Size]byte, size int, token string) string
	// Answer returns the value that was put under a key; nil = none. It counts no look-up, because its user looks up the
	// windows that the answer was made of.
	Answer(key string) any
}

// Value is a value made of all pages of a query.
type Value struct {
	Key   string
	Value any
	// Size is the memory of the value, in bytes.
	Size int64
	// ReadAt is when the oldest of the pages was read. The value is cached for as long as that page would have been.
	ReadAt time.Time
	// End is the query's: windows that were settled at ReadAt are cached for longer.
	End time.Time
	// Encode returns the value as bytes for other replicas, and is called later; nil = they get none.
	Encode func() []byte
}

var (
	_ Windows = (*events)(nil)
	_ Answers = (*events)(nil)
)

// windowMark ends the keys of windows. No key of a page ends with it, because a link and its length end that.
const windowMark = "\xff"

// WindowKey implements Windows.
func (r *events) WindowKey(q *source.EventQuery) string { return string(r.key(q)) + windowMark }

// Window implements Windows.
func (r *events) Window(ctx context.Context, key string) any {
	return r.cache.Lookup(ctx, r.label, key)
}

// AnswerKey implements Answers.
func (r *events) AnswerKey(request [sha256.Size]byte, size int, token string) string {
	var buffer [512]byte // on the stack; longer keys are rare
	key := append(cache.Key(buffer[:0]), r.answers...)
	key = append(key, request[:]...)
	key = binary.AppendVarint(key, int64(size))
	return string(append(key, token...))
}

// Answer implements Answers.
func (r *events) Answer(key string) any { return r.cache.Peek(context.Background(), key) }

// Put implements Windows.
func (r *events) Put(v Value) bool {
	if v.ReadAt.IsZero() {
		v.ReadAt = time.Now()
	}
	life := r.windowLife(v.End, v.ReadAt)
	r.share(v.Key, v.ReadAt, life, v.Size, v.Encode)
	return r.cache.Put(r.label, v.Key, cache.Fetched[any]{Value: v.Value, ReadAt: v.ReadAt, Life: life, Size: v.Size})
}
