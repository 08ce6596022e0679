// Package ledger counts the bytes that calls hold: in all, and for each call. A call has an account. What it reads ahead
// waits for room; what it needs next never does, and may overdraw. A call is admitted only while the ledger has room for what
// every admitted call may still take.
package ledger

import (
	"cmp"
	"container/list"
	"context"
	"sync"
)

// Config describes a Ledger.
type Config struct {
	// Limit bounds the bytes of all accounts together; 0 or less = no bound. Half of it is left for calls that come and for
	// what they need next: nothing is read ahead into it.
	Limit int64
	// Each bounds the bytes of one account; 0 or less = no bound.
	Each int64
	// Floor is what each admitted account may take at any time: it counts as taken from the beginning.
	Floor int64
}

// Ledger is the books of one process. It is safe for concurrent use. A nil Ledger has no bounds.
type Ledger struct {
	cfg Config

	mu        sync.Mutex
	committed int64     // the greater one of floor and what is held, of each account, and what is shared, once
	waiting   list.List // of *Account with waiters, in turn
	coming    list.List // of *guest, in turn
}

// New returns an empty Ledger.
func New(cfg Config) *Ledger { return &Ledger{cfg: cfg} }

// Config returns what the Ledger was made with; zero for nil.
func (l *Ledger) Config() Config {
	if l == nil {
		return Config{}
	}
	return l.cfg
}

// Committed is what the admitted accounts hold or may still take at any time.
func (l *Ledger) Committed() int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.committed
}

// Admit opens an account with a floor as soon as there is room for it, or returns nil when the context ends first.
func (l *Ledger) Admit(ctx context.Context) *Account {
	if l == nil {
		return &Account{}
	}
	a := &Account{ledger: l, each: l.cfg.Each}
	l.mu.Lock()
	if l.coming.Len() == 0 && l.room() {
		l.admit(a)
		l.mu.Unlock()
		return a
	}
	g := &guest{a, make(chan struct{})}
	place := l.coming.PushBack(g)
	l.mu.Unlock()
	select {
	case <-g.ready:
		return a
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if isClosed(g.ready) {
		return a
	}
	l.coming.Remove(place)
	return nil
}

// room reports whether another account's floor fits; the lock is held.
func (l *Ledger) room() bool { return l.cfg.Limit <= 0 || l.committed+l.cfg.Floor <= l.cfg.Limit }

// admit gives an account its floor; the lock is held.
func (l *Ledger) admit(a *Account) {
	a.floor = l.cfg.Floor
	l.committed += a.floor
}

// guest is an account that waits to be admitted.
type guest struct {
	account *Account
	ready   chan struct{} // closed when it is
}

// Open opens an account without a floor, for a call that is admitted elsewhere. It may hold at most so many bytes; 0 = as the
// ledger says.
func (l *Ledger) Open(each int64) *Account {
	if l == nil {
		return &Account{}
	}
	return &Account{ledger: l, each: cmp.Or(each, l.cfg.Each)}
}

// Account is what one call holds. Close it. An account without a ledger has no bounds.
type Account struct {
	ledger *Ledger
	each   int64

	// The ledger's lock guards what follows.
	floor   int64
	own     int64 // bytes of this account alone
	shared  int64 // bytes that others may hold as well
	pieces  map[*Shared]int
	waiters list.List // of *waiter, in turn
	at      *list.Element
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

// Each is what the account may hold; 0 = no bound.
func (a *Account) Each() int64 { return a.each }

// Acquire takes n bytes as soon as they fit, or urgent is closed. Nothing is taken when the context ends first.
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
	place := a.waiters.PushBack(w)
	if a.at == nil {
		a.at = a.ledger.waiting.PushBack(a)
	}
	a.ledger.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-urgent:
		a.leave(place, true)
		return nil
	case <-ctx.Done():
		a.leave(place, false)
		return ctx.Err()
	}
}

