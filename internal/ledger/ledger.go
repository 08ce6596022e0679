// Package ledger counts the memory that calls hold: of all calls together, and of each call in an account. Data that a call reads ahead
// waits for room in its account. Data that the call needs next never waits, and may overdraw the account. A call is admitted while the
// ledger has room for the memory that every admitted call may still take.
package ledger

import (
	"cmp"
	"container/list"
	"context"
	"sync"
)

// Config describes a Ledger.
type Config struct {
	// Limit bounds the bytes of all accounts together; 0 or less = no bound. Nothing is read ahead into the second half of it, which is
	// left for new calls and for the data that calls need next.
	Limit int64
	// Each bounds the bytes of one account; 0 or less = no bound.
	Each int64
	// Floor is the number of bytes that each admitted account may take at any time. They count as taken from the beginning.
	Floor int64
}

// Ledger holds the accounts of one process. It is safe for concurrent use. A nil Ledger has no bounds.
type Ledger struct {
	cfg Config

	mu         sync.Mutex
	committed  int64     // of each account the larger one of its floor and its own bytes; and all shared bytes, once
	queue      list.List // of *Account with waiters, in turn
	admissions list.List // of *admission, in turn
}

// New returns an empty Ledger.
func New(cfg Config) *Ledger { return &Ledger{cfg: cfg} }

// Config returns the configuration; zero for a nil Ledger.
func (l *Ledger) Config() Config {
	if l == nil {
		return Config{}
	}
	return l.cfg
}

// Committed is the number of bytes that the admitted accounts hold or may take at any time.
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
	if l.admissions.Len() == 0 && l.hasRoom() {
		l.admit(a)
		l.mu.Unlock()
		return a
	}
	g := &admission{a, make(chan struct{})}
	place := l.admissions.PushBack(g)
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
	l.admissions.Remove(place)
	return nil
}

// hasRoom reports whether the floor of another account fits. The lock is held.
func (l *Ledger) hasRoom() bool { return l.cfg.Limit <= 0 || l.committed+l.cfg.Floor <= l.cfg.Limit }

// admit gives an account its floor. The lock is held.
func (l *Ledger) admit(a *Account) {
	a.floor = l.cfg.Floor
	l.committed += a.floor
}

// admission is an account that waits for its floor.
type admission struct {
	account *Account
	ready   chan struct{} // closed after it was admitted
}

// Open opens an account without a floor, for a call that is admitted elsewhere. It may hold each bytes at most; 0 = as many as the ledger
// says.
func (l *Ledger) Open(each int64) *Account {
	if l == nil {
		return &Account{}
	}
	return &Account{ledger: l, each: cmp.Or(each, l.cfg.Each)}
}

// grant gives room to those who wait: first to new accounts, then to each account in turn. The lock is held.
func (l *Ledger) grant() {
	for place := l.admissions.Front(); place != nil && l.hasRoom(); place = l.admissions.Front() {
		l.admissions.Remove(place)
		next, _ := place.Value.(*admission)
		l.admit(next.account)
		close(next.ready)
	}
	for l.grantRound() {
	}
}

// grantRound gives room to the first waiter of each account in the queue, and reports whether one got it. The lock is held.
func (l *Ledger) grantRound() bool {
	granted := false
	for place := l.queue.Front(); place != nil; {
		next := place.Next()
		a, _ := place.Value.(*Account)
		if first := a.waiters.Front(); first == nil {
			l.queue.Remove(place)
			a.queued = nil
		} else if w, _ := first.Value.(*waiter); a.fits(w.bytes) {
			a.waiters.Remove(first)
			a.charge(w.bytes)
			close(w.ready)
			l.queue.MoveToBack(place)
			granted = true
		}
		place = next
	}
	return granted
}
