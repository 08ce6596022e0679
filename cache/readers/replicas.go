package readers

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"math"
	"time"

	"github.com/parley-gateway/parley/cache/shared"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// SharedWindows has the windows that replicas share. Readers of events that Decorator.Events returned are SharedWindows; without a shared
// store they find nothing.
type SharedWindows interface {
	// Claim returns the value of a window that another replica has put and ctx's Control accepts, made of its bytes by decode; nil =
	// the caller makes the value. Claim waits for a replica that is making it. The caller calls done in the end, whether or not it has put
	// the value.
	Claim(ctx context.Context, key string, decode func([]byte) (any, error)) (value any, done func())
}

var _ SharedWindows = (*events)(nil)

// maxReplicaWait is how long an interactive caller waits for another replica, which reads at the priority of its own callers.
const maxReplicaWait = 5 * time.Second

// Claim implements SharedWindows.
func (r *events) Claim(ctx context.Context, key string, decode func([]byte) (any, error)) (value any, done func()) {
	found, done := r.claim(ctx, key)
	if found == nil {
		return nil, done
	}
	value, err := decode(found.Bytes)
	if err != nil {
		r.cfg.Shared.Invalid()
		return nil, done
	}
	r.cache.CountShared(ctx, r.label, found.ReadAt)
	return value, done
}

// claim returns a value that another replica has put; nil = the caller makes it. It waits for a replica that is making the value. The caller
// calls done in the end, whether or not it has put the value.
func (s *scoped) claim(ctx context.Context, key string) (found *shared.Value, done func()) {
	if !s.isShared() {
		return nil, func() {}
	}
	wait := time.Duration(math.MaxInt64)
	if source.PriorityOf(ctx) == source.Interactive {
		wait = maxReplicaWait
	}
	return s.cfg.Shared.Claim(ctx, key, wait)
}

// isShared reports whether replicas share the values of the scope. What was read on behalf of a user stays in memory.
func (s *scoped) isShared() bool { return s.cfg.Shared != nil && !s.scope.Delegated }

// share puts a value that was true at read for other replicas; a nil encode puts none.
func (s *scoped) share(key string, read time.Time, life time.Duration, size int64, encode func() []byte) {
	if s.isShared() && encode != nil {
		s.cfg.Shared.Put(key, read, life, size, encode)
	}
}

// sharedJSON returns a value that another replica has put as JSON; nil = there is none that ctx's Control accepts.
func sharedJSON[V any](ctx context.Context, store *shared.Values, key string) (value *V, read, expires time.Time) {
	found := store.Get(ctx, key)
	if found == nil {
		return nil, time.Time{}, time.Time{}
	}
	value = new(V)
	if err := json.Unmarshal(found.Bytes, value); err != nil {
		store.Invalid()
		return nil, time.Time{}, time.Time{}
	}
	return value, found.ReadAt, found.Expires
}

// shareJSON puts a value as JSON.
func shareJSON(store *shared.Values, key string, read time.Time, life time.Duration, value any) {
	text, err := json.Marshal(value)
	if err != nil { // no type that is shared has such a value
		return
	}
	store.Put(key, read, life, int64(len(text)), func() []byte { return text })
}

// sharedRefusal is a refusal as replicas share it: the fields that the packages above decide by, without Graph's words.
type sharedRefusal struct {
	Kind                       graph.Kind
	Status                     int
	Code, InnerCode, Reason    string
	RequestID, ClientRequestID string
	Roles                      []string
}

// refusalOf returns an error as replicas share it.
func refusalOf(e *graph.Error) sharedRefusal {
	return sharedRefusal{e.Kind, e.Status, e.Code, e.InnerCode, e.Reason, e.RequestID, e.ClientRequestID, e.Roles}
}

// error is refusalOf the other way round.
func (r *sharedRefusal) error() *graph.Error {
	return &graph.Error{
		Kind: r.Kind, Status: r.Status, Code: r.Code, InnerCode: r.InnerCode, Reason: r.Reason, RequestID: r.RequestID,
		ClientRequestID: r.ClientRequestID, Roles: r.Roles,
	}
}

// encodeShared encodes a value of this package for the store. No such value fails to encode.
func encodeShared(value any) []byte {
	var encoded bytes.Buffer
	if gob.NewEncoder(&encoded).Encode(value) != nil {
		return nil
	}
	return encoded.Bytes()
}

// decodeShared is encodeShared the other way round.
func decodeShared[T any](encoded []byte) (value T, err error) {
	err = gob.NewDecoder(bytes.NewReader(encoded)).Decode(&value)
	return value, err
}
