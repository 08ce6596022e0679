package fetch

import (
	"context"

	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
)

// Memory that is reserved for a page before one was seen, and memory of a row beside its event while its window is read.
const (
	firstPageReserve = 64 << 10
	rowBytes         = 256
)

// WindowBytes is the memory that a window is planned for at most: a part of what all streams may read ahead.
func WindowBytes(limits ledger.Config) int64 {
	const least, most = 512 << 10, 8 << 20
	if limits.Limit <= 0 {
		return most
	}
	return min(max(limits.Limit/128, least), most)
}

// Limit has the memory that is read ahead counted in an account. unit is the number of bytes that count as one row.
func (r *Reader) Limit(account *ledger.Account, unit int64) { r.account, r.rowUnit = account, unit }

// Full reports whether nothing more may be read ahead.
func (r *Reader) Full() bool { return r.account.Full() }

// Weigh returns how full a window is: the number of its rows, or more if they are large. A window is planned for a weight of
// Density.WindowRows.
func (r *Reader) Weigh(rows int, size int64) int {
	if r.rowUnit <= 0 {
		return rows
	}
	return max(rows, int(size/r.rowUnit))
}

// rowMemory is the memory of a rowSet. The account of the Reader counts it.
type rowMemory struct {
	size          int64           // memory of all rows that came, repeated ones too
	reserved      int64           // memory reserved for the page that is being read
	reservedAhead int64           // memory reserved for the page after it
	urgent        <-chan struct{} // closed after the window has become the next one that the call delivers
}

// count counts the memory of a page in place of the memory that was reserved for it.
func (s *rowSet) count(items []source.Item) {
	size := int64(0)
	for i := range items {
		size += int64(len(items[i].Basic)+len(items[i].Unmapped)+len(items[i].Key)) + rowBytes
	}
	s.r.account.Add(size - s.reserved)
	s.size += size
	s.reserved, s.reservedAhead = s.reservedAhead, 0
	storeMax(&s.r.pageBytes, size)
}

// release gives back the memory of the rows. They are in the chunk now, or nobody wants them.
func (s *rowSet) release() {
	s.r.account.Add(-s.size - s.reserved - s.reservedAhead)
	s.size, s.reserved, s.reservedAhead = 0, 0, 0
}

// pageReserve is the memory that is reserved for the next page, as it comes and as it is cached.
func (r *Reader) pageReserve() int64 { return max(firstPageReserve, 2*r.pageBytes.Load()) }

// reserve reserves the memory of another page. It waits until there is enough, or until the window is the next one that the call delivers.
func (r *Reader) reserve(ctx context.Context, rows *rowSet) error {
	if rows.reserved > 0 {
		return nil // reserveAhead has reserved the memory
	}
	bytes := r.pageReserve()
	if rows.urgent == nil {
		r.account.Add(bytes)
	} else if err := r.account.Acquire(ctx, bytes, rows.urgent); err != nil {
		return err
	}
	rows.reserved = bytes
	return nil
}

// reserveAhead reserves the memory of the page after the one that is being read, if there is enough.
func (r *Reader) reserveAhead(rows *rowSet) bool {
	bytes := r.pageReserve()
	if rows.reservedAhead > 0 || !r.account.TryAcquire(bytes) {
		return false
	}
	rows.reservedAhead = bytes
	return true
}
