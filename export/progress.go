package export

import (
	"sync"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Progress is how far a run has come.
type Progress struct {
	// Users are those that were read to their end, in this process or before; UsersTotal is 0 until the directory is listed.
	Users, UsersTotal int64
	// Open is how many users are being read.
	Open int
	// Events is how many this process has taken.
	Events int64
	// Waiting is the code of the last notice of the gateway since the last checkpoint.
	Waiting string
}

type progress struct {
	mu  sync.Mutex
	now Progress
}

// Progress may be called while Run does.
func (e *Exporter) Progress() Progress {
	e.progress.mu.Lock()
	defer e.progress.mu.Unlock()
	return e.progress.now
}

func (p *progress) change(change func(now *Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.now)
}

func (p *progress) events(n int) { p.change(func(now *Progress) { now.Events += int64(n) }) }

func (p *progress) user() { p.change(func(now *Progress) { now.Users++ }) }

func (p *progress) waits(code string) { p.change(func(now *Progress) { now.Waiting = code }) }

func (p *progress) reached(checkpoint *parleyv1.TenantCheckpoint) {
	p.change(func(now *Progress) {
		now.Users, now.UsersTotal = checkpoint.GetUsersFinished(), checkpoint.GetUsersTotal()
		now.Open, now.Waiting = len(checkpoint.GetUsers()), ""
	})
}
