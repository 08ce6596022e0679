package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"go.opentelemetry.io/otel"

	"github.com/parley-gateway/parley"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/internal/tracing"
)

type serveVerb struct {
	config.Loaded `embed:""`
}

// Run serves until ctx ends, then drains.
func (v *serveVerb) Run(ctx context.Context, to streams) error {
	if err := v.Check(); err != nil {
		return usageError{withGateway(&v.Loaded, err)}
	}
	hangups, ignore := onHangup()
	defer ignore()
	logger, release := newLogger(&v.Settings, to.err)
	defer release()
	defer redirectStdLog(logger)()
	own := parley.Config{Logger: logger}
	endTracing, err := traceTo(ctx, &own)
	if err != nil {
		return usageError{err}
	}
	defer endTracing()
	running, err := start(ctx, &v.Settings, own)
	if err != nil {
		return err
	}
	at := running.Addrs()
	metrics := ""
	if at.Metrics != "" {
		metrics = " (metrics and probes alone: http://" + at.Metrics + ")"
	}
	if _, err := fmt.Fprintf(to.out, "parley %s is ready: gRPC %s, REST http://%s, admin http://%s%s\n", Version(), at.GRPC, at.HTTP, at.Admin, metrics); err != nil {
		return errors.Join(err, stop(running))
	}
	return serveUntil(ctx, running, hangups)
}

// traceTo sets the receiver of spans in own, where the environment names one. The function end sends the last spans.
func traceTo(ctx context.Context, own *parley.Config) (end func(), err error) {
	provider, err := tracing.FromEnvironment(ctx, os.Getenv, Version())
	if err != nil || provider == nil {
		return func() {}, err
	}
	log := own.Logger
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("spans could not be sent", "type", fmt.Sprintf("%T", err)) // its text may quote the receiver's answer
	}))
	own.TracerProvider = provider
	return func() {
		if err := provider.Close(); err != nil {
			log.Warn("the last spans could not be sent", "type", fmt.Sprintf("%T", err))
		}
	}, nil
}

// start starts the gateway of a process that is a gateway and nothing else. So it also sets the memory limit of the process and has the
// gateway tune the garbage collector, unless the environment sets them. In own stand the parts that no setting describes.
func start(ctx context.Context, settings *config.Settings, own parley.Config) (*parley.Gateway, error) {
	limitMemory(own.Logger)
	own.Version, own.Revision = Version(), Revision()
	if os.Getenv("GOGC") == "" {
		own.SetGCPercent = debug.SetGCPercent
	}
	running, err := settings.NewGateway(own)
	if err != nil {
		return nil, asUsage(err)
	}
	if err := running.Start(ctx); err != nil {
		return nil, asUsage(settings.Translate(err))
	}
	return running, nil
}

// limitMemory sets the runtime's memory limit to nine tenths of what the process's cgroup may take, or the machine has,
// unless GOMEMLIMIT or AUTOMEMLIMIT says otherwise.
func limitMemory(log *slog.Logger) {
	_, err := memlimit.Set(memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	if err != nil {
		log.Warn("the memory limit is unknown: set GOMEMLIMIT to nine tenths of what the process may take", slog.Any("error", err))
	}
}

// onHangup catches SIGHUP, which would end the process, until ignore is called. Several that come at once are one.
func onHangup() (hangups <-chan os.Signal, ignore func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	return signals, func() { signal.Stop(signals) }
}

// serveUntil serves until ctx ends or a listener fails, then drains. A hangup has the files of the configuration read again.
func serveUntil(ctx context.Context, running *parley.Gateway, hangups <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return stop(running)
		case err := <-running.Failed():
			return errors.Join(err, stop(running))
		case <-hangups:
			running.Reload()
		}
	}
}

// stop closes the gateway. The context that it served under has ended, so a setting bounds the time that open calls have left.
func stop(running *parley.Gateway) error { return running.Close(context.Background()) }
