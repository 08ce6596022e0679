package export

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/journal"
	"github.com/parley-gateway/parley/export/internal/store"
)

// Result says how a run ended.
type Result struct {
	Run string
	// Manifest is where it is, below Out; empty while other shards of the run are to come.
	Manifest string
	Outcome  string
	Counts   Counts
	Files    int
	Refusals []Failures
	Failures []Failures
}

func manifestFile(run string) string { return runFolder(run) + "manifest.json" }

func successFile(run string) string { return runFolder(run) + "_SUCCESS" }

func runFolder(run string) string { return "_runs/" + run + "/" }

func shardFile(run string, shard, shards int) string {
	return fmt.Sprintf("%sshards/%d-of-%d", runFolder(run), shard, shards)
}

// publish removes the files that are none of the run, and writes the shard's manifest and the lines of its users. missing names the datasets
// that the run has no files of.
func (e *Exporter) publish(ctx context.Context, missing []string) error {
	if err := e.unpublish(ctx); err != nil {
		return err
	}
	if err := e.removeOrphans(ctx); err != nil {
		return err
	}
	lines := filepath.Join(e.journal.Scratch(), "users")
	total, err := e.writeUserLines(lines)
	if err != nil {
		return err
	}
	state := &e.journal.State
	state.EndedAt = e.options.Now().UTC()
	manifest := e.manifest(total, missing)
	name := shardFile(e.name, e.options.Shard, e.options.Shards)
	if err := errors.Join(e.store.PutFile(ctx, e.shardName(), name+".users.ndjson", lines), os.Remove(lines)); err != nil {
		return err
	}
	if err := putJSON(ctx, e.store, e.shardName(), name+".json", manifest); err != nil {
		return err
	}
	state.Outcome, state.Published = manifest.Outcome, true
	return e.journal.Commit()
}

// unpublish removes what a lost state of this run has published, _SUCCESS first. The run is read anew and replaces the files of that state,
// so nothing may say any more that they are whole, and no other shard may merge this one before it is published again.
func (e *Exporter) unpublish(ctx context.Context) error {
	if e.journal.State.Unpublished {
		return nil
	}
	there, err := e.store.List(ctx, runFolder(e.name))
	if err != nil {
		return err
	}
	for _, name := range []string{successFile(e.name), shardFile(e.name, e.options.Shard, e.options.Shards) + ".json", manifestFile(e.name)} {
		if !slices.Contains(there, name) {
			continue
		}
		if err := e.store.Delete(ctx, name); err != nil {
			return err
		}
	}
	e.journal.State.Unpublished = true
	return nil
}

