// Package timeline turns a query over Graph's unordered and repeating pages into ordered events with checkpoints, and says what is
// complete. It knows neither gRPC nor HTTP.
//
// A walk is one pass over an interval: the first call, and all calls that go on from its tokens. A call passes these packages:
//
//   - query holds the request.
//   - merge opens or resumes the walk. One reader for each source keeps its progress, and the merger delivers the next event of all
//     sources in one total order.
//   - window splits the interval of a source into windows on a UTC grid.
//   - fetch reads a window to its last page, removes repeated rows, sorts the rest and trims it to the window. Its result is a chunk:
//     encoded events with an index (package chunk).
//   - participants and filter leave out the events that do not belong into the answer; seen skips the versions that were delivered.
//   - frame divides the events into the page of a List (list.go) or the frames of a stream (stream.go).
//   - cursor seals the position of each source in a token, from which merge resumes.
//
// A stream over the users of a tenant is one walk for each user, and a token that holds the positions of a few of them: tenant.go begins it,
// tenantlist.go finds the users, tenantstream.go reads many of them at a time and sends what they have, tenantuser.go reads one of them, and
// tenantahead.go reads first windows of users whose turn is to come. Package tenant says how a user ended, and which events were sent before.
//
// Conversations, usage rows and users are not read by windows: each list is a single chain of pages, with tokens of the same kind
// (package pager).
package timeline

import (
	"cmp"
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/pager"
	"github.com/parley-gateway/parley/timeline/participants"
	"github.com/parley-gateway/parley/timeline/query"
)

// Config describes an Engine. Zero fields take the defaults.
type Config struct {
	// Sealer seals tokens; nil = a random key that dies with the process.
	Sealer seal.Sealer
	// Settle is how long after an event its row may still appear; default Copilot 1 h, chat 15 min, calls 36 h.
	Settle map[parleyv1.Source]time.Duration
	// CallsKept is how long Graph keeps call records; default 30 days.
	CallsKept time.Duration
	// WindowsAtOnce is how many windows per source a stream reads at a time; default 16. A List reads two at most.
	WindowsAtOnce int
	// Ledger bounds the bytes that are read ahead, by each stream and by all; nil = a ledger with the default bounds. A
	// stream's account is that of its context, or a new one.
	Ledger *ledger.Ledger
	// MaxPages ends a window that does not end by itself; default 10000.
	MaxPages int
	// Heartbeat is the longest time between two checkpoints of a stream; default 15 s.
	Heartbeat time.Duration
	// ListTime bounds a List whose context has no deadline; default 20 s.
	ListTime time.Duration
}

// Engine answers List and Stream calls, and is safe for concurrent use. Between calls it holds what it found out about Graph and, for a
// minute, the first windows that a stream over many users has read ahead (tenantahead.go).
type Engine struct {
	*pager.Lister // conversations, usage and users

	cfg   Config
	merge merge.Config
	ahead aheadStore
}

// New completes the configuration and returns an Engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Sealer == nil {
		random, err := seal.Random()
		if err != nil {
			return nil, err
		}
		cfg.Sealer = random
	}
	cfg.Settle = source.Settle(cfg.Settle)
	cfg.CallsKept = cmp.Or(max(cfg.CallsKept, 0), 30*24*time.Hour)
	cfg.WindowsAtOnce = cmp.Or(max(cfg.WindowsAtOnce, 0), 16)
	if cfg.Ledger == nil {
		cfg.Ledger = ledger.New(ledger.Config{Limit: defaultLedgerBytes, Each: defaultStreamBytes})
	}
	cfg.MaxPages = cmp.Or(max(cfg.MaxPages, 0), 10000)
	cfg.Heartbeat = cmp.Or(max(cfg.Heartbeat, 0), 15*time.Second)
	cfg.ListTime = cmp.Or(max(cfg.ListTime, 0), 20*time.Second)
	e := &Engine{cfg: cfg, merge: merge.Config{
		Sealer: cfg.Sealer, Settle: cfg.Settle, CallsKept: cfg.CallsKept, MaxPages: cfg.MaxPages,
		WindowBytes: fetch.WindowBytes(cfg.Ledger.Config()), Canaries: participants.NewCanaries(),
	}}
	e.Lister = pager.New(pager.Config{
		Sealer: cfg.Sealer, MaxPages: cfg.MaxPages, Heartbeat: cfg.Heartbeat, ListTime: cfg.ListTime, Derive: e.derive,
	})
	return e, nil
}

// Default bounds of the bytes that are read ahead, by all streams and by each.
const (
	defaultLedgerBytes = 1 << 30
	defaultStreamBytes = 14 << 20
	usualStreamRows    = 9000 // rows of the usual size that fit into defaultStreamBytes
)

// account returns the account of a stream's context, or a new one.
func (e *Engine) account(ctx context.Context) (_ *ledger.Account, release func()) {
	if account := ledger.From(ctx); account != nil {
		return account, func() {}
	}
	account := e.cfg.Ledger.Open(0)
	return account, account.Close
}

// Finished reports whether a token is that of a stream's summary: the stream had nothing more to send. What its summary called
// missing is still missing. A token that does not open is not finished.
func (e *Engine) Finished(sources query.Sources, req query.Events, token string) bool {
	resolved, err := req.Resolve(sources)
	if err != nil {
		return false
	}
	position, err := cursor.OpenEvents(e.cfg.Sealer, token, resolved.Digest[:])
	return err == nil && position.Finished
}
