package interceptor

import (
	"context"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/ledger"
)

// byteShares divides the bytes that calls hold between callers, as places are divided: a caller who is alone may hold all. When another
// caller finds no room, the largest calls of the caller who holds most above a share end.
//
// The rule differs from the rule of places (shares.Pool) in three ways, so they are two implementations. A place has a fixed cost, and the
// newest work gives way; bytes change while a call runs, are measured when room is needed, and the largest call gives way. Nobody queues
// for bytes: a unary call is refused at once where its own caller holds most, and a stream looks again. The share of bytes has no
// minimum; each caller may have one place.
type byteShares struct {
	ledger *ledger.Ledger
	share  float64 // 0 or less, or 1 or more = nobody makes room

	mu    sync.Mutex
	calls map[*ledger.Account]*accountedCall
}

// accountedCall is a call or stream with an account.
type accountedCall struct {
	caller string
	weight float64
	end    func() // has the call end soon
	ending bool
}

// roomEvery is how often room is looked for while a stream waits to be admitted.
const roomEvery = 100 * time.Millisecond

// admitStream opens the account of a stream; nil = there was no room for a second. It waits, since ended calls are noticed late and
// streams that read ahead make room.
func (b *byteShares) admitStream(ctx context.Context, call *accountedCall) *ledger.Account {
	ctx, cancel := context.WithTimeout(ctx, admissionWait)
	defer cancel()
	for ctx.Err() == nil {
		wait, stop := context.WithTimeout(ctx, roomEvery)
		account := b.ledger.Admit(wait)
		stop()
		if account != nil {
			b.enter(account, call)
			return account
		}
		b.makeRoom(call, 1) // one stream at a time: most give back more than a newcomer needs
	}
	return nil
}

// admitCall opens the account of a unary call that is expected to hold so many bytes until its answer is written. The result is nil
// when there is no room and the caller holds most above a share, or there are no shares.
func (b *byteShares) admitCall(call *accountedCall, bytes int64) *ledger.Account {
	account := b.ledger.Open(0)
	account.Add(bytes)
	b.enter(account, call)
	if !b.ensureRoom(call) {
		b.leave(account)
		account.Add(-bytes)
		return nil
	}
	return account
}

// ensureRoom reports whether a call may begin or answer. Where all memory is held, calls of the caller who holds most above a share end to
// make room, unless that is the caller of this call.
func (b *byteShares) ensureRoom(call *accountedCall) bool {
	limit := b.ledger.Config().Limit
	over := b.ledger.Committed() - limit
	return limit <= 0 || over <= 0 || b.makeRoom(call, over)
}

func (b *byteShares) enter(account *ledger.Account, call *accountedCall) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[account] = call
}

// leave closes an account.
func (b *byteShares) leave(account *ledger.Account) {
	b.mu.Lock()
	delete(b.calls, account)
	b.mu.Unlock()
	account.Close()
}

// makeRoom ends the largest calls of the callers who hold most above a share, until need bytes come back. It reports false, and ends none,
// where the newcomer's own caller would hold most before that, or, where there are no shares, where all calls together hold too much.
func (b *byteShares) makeRoom(newcomer *accountedCall, need int64) bool {
	chosen, mayStay := b.choose(newcomer, need)
	for _, call := range chosen {
		call.end()
	}
	return mayStay
}

// choose returns the calls to end for a newcomer, so that need bytes come back, and has them count as ending. mayStay is false as makeRoom
// describes; no call is chosen then.
func (b *byteShares) choose(newcomer *accountedCall, need int64) (chosen []*accountedCall, mayStay bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	above, total, ending := b.aboveShares(newcomer)
	if b.share <= 0 || b.share >= 1 {
		return nil, total <= b.ledger.Config().Limit
	}
	for need -= ending; need > 0; {
		greediest, most := highest(above)
		if most <= 0 {
			break // nobody holds more than a share
		}
		if greediest == newcomer.caller {
			for _, call := range chosen {
				call.ending = false // what it would give back is not needed
			}
			return nil, false
		}
		largest, size := b.largest(greediest)
		if largest == nil {
			break
		}
		largest.ending = true
		chosen = append(chosen, largest)
		need -= size
		above[greediest] -= float64(size)
	}
	return chosen, true
}

// aboveShares returns how many bytes each caller holds above a share, the newcomer's caller included. It also returns the bytes of all
// calls, and the bytes of the calls that are ending, which count for no caller. The lock is held.
func (b *byteShares) aboveShares(newcomer *accountedCall) (above map[string]float64, total, ending int64) {
	share := float64(b.ledger.Config().Limit) * b.share
	above = map[string]float64{newcomer.caller: -share * newcomer.weight}
	for account, call := range b.calls {
		held := account.Held()
		total += held
		if call.ending {
			ending += held
			continue
		}
		if _, known := above[call.caller]; !known {
			above[call.caller] = -share * call.weight
		}
		above[call.caller] += float64(held)
	}
	return above, total, ending
}

// highest returns the caller with the highest number above 0, and the number; 0 = there is none.
func highest(numbers map[string]float64) (caller string, most float64) {
	for each, n := range numbers {
		if n > most {
			caller, most = each, n
		}
	}
	return caller, most
}

// largest returns the call of a caller that holds most, except calls that are ending; the lock is held.
func (b *byteShares) largest(caller string) (largest *accountedCall, size int64) {
	size = -1
	for account, call := range b.calls {
		if held := account.Held(); call.caller == caller && !call.ending && held > size {
			largest, size = call, held
		}
	}
	return largest, size
}
