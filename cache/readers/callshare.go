package readers

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/parley-gateway/parley/cache/shared"
	"github.com/parley-gateway/parley/source"
)

// Replicas share an index in pieces, because it may be larger than a value of the store. A value under the index's own key says how many there
// are; it is put after them. A replica that finds this value and not all pieces reads Graph.

// Bounds of a piece: its records, and their bytes as they are in memory.
const (
	pieceRows  = 1000
	pieceBytes = 1 << 20
)

// sharedCall is a record as replicas share it.
type sharedCall struct {
	source.CallRow

	People []string
}

// pieceKey is the key of a piece of an index.
func pieceKey(key string, n int) string { return key + "\x00" + strconv.Itoa(n) }

// shareIndex puts an index for other replicas, unless it has doubts.
func (r *calls) shareIndex(key string, index *callIndex, participants map[recordName][]string, life time.Duration) {
	if !r.isShared() || len(index.doubts) > 0 {
		return
	}
	pieces := 0
	for from := 0; from < len(index.rows); pieces++ {
		to, size := from, int64(0)
		for to < len(index.rows) && to-from < pieceRows && size < pieceBytes {
			size += sizeOfRow(&index.rows[to])
			to++
		}
		rows := index.rows[from:to]
		r.share(pieceKey(key, pieces), index.read, life, size, func() []byte { return encodeCalls(rows, index.packer, participants) })
		from = to
	}
	text := []byte(strconv.Itoa(pieces))
	r.share(key, index.read, life, int64(len(text)), func() []byte { return text })
}

// encodeCalls encodes a piece; nil = a record cannot be unpacked.
func encodeCalls(rows []source.CallRow, packer *recordPacker, participants map[recordName][]string) []byte {
	piece := make([]sharedCall, len(rows))
	for i := range rows {
		record, err := packer.unpack(rows[i].Record)
		if err != nil {
			return nil
		}
		piece[i] = sharedCall{rows[i], participants[nameOf(&rows[i])]}
		piece[i].Record = record
	}
	return encodeShared(piece)
}

// fromReplicas returns the index that another replica has put, and caches it; nil = the caller reads it. For a query that always goes by an
// index it waits for a replica that is reading one. The caller calls done in the end, whether or not it has put the index.
func (r *calls) fromReplicas(ctx context.Context, q *source.EventQuery, key string) (index *callIndex, done func()) {
	done = func() {}
	var found *shared.Value
	switch {
	case q.CallIndex == source.IndexAlways:
		found, done = r.claim(ctx, key)
	case r.isShared():
		found = r.cfg.Shared.Get(ctx, key)
	}
	if found == nil {
		return nil, done
	}
	reader := newIndexReader(r, q.Start, q.End, math.Inf(1))
	reader.oldest = found.ReadAt
	if !reader.addPieces(ctx, key, found) {
		return nil, done
	}
	index, size := reader.build()
	if !r.put(key, index, size, time.Until(found.Expires)+time.Since(found.ReadAt)) {
		return nil, done
	}
	r.cache.CountShared(ctx, r.label, found.ReadAt)
	return index, done
}

// addPieces adds the records of all pieces, and reports whether all of them were there.
func (x *indexReader) addPieces(ctx context.Context, key string, index *shared.Value) bool {
	store := x.r.cfg.Shared
	pieces, err := strconv.Atoi(string(index.Bytes))
	if err != nil {
		store.Invalid()
		return false
	}
	for n := range pieces {
		value := store.Get(ctx, pieceKey(key, n))
		if value == nil || !value.ReadAt.Equal(index.ReadAt) || x.rows.size > x.maxSize {
			return false
		}
		calls, err := decodeShared[[]sharedCall](value.Bytes)
		if err != nil {
			store.Invalid()
			return false
		}
		rows := make([]source.CallRow, len(calls))
		for i := range calls {
			rows[i] = calls[i].CallRow
			x.participants.ids[nameOf(&rows[i])] = calls[i].People
		}
		x.rows.add(rows)
	}
	return true
}
