package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/window"
)

// Rows of one key and version are one row that Graph repeats, unless they say different things: then nobody can tell which of
// them is meant by their uid. Both go out, and the instant is a gap. They are told apart by what they say, so that every
// reading orders them alike.

// twinMark parts a key from the digest of what its row says.
const twinMark = "\x01"

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

// twinKey is the key of a row that is not the only one of its key.
func twinKey(item *source.Item) string {
	key, _, _ := strings.Cut(item.Key, twinMark)
	said := sha256.New()
	if event, err := item.Event(); err == nil {
		for _, part := range event.GetAttachments() {
			data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(part)
			said.Write(data)
		}
		data, _ := proto.MarshalOptions{Deterministic: true}.Marshal(event.GetBody())
		said.Write(data)
	}
	return key + twinMark + base64.RawURLEncoding.EncodeToString(said.Sum(nil)[:9])
}

// put takes in a row that is not there yet. When another row has its key, both get keys of their own.
func (s *rowset) put(item source.Item) {
	plain, _, held := strings.Cut(item.Key, twinMark)
	at, taken := s.byKey[plain]
	if taken || held {
		if s.twins == nil {
			s.twins = map[string]bool{}
		}
		if taken && !s.twins[plain] {
			first := &s.items[at.item]
			first.Key = twinKey(first)
			s.byKey[first.Key] = at
			s.ambiguous(first)
		}
		s.twins[plain] = true
		item.Key = twinKey(&item)
		s.ambiguous(&item)
	}
	if far := !item.NoTime && s.far(s.r.timeOf(&item)); far && s.unbounded {
		item.Basic, item.Unmapped = []byte{}, nil // it is left out
	} else if far {
		s.strange++
	}
	here := place{len(s.items), s.chain}
	s.byKey[item.Key] = here
	if !taken {
		s.byKey[plain] = here
	}
	s.items = append(s.items, item)
}

// ambiguous notes the instant of a row that shares its key with another.
func (s *rowset) ambiguous(item *source.Item) {
	if item.NoTime {
		return
	}
	at := s.r.timeOf(item).Truncate(time.Millisecond)
	s.doubts = window.AddGap(s.doubts, window.Gap{Span: window.Span{Start: at, End: at.Add(time.Millisecond)}, Reason: parleyv1.ErrorReason_ERROR_REASON_AMBIGUOUS_ID})
}