// leave ends a wait: with the bytes, or without them.
func (a *Account) leave(place *list.Element, take bool) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	w, _ := place.Value.(*waiter)
	switch taken := isClosed(w.ready); {
	case taken && !take:
		a.charge(-w.bytes)
	case !taken:
		a.waiters.Remove(place)
		if take {
			a.charge(w.bytes)
		}
	}
	a.ledger.grant() // whoever stood behind may fit
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

// Hold makes the account a holder of a piece of memory of so many bytes, until as many calls of Drop or Close.
func (a *Account) Hold(s *Shared, bytes int64) {
	if a.ledger == nil {
		return
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	if a.closed {
		return
	}
	if a.pieces == nil {
		a.pieces = make(map[*Shared]int)
	}
	if a.pieces[s]++; a.pieces[s] > 1 {
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
	switch n := a.pieces[s]; n {
	case 0:
		return // the account is closed
	case 1:
		a.drop(s)
	default:
		a.pieces[s] = n - 1
		return
	}
	a.ledger.grant()
}

// drop ends the last Hold of a piece; the lock is held.
func (a *Account) drop(s *Shared) {
	delete(a.pieces, s)
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

// Overdrawn reports whether all accounts together hold more than they may: what can be cut should be.
func (a *Account) Overdrawn() bool {
	if a.ledger == nil || a.ledger.cfg.Limit <= 0 {
		return false
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	return a.ledger.committed > a.ledger.cfg.Limit
}

// Held is what the account holds, shared pieces in full.
func (a *Account) Held() int64 {
	if a.ledger == nil {
		return 0
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	return a.own + a.shared
}

// Close gives back the floor and drops what is held with others. Bytes that the account alone holds count until they are
// given back, for who holds them may end later.
func (a *Account) Close() {
	if a.ledger == nil {
		return
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	if a.closed {
		return
	}
	for s := range a.pieces {
		a.drop(s)
	}
	a.ledger.committed += max(0, a.own) - max(a.floor, a.own)
	a.floor, a.closed = 0, true
	a.ledger.grant()
}

// fits reports whether n more bytes keep every bound and no other call waits to be admitted; what is larger than an account may be fits alone. The lock is held.
func (a *Account) fits(n int64) bool {
	if held := a.own + a.shared; a.each > 0 && held > 0 && held+n > a.each {
		return false
	}
	more := max(a.floor, a.own+n) - max(a.floor, a.own)
	limit := a.ledger.cfg.Limit
	return limit <= 0 || more == 0 || a.ledger.committed+more <= limit/2 && a.ledger.coming.Len() == 0
}

// charge changes what the account alone holds; the lock is held.
func (a *Account) charge(n int64) {
	before := max(a.floor, a.own)
	a.own += n
	a.ledger.committed += max(a.floor, a.own) - before
}

// grant gives room to those who wait: first to who comes, then to each account in turn. The lock is held.
func (l *Ledger) grant() {
	for at := l.coming.Front(); at != nil && l.room(); at = l.coming.Front() {
		l.coming.Remove(at)
		g, _ := at.Value.(*guest)
		l.admit(g.account)
		close(g.ready)
	}
	for granted := true; granted; {
		granted = false
		for at := l.waiting.Front(); at != nil; {
			next := at.Next()
			a, _ := at.Value.(*Account)
			if first := a.waiters.Front(); first == nil {
				l.waiting.Remove(at)
				a.at = nil
			} else if w, _ := first.Value.(*waiter); a.fits(w.bytes) {
				a.waiters.Remove(first)
				a.charge(w.bytes)
				close(w.ready)
				l.waiting.MoveToBack(at)
				granted = true
			}
			at = next
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return c != nil
	default:
		return false
	}
}

type key struct{}

// With returns a context whose call has the account.
func With(ctx context.Context, a *Account) context.Context { return context.WithValue(ctx, key{}, a) }

// From returns the account of a context's call; nil = it has none.
func From(ctx context.Context) *Account {
	a, _ := ctx.Value(key{}).(*Account)
	return a
}
