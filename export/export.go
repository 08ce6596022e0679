package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/frames"
	"github.com/parley-gateway/parley/export/internal/journal"
	"github.com/parley-gateway/parley/export/internal/store"
)

// How a run ends without being done. Each says what to do next.
var (
	// ErrIncomplete says that something is missing that the same command, run again, may bring.
	ErrIncomplete = errors.New("the export is incomplete: run the same command again, it reads what is missing")
	// ErrRefused says that the gateway refuses what was asked for, or that refusals are not accepted.
	ErrRefused = errors.New("refused")
	// ErrRefusals is the ErrRefused of a run in which users are refused for reasons that last, while Options.Strict does not accept that.
	ErrRefusals = fmt.Errorf("%w: some users are refused for reasons that last, and --strict does not accept that", ErrRefused)
	// ErrInterrupted says that the run was stopped; the state folder has everything up to there.
	ErrInterrupted = errors.New("interrupted: run the same command again, it goes on from the state folder")
	// ErrMismatch says that the state folder is of the same run at another place or of another gateway. The error has a line for each.
	ErrMismatch = errors.New("the state folder is of another export")
)

// Exporter is one run of an export. It is for one goroutine, but for Progress.
type Exporter struct {
	options  Options
	name     string
	conn     grpc.ClientConnInterface
	clients  clients // of conn, for all calls but the stream over the tenant
	journal  *journal.Journal
	store    *store.Store
	progress progress
	seen     seenEvents
	batch    []frames.Event                   // memory of journalEvents, used again for each batch
	kept     [][]byte                         // memory of journalEvents, too
	reader   *dataset.Reader                  // of the parts of turns
	summary  *parleyv1.TenantSummary          // of the leg that is being read; nil until it ends
	last     map[string]*parleyv1.UserSummary // by lastSummaries; nil until all users are read
}

type clients struct {
	users         parleyv1.UserServiceClient
	conversations parleyv1.ConversationServiceClient
	usage         parleyv1.CopilotUsageServiceClient
}

// New returns an exporter that reads over a channel. Options with zero fields have their defaults.
func New(conn grpc.ClientConnInterface, options Options) *Exporter {
	name := options.Run()
	options = options.withDefaults()
	options.UserIDs = shardIDs(options.UserIDs, options.Shard, options.Shards)
	return &Exporter{
		options: options,
		name:    name,
		conn:    conn,
		reader:  dataset.NewReader(name),
		clients: clients{
			users:         parleyv1.NewUserServiceClient(conn),
			conversations: parleyv1.NewConversationServiceClient(conn), usage: parleyv1.NewCopilotUsageServiceClient(conn),
		},
	}
}

// Name returns the name of the run.
func (e *Exporter) Name() string { return e.name }

// Run exports until everything is read that can be read, or ctx ends. The error is nil for a run that is complete. It wraps ErrIncomplete,
// ErrRefused, ErrInterrupted or ErrMismatch; any other error is that of the state folder, of the place of the export, or of Options.Stream.Token.
func (e *Exporter) Run(ctx context.Context) (result Result, err error) {
	e.store, err = store.Open(ctx, e.options.Out)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, e.store.Close()) }()
	e.journal, err = journal.Open(e.stateFolder(), e.name, e.options.Now())
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, e.journal.Close()) }()
	defer e.progress.setState(StateEnded)
	if err := e.checkState(); err != nil {
		return Result{}, err
	}
	e.progress.setCommitted(&e.journal.State)
	if err := e.store.Clean(e.shardName()); err != nil {
		return Result{}, err
	}
	call := ctx
	if e.options.Reason != "" {
		call = metadata.AppendToOutgoingContext(ctx, "parley-reason", e.options.Reason)
	}
	err = e.runSteps(call)
	if err != nil && ctx.Err() != nil {
		return Result{}, interruption(ctx, err)
	}
	if _, published := errors.AsType[*missingDatasetsError](err); err != nil && !published {
		return Result{}, err
	}
	result, outcome := e.result(ctx)
	if err != nil && errors.Is(outcome, ErrIncomplete) {
		return result, err // says what is missing, which the outcome does not
	}
	return result, outcome
}

// interruption returns an error, or the one of a run that was stopped if ctx has ended.
func interruption(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", ErrInterrupted, err)
}

// shardName begins the names of the files and folders of this shard.
func (e *Exporter) shardName() string { return e.name + "-" + strconv.Itoa(e.options.Shard) }

