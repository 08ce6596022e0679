package reload

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/wait"
)

// Looker has files to look at; *Value is one.
type Looker interface {
	// Look looks at the files now.
	Look()
}

// Watcher looks at files by a ticker, so that a change comes into force, and a mistake is told, although nobody uses what they hold.
// It is safe for concurrent use. A nil Watcher watches nothing.
type Watcher struct {
	interval time.Duration

	mu     sync.Mutex
	all    []Looker
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// NewWatcher returns a Watcher that looks once an interval after Start; 0 = DefaultInterval.
func NewWatcher(interval time.Duration) *Watcher {
	return &Watcher{interval: cmp.Or(max(interval, 0), DefaultInterval)}
}

// Add has the Watcher look at further files.
func (w *Watcher) Add(files Looker) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, files)
}

// Look looks at all files now.
func (w *Watcher) Look() {
	if w == nil {
		return
	}
	w.mu.Lock()
	all := slices.Clone(w.all)
	w.mu.Unlock()
	for _, files := range all {
		files.Look()
	}
}

// Start begins to look by a ticker, until Close. It is called once.
func (w *Watcher) Start() {
	if w == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.mu.Lock()
	w.cancel = cancel
	w.mu.Unlock()
	w.done.Go(func() { wait.Every(ctx, w.interval, w.Look) })
}

// Close ends what Start began, and waits for it.
func (w *Watcher) Close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	cancel := w.cancel
	w.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	w.done.Wait()
}
