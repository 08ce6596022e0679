package server

import (
	"context"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/ledger"
)

// bytesHeld divides the bytes that streams hold between callers, as places are: who is alone may hold all, and when another one
// finds no room, the largest stream of whoever holds most above a share ends.
type bytesHeld struct {
	ledger *ledger.Ledger
	share  float64 // 0 or less, or 1 or more = nobody makes room

	mu   sync.Mutex
	open map[*ledger.Account]holding
}

// holding is one stream.
type holding struct {
	caller string
	weight float64
	out    *outside
}

// roomEvery is how often room is looked for while a stream waits to be admitted.
const roomEvery = 100 * time.Millisecond

// admit opens the account of a stream; nil = there was no room for a second. It waits, since those who leave are not noticed at
// once, and those who read ahead make room.
func (b *bytesHeld) admit(ctx context.Context, h holding) *ledger.Account {
	ctx, cancel := context.WithTimeout(ctx, admissionWait)
	defer cancel()
	for ctx.Err() == nil {
		wait, stop := context.WithTimeout(ctx, roomEvery)
		account := b.ledger.Admit(wait)
		stop()
		if account != nil {
			b.enter(account, h)
			return account
		}
		b.makeRoom(h)
	}
	return nil
}

func (b *bytesHeld) enter(account *ledger.Account, h holding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[account] = h
}

// leave closes the account of a stream.
func (b *bytesHeld) leave(account *ledger.Account) {
	b.mu.Lock()
	delete(b.open, account)
	b.mu.Unlock()
	account.Close()
}

// makeRoom ends the largest stream of the caller who holds most above a share, unless the one who comes does.
func (b *bytesHeld) makeRoom(comes holding) {
	if b.share <= 0 || b.share >= 1 {
		return
	}
	share := float64(b.ledger.Config().Limit) * b.share
	b.mu.Lock()
	over := map[string]float64{comes.caller: 0}
	for account, h := range b.open {
		over[h.caller] += float64(account.Held())
	}
	weights := map[string]float64{comes.caller: comes.weight}
	for _, h := range b.open {
		weights[h.caller] = h.weight
	}
	greediest, most := "", 0.0
	for caller, held := range over {
		if above := held - share*weights[caller]; above > most {
			greediest, most = caller, above
		}
	}
	var largest *outside
	size := int64(-1)
	for account, h := range b.open {
		if held := account.Held(); h.caller == greediest && held > size {
			largest, size = h.out, held
		}
	}
	b.mu.Unlock()
	if largest != nil && greediest != comes.caller && most > 0 {
		largest.end(errShare())
	}
}
