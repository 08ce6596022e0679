package ledger

import (
	"container/list"
	"context"
)

// Account counts the memory of one call. Close it. An account without a ledger has no bounds.
type Account struct {
	ledger *Ledger
	each   int64

	// The lock of the ledger guards the fields below.
	floor   int64
	own     int64 // bytes of this account alone
	shared  int64 // bytes that others may hold as well
	holds   map[*Shared]int
	waiters list.List     // of *waiter, in turn
	queued  *list.Element // of the ledger's queue; nil without waiters
	closed  bool
}

// waiter waits for room.
type waiter struct {
	bytes int64
	ready chan struct{} // closed when the bytes are taken
}

// Shared is a piece of memory that several accounts hold. Its bytes count once.
type Shared struct {
	bytes   int64
	holders int
}

// Each is the number of bytes that the account may hold; 0 = no bound.
func (a *Account) Each() int64 { return a.each }

// Acquire takes n bytes after they fit or urgent was closed. It takes nothing when the context ends before that.
func (a *Account) Acquire(ctx context.Context, n int64, urgent <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.ledger == nil {
		return nil
	}
	a.ledger.mu.Lock()
	if a.waiters.Len() == 0 && a.fits(n) || isClosed(urgent) {
		a.charge(n)
		a.ledger.mu.Unlock()
		return nil
	}
	w := &waiter{n, make(chan struct{})}
	at := a.waiters.PushBack(w)
	if a.queued == nil {
		a.queued = a.ledger.queue.PushBack(a)
	}
	a.ledger.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-urgent:
		a.overdraw(at)
		return nil
	case <-ctx.Done():
		a.giveUp(at)
		return ctx.Err()
	}
}

// overdraw ends the wait of the waiter at an element of the queue: it takes the bytes, whether they fit or not.
func (a *Account) overdraw(at *list.Element) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	w, _ := at.Value.(*waiter)
	if isClosed(w.ready) {
		return // it has them by now
	}
	a.waiters.Remove(at)
	a.charge(w.bytes)
	a.ledger.grant() // the next waiter may fit
}

// giveUp ends the wait of the waiter at an element of the queue, and gives back the bytes if it has them by now.
func (a *Account) giveUp(at *list.Element) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	w, _ := at.Value.(*waiter)
	if isClosed(w.ready) {
		a.charge(-w.bytes)
	} else {
		a.waiters.Remove(at)
	}
	a.ledger.grant() // the next waiter may fit
}

// TryAcquire takes n bytes if they fit and nobody waits for this account.
func (a *Account) TryAcquire(n int64) bool {
	if a.ledger == nil {
		return true
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	if a.waiters.Len() > 0 || !a.fits(n) {
		return false
	}
	a.charge(n)
	return true
}

// Add takes n bytes whether they fit or not; a negative n gives them back.
func (a *Account) Add(n int64) {
	if a.ledger == nil || n == 0 {
		return
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.charge(n)
	if n < 0 {
		a.ledger.grant()
	}
}

// Hold makes the account a holder of shared memory of so many bytes, until Drop was called as often as Hold, or until Close.
func (a *Account) Hold(s *Shared, bytes int64) {
	if a.ledger == nil {
		return
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	if a.closed {
		return
	}
	if a.holds == nil {
		a.holds = make(map[*Shared]int)
	}
	if a.holds[s]++; a.holds[s] > 1 {
		return
	}
	if s.holders++; s.holders == 1 {
		s.bytes = bytes
		a.ledger.committed += bytes
	}
	a.shared += s.bytes
}

// Drop ends a Hold.
func (a *Account) Drop(s *Shared) {
	if a.ledger == nil {
		return
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	switch n := a.holds[s]; n {
	case 0:
		return // the account is closed
	case 1:
		a.release(s)
	default:
		a.holds[s] = n - 1
		return
	}
	a.ledger.grant()
}

// release ends the last Hold of shared memory. The lock is held.
func (a *Account) release(s *Shared) {
	delete(a.holds, s)
	a.shared -= s.bytes
	if s.holders--; s.holders == 0 {
		a.ledger.committed -= s.bytes
	}
}

// Full reports whether nothing more may be read ahead.
func (a *Account) Full() bool {
	if a.ledger == nil {
		return false
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	return !a.fits(1)
}

// LedgerScarce reports whether more than three quarters of the ledger's limit are committed. A call should then read smaller pieces, which
// give memory back earlier: the last quarter is for new calls.
func (a *Account) LedgerScarce() bool {
	if a.ledger == nil || a.ledger.cfg.Limit <= 0 {
		return false
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	return a.ledger.committed > a.ledger.cfg.Limit/4*3
}

// Held is the number of bytes that the account holds. Shared memory counts in full.
func (a *Account) Held() int64 {
	if a.ledger == nil {
		return 0
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	return a.own + a.shared
}

// Close gives back the floor and drops shared memory. Bytes of the account's own count until they are given back, because their holder
// may end later.
func (a *Account) Close() {
	if a.ledger == nil {
		return
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	if a.closed {
		return
	}
	for s := range a.holds {
		a.release(s)
	}
	a.ledger.committed += max(0, a.own) - max(a.floor, a.own)
	a.floor, a.closed = 0, true
	a.ledger.grant()
}

// fits reports whether n more bytes keep every bound while no other call waits to be admitted. An account that holds nothing may take more
// than its bound. The lock is held.
func (a *Account) fits(n int64) bool {
	if held := a.own + a.shared; a.each > 0 && held > 0 && held+n > a.each {
		return false
	}
	more := max(a.floor, a.own+n) - max(a.floor, a.own)
	limit := a.ledger.cfg.Limit
	return limit <= 0 || more == 0 || a.ledger.committed+more <= limit/2 && a.ledger.admissions.Len() == 0
}

// charge adds n to the own bytes of the account. The lock is held.
func (a *Account) charge(n int64) {
	before := max(a.floor, a.own)
	a.own += n
	a.ledger.committed += max(a.floor, a.own) - before
}

// isClosed reports whether a channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return c != nil
	default:
		return false
	}
}
