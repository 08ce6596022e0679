package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// Close stops the server in order: health says NOT_SERVING and /readyz 503; for Config.DrainDelay everything is served, and answers over
// REST ask for another connection. Then connections over gRPC are told to go (GOAWAY), open streams end with STREAM_ENDED and their resume
// token, new ones are refused, running calls may end, and the listeners close. Calls that still come are served where there was a delay, and
// refused where there was none. What still runs when ctx ends (or
// Config.DrainTime after the delay, if ctx has no deadline) is broken off. Close waits for every goroutine of the server; later calls return
// the first one's result.
func (s *Server) Close(ctx context.Context) error {
	s.stop.Do(func() {
		s.announce(ctx)
		if _, bounded := ctx.Deadline(); !bounded {
			bound, cancel := context.WithTimeout(ctx, s.cfg.DrainTime)
			defer cancel()
			s.stopped = s.close(bound)
			return
		}
		s.stopped = s.close(ctx)
	})
	return s.stopped
}

// announce says that the server stops, and serves on for a while so that balancers notice. A server that never served says nothing.
func (s *Server) announce(ctx context.Context) {
	served := s.ready.Swap(false)
	if s.unfollow != nil {
		s.unfollow()
	}
	s.health.Shutdown()
	if !served {
		return
	}
	s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "stopping", slog.Duration("delay", s.cfg.DrainDelay))
	if s.cfg.DrainDelay <= 0 {
		return
	}
	timer := time.NewTimer(s.cfg.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *Server) close(ctx context.Context) error {
	var both sync.WaitGroup
	// Connections learn first that they are to go: a call that comes before its client knows is served.
	both.Go(func() { stopGRPC(ctx, s.public) })
	s.web.SetKeepAlivesEnabled(false)
	s.shutdown.Begin()
	// While streams end, REST still answers, so that balancers see the new state.
	s.limits.Idle(ctx)
	var errWeb error
	both.Go(func() {
		errWeb = stopHTTP(ctx, s.web)
		// Waits for the requests, which hold this lock for reading: one that was broken off finds its context ended, and returns.
		s.requests.Lock()
		defer s.requests.Unlock()
	})
	both.Wait()
	s.handlers.Wait()

	errAdmin := errors.Join(stopHTTP(ctx, s.admin), stopHTTP(ctx, s.metricsServer))
	s.diag.Stop()
	errTasks := s.tasks.Wait()
	// Before Start nobody serves, so nobody closed them.
	s.closeListeners()
	return errors.Join(errWeb, errAdmin, errTasks)
}

// stopGRPC waits for running calls until ctx ends.
func stopGRPC(ctx context.Context, server *grpc.Server) {
	unhook := context.AfterFunc(ctx, server.Stop)
	defer unhook()
	server.GracefulStop()
}

// stopHTTP waits for running requests until ctx ends, then closes their connections; that is no error.
func stopHTTP(ctx context.Context, server *http.Server) error {
	err := server.Shutdown(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return server.Close()
	}
	return errors.Join(err, server.Close())
}
