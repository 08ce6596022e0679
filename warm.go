package parley

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphclient"
)

const warmTime = time.Minute

// warmer fetches the first token while the listeners already stand, so that the first caller does not wait for a login
// and a credential that fails is seen at once in the log and in parley_credential_ok.
type warmer struct {
	graph  *graphclient.Client
	log    *slog.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newWarmer(graph *graphclient.Client, log *slog.Logger) *warmer {
	return &warmer{graph: graph, log: log}
}

func (w *warmer) start() {
	ctx, cancel := context.WithTimeout(context.Background(), warmTime)
	w.cancel = cancel
	w.done.Go(func() {
		if err := w.graph.Login(ctx); err != nil && ctx.Err() == nil {
			w.log.LogAttrs(ctx, slog.LevelError, "the first token could not be fetched; calls will try again", slog.Any("error", err))
		}
	})
}

func (w *warmer) stop() {
	if w.cancel != nil {
		w.cancel()
	}
	w.done.Wait()
}
