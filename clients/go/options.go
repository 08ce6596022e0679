package parleyclient

import (
	"cmp"
	"context"
	"errors"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// ErrCut is the error of a stream whose connection failed more often in a row than Options.Retries allows. The stream is not
// complete: go on with its resume token.
var ErrCut = errors.New("parley: the stream was cut")

// Options say how a stream is read; the zero value is ready to use.
type Options struct {
	// Token returns the access token of the next connection. If the gateway has refused the one before, refused is that token, and a
	// cache must not answer with it again. Its error ends the stream, and nothing else bounds its time. Nil sends none. The channel must use
	// TLS wherever others could listen.
	Token func(ctx context.Context, refused string) (string, error)

	// OnNotice is called for each notice, in its place between the items. May be nil.
	OnNotice func(notice *parleyv1.Notice)

	// OnCheckpoint is called for each checkpoint when the program is done with every item before it. The token may be kept now: another
	// run goes on there. An error ends the stream. May be nil.
	OnCheckpoint func(ctx context.Context, checkpoint *parleyv1.Checkpoint) error

	// Retries is how often in a row a call may fail before its error ends the stream. 0 = 10, negative = never tried again. Planned
	// ends are no failures, and a delivered item begins the count anew.
	Retries int

	// Memory is how many uids are remembered to drop events that come twice, about 150 bytes each. 0 = 65,536, negative = none is dropped.
	Memory int

	// Backoff is the wait after a first failure that names none; it doubles up to 30 s. 0 = 500 ms.
	Backoff time.Duration

	// MaxWait is the longest delay of a RetryInfo that is waited for. 0 = 10 minutes.
	MaxWait time.Duration

	// Idle is how long a connection may be silent before it counts as cut; the gateway sends a checkpoint every 15 s. 0 = 60 s.
	Idle time.Duration
}

const maxBackoff = 30 * time.Second

func (o Options) withDefaults() Options {
	o.Retries = max(0, cmp.Or(o.Retries, 10))
	o.Memory = max(0, cmp.Or(o.Memory, 1<<16))
	o.Backoff = cmp.Or(o.Backoff, 500*time.Millisecond)
	o.MaxWait = cmp.Or(o.MaxWait, 10*time.Minute)
	o.Idle = cmp.Or(o.Idle, time.Minute)
	return o
}
