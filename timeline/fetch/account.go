package fetch

import (
	"context"

	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// What a page is believed to take before one was seen, and what a row takes beside its event while its window is read.
const (
	firstPage = 64 << 10
	rowBytes  = 256
)

// WindowBytes is what a window is planned to take at most: a part of what all streams may read ahead.
func WindowBytes(limits ledger.Config) int64 {
	const least, most = 512 << 10, 8 << 20
	if limits.Limit <= 0 {
		return most
	}
	return min(max(limits.Limit/128, least), most)
}

// Load is how full a window is: its rows, or more if they are large. A window is planned for a load of maxRows.
func (r *Reader) Load(rows int, size int64) int {
	if r.unit <= 0 {
		return rows
	}
	return max(rows, int(size/r.unit))
}

// pageRoom is what the next page is believed to take, as it came and as it is kept.
func (r *Reader) pageRoom() int64 { return max(firstPage, 2*r.pageBytes.Load()) }

// pass waits until there is room for another page, or the window is the next one that is wanted.
func (r *Reader) pass(ctx context.Context, rows *rowset) error {
	if rows.room > 0 {
		return nil // it was taken ahead
	}
	room := r.pageRoom()
	if rows.wanted == nil {
		r.account.Add(room)
	} else if err := r.account.Acquire(ctx, room, rows.wanted); err != nil {
		return err
	}
	rows.room = room
	return nil
}

// passAhead takes the room for the page behind the one that is being read, if there is enough.
func (r *Reader) passAhead(rows *rowset) bool {
	room := r.pageRoom()
	if rows.ahead > 0 || !r.account.TryAcquire(room) {
		return false
	}
	rows.ahead = room
	return true
}

// Hold counts what a block keeps in memory until drop. own says that its entries are its own, and not the sheet's.
func (r *Reader) Hold(b *Result, own bool) {
	if b.Chunk == nil || b.Split {
		return
	}
	r.account.Hold(&b.Chunk.Held, b.Chunk.Cost())
	if !own {
		return
	}
	b.extra = int64(cap(b.Entries)) * chunk.EntryBytes
	for i := range b.Entries {
		if e := &b.Entries[i]; e.At == chunk.NotInChunk {
			b.extra += int64(len(e.Basic) + len(e.Unmapped))
		}
	}
	r.account.Add(b.extra)
}

// Full reports whether nothing more may be read ahead.
func (r *Reader) Full() bool { return r.account.Full() }

// Limit has what is read ahead counted in an account. So many of its bytes count as a row.
func (r *Reader) Limit(account *ledger.Account, unit int64) { r.account, r.unit = account, unit }

// Drop ends hold.
func (r *Reader) Drop(b *Result) {
	if b.Chunk == nil || b.Split {
		return
	}
	r.account.Drop(&b.Chunk.Held)
	r.account.Add(-b.extra)
	b.extra = 0
}
