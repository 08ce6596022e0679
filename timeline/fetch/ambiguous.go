package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/window"
)

// Rows of one key and version are one row that Graph repeats, unless they say different things. Then nobody can tell which of them
// is meant by their uid. Both are delivered, and their instant is a gap. A digest of the row's content is added to its key, so that
// every reading orders the rows alike.

// ambiguousMark separates a key from the digest of its row's content.
const ambiguousMark = "\x01"

// differ reports whether two rows of one key and version say different things.
func differ(a, b *source.Item) bool {
	if bytes.Equal(a.Basic, b.Basic) {
		return false
	}
	x, errX := a.Event()
	y, errY := b.Event()
	if errX != nil || errY != nil {
		return false
	}
	if !proto.Equal(x.GetBody(), y.GetBody()) || len(x.GetAttachments()) != len(y.GetAttachments()) {
		return true
	}
	for i, attachment := range x.GetAttachments() {
		if !proto.Equal(attachment, y.GetAttachments()[i]) {
			return true
		}
	}
	return false
}

// ambiguousKey is the key of a row that shares its key with another.
func ambiguousKey(item *source.Item) string {
	key, _, _ := strings.Cut(item.Key, ambiguousMark)
	content := sha256.New()
	if event, err := item.Event(); err == nil {
		for _, part := range event.GetAttachments() {
			data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(part)
			content.Write(data)
		}
		data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(event.GetBody())
		content.Write(data)
	}
	return key + ambiguousMark + base64.RawURLEncoding.EncodeToString(content.Sum(nil)[:9])
}

// put adds a row that is new. When another row has its key, both get keys of their own.
func (s *rowSet) put(item source.Item) {
	plain, _, heldBack := strings.Cut(item.Key, ambiguousMark)
	at, taken := s.byKey[plain]
	if taken || heldBack {
		s.separate(&item, plain, at, taken)
	}
	if outOfWindow := !item.NoTime && s.isOutOfWindow(s.r.timeOf(&item)); outOfWindow && s.unbounded {
		item.Basic, item.Unmapped = []byte{}, nil // it is left out
	} else if outOfWindow {
		s.outOfWindow++
	}
	here := rowRef{len(s.items), s.chain}
	s.byKey[item.Key] = here
	if !taken {
		s.byKey[plain] = here
	}
	s.items = append(s.items, item)
}

// separate gives a row, and the first row of its key if there is one, a key of its own.
func (s *rowSet) separate(item *source.Item, plain string, at rowRef, taken bool) {
	if s.ambiguous == nil {
		s.ambiguous = map[string]bool{}
	}
	if taken && !s.ambiguous[plain] {
		first := &s.items[at.item]
		first.Key = ambiguousKey(first)
		s.byKey[first.Key] = at
		s.addAmbiguity(first)
	}
	s.ambiguous[plain] = true
	item.Key = ambiguousKey(item)
	s.addAmbiguity(item)
}

// addAmbiguity makes a gap of the instant of a row that shares its key with another.
func (s *rowSet) addAmbiguity(item *source.Item) {
	if item.NoTime {
		return
	}
	s.gaps = window.AddGap(s.gaps, instantGap(s.r.timeOf(item), parleyv1.ErrorReason_ERROR_REASON_AMBIGUOUS_ID))
}
