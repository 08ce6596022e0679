package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/internal/config"
)

// drain is how long open calls may go on after a stop was asked for.
const drain = 20 * time.Second

type serveVerb struct {
	config.Sourced `embed:""`
}

// Run serves until ctx ends, then drains.
func (v *serveVerb) Run(ctx context.Context, to streams) error {
	if err := v.Check(); err != nil {
		return usageError{problems(&v.Sourced, parley.Check)}
	}
	logger, release := newLogger(&v.Settings, to.err)
	defer release()
	defer muffle(logger)()
	parley.LimitMemory(logger)
	running, err := parley.New(v.Settings, logger, Version())
	if err != nil {
		return asUsage(err)
	}
	running.OwnsProcess()
	if err := running.Start(ctx); err != nil {
		return asUsage(err)
	}
	if _, err := fmt.Fprintf(to.out, "parley %s is ready: gRPC %s, REST http://%s, admin http://%s\n",
		Version(), running.GRPCAddr(), running.HTTPAddr(), running.AdminAddr()); err != nil {
		return errors.Join(err, stop(running))
	}
	return serveUntil(ctx, running)
}

// serveUntil serves until ctx ends or a listener fails, then drains.
func serveUntil(ctx context.Context, running *parley.Gateway) error {
	select {
	case <-ctx.Done():
		return stop(running)
	case err := <-running.Failed():
		return errors.Join(err, stop(running))
	}
}

// stop closes the gateway under a context of its own: the one it served under has ended.
func stop(running *parley.Gateway) error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return running.Close(ctx)
}