// missingDatasetsError is the error of a run that is published without some of the datasets that are read beside the events.
type missingDatasetsError struct {
	names []string
	cause error // of the first dataset
}

// Error is the error of the first dataset.
func (e *missingDatasetsError) Error() string { return e.cause.Error() }

// Unwrap returns the error of the first dataset.
func (e *missingDatasetsError) Unwrap() error { return e.cause }

// runSteps reads, writes files and publishes, from the step on that the state has reached. After a *missingDatasetsError the run is published;
// after any other error it is not.
func (e *Exporter) runSteps(ctx context.Context) error {
	state := &e.journal.State
	if state.Published && state.Outcome == incomplete {
		if err := e.nextRound(); err != nil {
			return err
		}
	}
	if !state.Read {
		e.progress.setState(StateListing)
		if err := e.readWithRestart(ctx); err != nil {
			return classify(err)
		}
	}
	var unfinished error
	var missing []string
	if !state.Finished {
		e.progress.setState(StateWriting)
		unfinished = classify(e.finishFiles(ctx))
		without, publishable := errors.AsType[*missingDatasetsError](unfinished)
		if unfinished != nil && (!publishable || ctx.Err() != nil) {
			return unfinished
		}
		if publishable {
			missing = without.names
		}
	}
	e.progress.setState(StatePublishing)
	if !state.Published {
		if err := e.publish(ctx, missing); err != nil {
			return err
		}
	}
	if unfinished == nil && state.Outcome != incomplete {
		return e.journal.Empty() // nothing of it is needed any more, and it names users
	}
	return unfinished
}

// readWithRestart reads all legs. If the gateway refuses the token of the state folder, it reads them once more from the beginning.
func (e *Exporter) readWithRestart(ctx context.Context) error {
	resumed := e.journal.State.Token != ""
	err := e.readLegs(ctx)
	if reason := parleyclient.ErrorInfo(err).GetReason(); resumed && (reason == "TOKEN_REFUSED" || reason == "TOKEN_VERSION") {
		if err := e.journal.Reset(e.options.Now()); err != nil {
			return err
		}
		return e.readLegs(ctx)
	}
	return err
}

// nextRound begins a round of the users who are incomplete. If these are not all who lack something, the run begins anew.
func (e *Exporter) nextRound() error {
	state := &e.journal.State
	if state.Doubtful() {
		return e.journal.Reset(e.options.Now())
	}
	summaries := 0
	last := map[string]parleyv1.UserState{}
	for user, err := range e.journal.UserSummaries() {
		if err != nil {
			return err
		}
		last[user.GetUser()] = user.GetState()
		summaries++
	}
	var ids []string
	for user, state := range last {
		if state == parleyv1.UserState_USER_STATE_INCOMPLETE {
			ids = append(ids, user)
		}
	}
	slices.Sort(ids)
	if err := e.journal.SaveLegs(state.Round+1, legsOf(ids)); err != nil {
		return err
	}
	state.Round++
	state.Leg, state.Token, state.RoundStart = 0, "", summaries
	state.Read, state.Finished, state.Published = false, false, false
	return e.journal.Commit()
}

// legs returns the legs of the present round. Those of the first round are made of the options, and saved.
func (e *Exporter) legs() ([][]string, error) {
	state := &e.journal.State
	if state.RoundStart < 0 {
		legs := [][]string{nil}
		if e.options.UserIDs != nil {
			legs = legsOf(e.options.UserIDs)
		}
		if err := e.journal.SaveLegs(0, legs); err != nil {
			return nil, err
		}
		state.RoundStart = 0
		return legs, e.journal.Commit()
	}
	return e.journal.Legs(state.Round)
}

// maxRequestIDs is how many users a request may name.
const maxRequestIDs = 1000

// legsOf returns legs of as many ids as a request may name.
func legsOf(ids []string) [][]string { return slices.Collect(slices.Chunk(ids, maxRequestIDs)) }

// classify wraps an error of the gateway in ErrIncomplete if another run may help, and in ErrRefused if none does.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, parleyclient.ErrCut) {
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	if _, ok := errors.AsType[*store.Error](err); ok {
		return err
	}
	var remote interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &remote) {
		return err
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition, codes.NotFound, codes.Unimplemented, codes.OutOfRange:
		return fmt.Errorf("%w by the gateway: %w", ErrRefused, err)
	default:
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
}