// removeOrphans removes the files of this shard that are not in its state: a killed process has left them, or they were withdrawn.
func (e *Exporter) removeOrphans(ctx context.Context) error {
	for _, table := range dataset.Tables() {
		names, err := e.store.List(ctx, e.prefix(table.Name))
		if err != nil {
			return err
		}
		for _, name := range names {
			known := slices.ContainsFunc(e.journal.State.Files, func(f journal.File) bool { return f.Path == name })
			if known {
				continue
			}
			if err := e.store.Delete(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeUserLines writes a line for each user into a new file, and counts the users.
func (e *Exporter) writeUserLines(path string) (_ *tally, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewWriter(file)
	encoder := json.NewEncoder(lines)
	last, err := e.lastPositions()
	if err != nil {
		return nil, err
	}
	total := newTally()
	n := 0
	for user, err := range e.journal.UserSummaries() {
		if err != nil {
			return nil, err
		}
		if n++; last[user.GetUser()] != n {
			continue // a later round has read the user again
		}
		entry := entryOf(user)
		total.add(user, entry)
		if err := encoder.Encode(entry); err != nil {
			return nil, err
		}
	}
	return total, lines.Flush()
}

// lastPositions returns where in the summaries of the journal, counted from 1, the last one of each user is.
func (e *Exporter) lastPositions() (map[string]int, error) {
	last := map[string]int{}
	n := 0
	for user, err := range e.journal.UserSummaries() {
		if err != nil {
			return nil, err
		}
		n++
		last[user.GetUser()] = n
	}
	return last, nil
}

// manifest returns the manifest of the shard.
func (e *Exporter) manifest(total *tally, missing []string) *Manifest {
	o, state := e.options, &e.journal.State
	total.counts.Rows, total.counts.GraphRequests = state.Rows, state.GraphRequests
	m := &Manifest{
		SchemaVersion: dataset.SchemaVersion, Run: e.name, Outcome: total.outcome(state.Doubtful()), RunDate: o.runDate(),
		Start: o.Start.UTC().Format(time.RFC3339Nano), End: o.End.UTC().Format(time.RFC3339Nano),
		Selection: strings.ToLower(strings.TrimPrefix(o.Users.String(), "USER_SELECTION_")), Shard: &o.Shard, Shards: o.Shards,
		View: strings.TrimPrefix(o.View.String(), "EVENT_VIEW_"), Format: o.Format, Deduplicated: o.Deduplicate, Caller: o.Caller, Reason: o.Reason,
		StartedAt: state.StartedAt.Format(time.RFC3339), EndedAt: state.EndedAt.Format(time.RFC3339),
		Counts: total.counts, SettledUntil: state.SettledUntil, Coverage: total.coverage,
		Refusals: sortedFailures(total.refusals), Failures: sortedFailures(total.failures), Notices: state.Notices, Files: state.Files,
	}
	if len(missing) > 0 {
		m.Outcome = incomplete
		m.Notices = append(slices.Clone(m.Notices), journal.Notice{
			Code: "DATASETS_MISSING", Message: "Graph or the gateway did not give what these datasets are made of: " + strings.Join(missing, ", "),
		})
	}
	m.Complete = m.Outcome == complete
	if o.UserIDs != nil {
		m.Selection = "ids"
	}
	for _, source := range o.Sources {
		m.Sources = append(m.Sources, sourceName(source))
	}
	return m
}

// result ends the run if this shard is the last one. The error goes by the outcome of this shard: the other processes answer for theirs.
func (e *Exporter) result(ctx context.Context) (Result, error) {
	state := &e.journal.State
	result, err := finish(ctx, e.store, e.shardName(), e.name, e.options.Shards, e.options.Strict)
	if errors.Is(err, errShardMissing) {
		if err := e.checkPublished(ctx); err != nil {
			return Result{}, interruption(ctx, err)
		}
		result, err = Result{Run: e.name, Outcome: state.Outcome, Files: len(state.Files), Counts: Counts{Rows: state.Rows}}, nil
	}
	if err != nil {
		return Result{}, interruption(ctx, err)
	}
	return result, outcomeError(state.Outcome, e.options.Strict)
}

// checkPublished returns an error if the place of the export lacks the manifest of this shard, which the state has published.
func (e *Exporter) checkPublished(ctx context.Context) error {
	own := shardFile(e.name, e.options.Shard, e.options.Shards) + ".json"
	there, err := e.store.List(ctx, own)
	if err != nil || slices.Contains(there, own) {
		return err
	}
	return fmt.Errorf("%s is not in %s any more: remove the state folder %s to read the run anew", own,
		shownPlace(e.journal.State.Out, e.options.State), e.stateFolder())
}

// outcomeError returns the error of a run with an outcome; strict says that refusals are an error.
func outcomeError(outcome string, strict bool) error {
	switch {
	case outcome == incomplete:
		return ErrIncomplete
	case outcome == withRefusals && strict:
		return ErrRefusals
	default:
		return nil
	}
}

// Finish writes the manifest of a run whose shards were all published. It returns the errors that Run does, by the worst outcome of all
// shards. A run without any shard is refused, and one without some of them is incomplete.
func Finish(ctx context.Context, out, run string, strict bool) (_ Result, err error) {
	target, err := store.Open(ctx, out)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	names, err := target.List(ctx, runFolder(run)+"shards/")
	if err != nil {
		return Result{}, interruption(ctx, err)
	}
	for _, name := range names {
		var shard, shards int
		if _, err := fmt.Sscanf(strings.TrimPrefix(name, runFolder(run)+"shards/"), "%d-of-%d.json", &shard, &shards); err != nil {
			continue
		}
		result, err := finish(ctx, target, run+"-finish", run, shards, strict)
		if errors.Is(err, errShardMissing) {
			return Result{}, fmt.Errorf("%w (%w)", ErrIncomplete, err)
		}
		if err != nil {
			return Result{}, interruption(ctx, err)
		}
		return result, errors.Join(outcomeError(result.Outcome, strict), target.Clean(run+"-finish"))
	}
	return Result{}, fmt.Errorf("%w: no shard of the run %s is in %s", ErrRefused, run, out)
}

// errShardMissing says that not all shards of a run are published.
var errShardMissing = errors.New("a shard of the run is not published")

// finish merges the manifests of the shards into that of the run, and writes it with _SUCCESS or removes _SUCCESS. The error wraps
// errShardMissing while the manifest of a shard is missing. Shards may finish at once, each with what it has read of the others: after its
// writes each one reads again, so that the one that writes last has read what all have published.
func finish(ctx context.Context, target *store.Store, owner, run string, shards int, strict bool) (Result, error) {
	merged, err := mergeShards(ctx, target, run, shards)
	if err := errors.Join(err, merged.missing); err != nil {
		return Result{}, err
	}
	for {
		if err := putRun(ctx, target, owner, run, merged, strict); err != nil {
			return Result{}, err
		}
		next, err := mergeShards(ctx, target, run, shards)
		if err != nil {
			return Result{}, err
		}
		if next.sum == merged.sum {
			break
		}
		merged = next
	}
	if merged.missing != nil {
		return Result{}, merged.missing
	}
	all := merged.manifest
	return Result{
		Run: run, Manifest: manifestFile(run), Outcome: all.Outcome, Counts: all.Counts, Files: len(all.Files),
		Refusals: all.Refusals, Failures: all.Failures,
	}, target.Clean(owner)
}

// mergedShards is what the shards of a run have published.
type mergedShards struct {
	manifest *Manifest         // of the run; nil if a shard is missing
	missing  error             // wraps errShardMissing
	sum      [sha256.Size]byte // of the manifests of all shards
}

// mergeShards merges what the shards of a run have published.
func mergeShards(ctx context.Context, target *store.Store, run string, shards int) (mergedShards, error) {
	var all *Manifest
	sum := sha256.New()
	for shard := range shards {
		one := new(Manifest)
		err := getJSON(ctx, target, shardFile(run, shard, shards)+".json", one, sum)
		if errors.Is(err, fs.ErrNotExist) {
			return mergedShards{missing: fmt.Errorf("%w: %w", errShardMissing, err)}, nil
		}
		if err != nil {
			return mergedShards{}, err
		}
		if all == nil {
			all = one
			all.Outcome = worst(all.Outcome, complete)
			continue
		}
		all.merge(one)
	}
	all.Run, all.Shard, all.Shards = run, nil, shards
	all.Complete = all.Outcome == complete
	return mergedShards{manifest: all, sum: [sha256.Size]byte(sum.Sum(nil))}, nil
}

// putRun writes the manifest of a run, and then writes or removes _SUCCESS. Of a run without a shard, whose state was lost meanwhile, it removes both.
func putRun(ctx context.Context, target *store.Store, owner, run string, merged mergedShards, strict bool) error {
	if merged.missing != nil {
		return errors.Join(target.Delete(ctx, successFile(run)), target.Delete(ctx, manifestFile(run)))
	}
	if err := putManifest(ctx, target, owner, merged.manifest); err != nil {
		return err
	}
	if outcomeError(merged.manifest.Outcome, strict) != nil {
		return target.Delete(ctx, successFile(run))
	}
	return target.Put(ctx, owner, successFile(run), strings.NewReader(""))
}

// putManifest writes the manifest with the lines of the users of all shards, which are never in memory together.
func putManifest(ctx context.Context, target *store.Store, owner string, all *Manifest) error {
	head, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := writeManifest(ctx, target, writer, head, all)
		writer.CloseWithError(err)
		done <- err
	}()
	err = target.Put(ctx, owner, manifestFile(all.Run), reader)
	reader.CloseWithError(err)
	return errors.Join(err, <-done)
}

// writeManifest writes the manifest: head, which is its JSON without users, and the lines of the users of all shards.
func writeManifest(ctx context.Context, target *store.Store, to io.Writer, head []byte, all *Manifest) error {
	if _, err := fmt.Fprintf(to, "%s,\n \"users\": [", bytes.TrimSuffix(head, []byte("\n}"))); err != nil {
		return err
	}
	separator := "\n"
	for shard := range all.Shards {
		if err := copyLines(ctx, target, to, shardFile(all.Run, shard, all.Shards)+".users.ndjson", &separator); err != nil {
			return err
		}
	}
	_, err := io.WriteString(to, "\n ]\n}\n")
	return err
}

// copyLines copies the lines of the users of one shard, each after the separator, which is a comma from the first line on.
func copyLines(ctx context.Context, target *store.Store, to io.Writer, name string, separator *string) error {
	from, err := target.Read(ctx, name)
	if err != nil {
		return err
	}
	defer from.Close()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if _, err := fmt.Fprintf(to, "%s  %s", *separator, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
			*separator = ",\n"
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func putJSON(ctx context.Context, target *store.Store, owner, name string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err
	}
	return target.Put(ctx, owner, name, bytes.NewReader(append(text, '\n')))
}

// getJSON reads a value; what it reads goes to sum, too.
func getJSON(ctx context.Context, target *store.Store, name string, value any, sum io.Writer) error {
	from, err := target.Read(ctx, name)
	if err != nil {
		return err
	}
	defer from.Close()
	text, err := io.ReadAll(io.TeeReader(from, sum))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("%s is damaged: %w", name, err)
	}
	return nil
}
