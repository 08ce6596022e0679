package parley

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphclient"
)

// loginTime bounds the fetching of a tenant's first token.
const loginTime = time.Minute

// firstToken fetches a tenant's first token while the listeners already serve, so that the first caller does not wait for it, and a
// credential that fails is seen at once in the log and in parley_credential_ok.
type firstToken struct {
	graph  *graphclient.Client
	log    *slog.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newFirstToken(graph *graphclient.Client, log *slog.Logger) *firstToken {
	return &firstToken{graph: graph, log: log}
}

func (l *firstToken) start() {
	ctx, cancel := context.WithTimeout(context.Background(), loginTime)
	l.cancel = cancel
	l.done.Go(func() {
		if err := l.graph.Login(ctx); err != nil && ctx.Err() == nil {
			l.log.LogAttrs(ctx, slog.LevelError, "the first token could not be fetched; calls will try again", slog.Any("error", err))
		}
	})
}

func (l *firstToken) stop() {
	if l.cancel != nil {
		l.cancel()
	}
	l.done.Wait()
}
