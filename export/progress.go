package export

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	"github.com/parley-gateway/parley/export/internal/journal"
)

// RunState says what a run does at the moment.
type RunState string

// States of a run, in their order. A run that is refused, interrupted or fails ends, too.
const (
	StateListing    RunState = "listing" // until the gateway has listed the users
	StateReading    RunState = "reading"
	StateWriting    RunState = "writing" // files
	StatePublishing RunState = "publishing"
	StateEnded      RunState = "ended"
)

// States are all states.
func States() []RunState {
	return []RunState{StateListing, StateReading, StateWriting, StatePublishing, StateEnded}
}

// Progress is how far a run has come.
type Progress struct {
	State RunState
	// Users is how many users were read to their end, in this process or before; UsersTotal is 0 until the directory is listed.
	Users, UsersTotal int64
	// Open is how many users are being read.
	Open int
	// Events is how many this process has taken.
	Events int64
	// Waiting is why no event comes: the code of the last notice since the last checkpoint, or the reason of the error after which the exporter
	// calls again. GATEWAY_UNAVAILABLE says that the gateway gave no reason, or was not reached.
	Waiting string
	// GraphRequests is how many requests of Graph the gateway has made for the run; it is known when a stream ends.
	GraphRequests int64
	// Files, FileBytes and Rows, by dataset, count the files that are in their place, of this process or one before.
	Files     int
	FileBytes int64
	Rows      map[string]int64
}

type progress struct {
	mu  sync.Mutex
	now Progress
}

// Progress may be called while Run does.
func (e *Exporter) Progress() Progress {
	e.progress.mu.Lock()
	defer e.progress.mu.Unlock()
	now := e.progress.now
	now.Rows = maps.Clone(now.Rows)
	return now
}

func (p *progress) change(change func(now *Progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.now)
}

func (p *progress) addEvents(n int) { p.change(func(now *Progress) { now.Events += int64(n) }) }

func (p *progress) addUser() { p.change(func(now *Progress) { now.Users++ }) }

func (p *progress) setWaiting(code string) { p.change(func(now *Progress) { now.Waiting = code }) }

// setFailed notes the error after which a call is made again. Ends of streams and calls that were cancelled are no failures.
func (p *progress) setFailed(err error) {
	reason := parleyclient.ErrorInfo(err).GetReason()
	switch {
	case errors.Is(err, io.EOF) || reason == "STREAM_ENDED" || status.Code(err) == codes.Canceled:
	default:
		p.setWaiting(cmp.Or(reason, "GATEWAY_UNAVAILABLE"))
	}
}

func (p *progress) setCheckpoint(checkpoint *parleyv1.TenantCheckpoint) {
	p.change(func(now *Progress) {
		if now.State == StateListing {
			now.State = StateReading
		}
		now.Users, now.UsersTotal = checkpoint.GetUsersFinished(), checkpoint.GetUsersTotal()
		now.Open, now.Waiting = len(checkpoint.GetUsers()), ""
	})
}

func (p *progress) setState(state RunState) { p.change(func(now *Progress) { now.State = state }) }

// setCommitted takes over the counts of the journal.
func (p *progress) setCommitted(state *journal.State) {
	bytes := int64(0)
	for _, file := range state.Files {
		bytes += file.Bytes
	}
	rows := maps.Clone(state.Rows)
	p.change(func(now *Progress) {
		now.GraphRequests, now.Files, now.FileBytes, now.Rows = state.GraphRequests, len(state.Files), bytes, rows
	})
}
