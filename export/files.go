package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/frames"
	"github.com/parley-gateway/parley/export/internal/journal"
)

// wants reports whether a dataset is asked for.
func (e *Exporter) wants(name string) bool { return slices.Contains(e.options.Datasets, name) }

// storeFile moves a finished file into the store. The next commit makes it a part of the run.
func (e *Exporter) storeFile(ctx context.Context, file dataset.File) error {
	if err := e.unpublish(ctx); err != nil {
		return err
	}
	state := &e.journal.State
	name := fmt.Sprintf("%s%04d.%s", e.prefix(file.Dataset), state.Sequence, e.options.Format)
	if err := e.store.PutFile(ctx, e.shardName(), name, file.Path); err != nil {
		return err
	}
	state.Sequence++
	state.Rows[file.Dataset] += file.Rows
	state.Files = append(state.Files, journal.File{Dataset: file.Dataset, Path: name, Rows: file.Rows, Bytes: file.Bytes, SHA256: file.SHA256})
	e.progress.setCommitted(state)
	return os.Remove(file.Path)
}

// prefix begins the names of the files of this shard in a dataset.
func (e *Exporter) prefix(name string) string {
	return fmt.Sprintf("run_date=%s/dataset=%s/%s-", e.options.runDate(), name, e.shardName())
}

func newWriter[T any](e *Exporter, name string) *dataset.Writer[T] {
	return dataset.NewWriter[T](name, e.options.Format, e.journal.Scratch(), e.options.FileBytes, e.storeFile)
}

// fileWriters write the rows of frames into files, one writer for each dataset that is made of frames.
type fileWriters struct {
	e      *Exporter
	events *dataset.Writer[dataset.Event]
	copies *dataset.Writer[dataset.Copy]
	turns  *dataset.Writer[dataset.Turn]
	calls  *dataset.Writer[dataset.Call]
	reader *dataset.Reader
	parts  *dataset.OpenTurns
	stored map[journal.Key]struct{} // turns that earlier rounds have stored of users who were incomplete
	batch  []frames.Event           // memory of writeFrame, used again for each frame
}

// flush makes files of the committed frames, and replaces them by the parts of turns of the users who are still being read. An error
// commits nothing: another run makes the same files again.
func (e *Exporter) flush(ctx context.Context) (err error) {
	if e.journal.State.Spool == 0 {
		return nil
	}
	defer e.progress.setState(e.Progress().State) // back to reading, if that goes on
	e.progress.setState(StateWriting)
	f := fileWriters{
		e: e, events: newWriter[dataset.Event](e, dataset.Events), copies: newWriter[dataset.Copy](e, dataset.Copies),
		turns: newWriter[dataset.Turn](e, dataset.Turns), calls: newWriter[dataset.Call](e, dataset.Calls), reader: dataset.NewReader(e.name),
		parts: dataset.NewOpenTurns(),
	}
	if f.stored, err = e.storedTurns(); err != nil {
		return err
	}
	defer func() {
		f.events.Abandon()
		f.copies.Abandon()
		f.turns.Abandon()
		f.calls.Abandon()
	}()
	for next, err := range e.journal.Frames() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := f.writeFrame(ctx, next); err != nil {
			return err
		}
	}
	if err := errors.Join(f.events.Close(ctx), f.copies.Close(ctx), f.turns.Close(ctx), f.calls.Close(ctx)); err != nil {
		return err
	}
	return e.journal.ReplaceFrames(f.openTurns())
}

// writeFrame writes the rows of a frame, which comes in its wire format.
func (f *fileWriters) writeFrame(ctx context.Context, wire []byte) (err error) {
	if frames.IsBatch(wire) {
		if f.batch, err = frames.Events(f.batch[:0], wire); err != nil {
			return errDamaged(err)
		}
		for _, event := range f.batch {
			if err := f.writeEvent(ctx, event.Wire); err != nil {
				return err
			}
		}
		return nil
	}
	next := new(parleyv1.StreamTenantEventsResponse)
	if err := proto.Unmarshal(wire, next); err != nil {
		return errDamaged(err)
	}
	for _, c := range next.GetCopies().GetCopies() {
		if err := f.copies.Write(ctx, dataset.Copy{UID: c.GetUid(), UserID: dataset.UserID(c.GetName()), Name: c.GetName(), Run: f.e.name}, rowBytes); err != nil {
			return err
		}
	}
	if user := next.GetUser(); user != nil {
		return f.writeTurns(ctx, user)
	}
	return nil
}

// writeTurns writes the turns of a user, whose summary ends the user's events. Those of an incomplete user are noted: another round reads the user
// again, and writes the turns alone that have changed.
func (f *fileWriters) writeTurns(ctx context.Context, user *parleyv1.UserSummary) error {
	turns := f.parts.Take(user.GetUser(), f.e.name)
	if !f.e.wants(dataset.Turns) {
		return nil
	}
	for _, row := range turns {
		key := turnKey(row)
		if _, again := f.stored[key]; again {
			continue
		}
		if err := f.turns.Write(ctx, row, rowBytes); err != nil {
			return err
		}
		if user.GetState() != parleyv1.UserState_USER_STATE_INCOMPLETE {
			continue
		}
		if err := f.e.journal.AppendTurn(key); err != nil {
			return err
		}
	}
	return nil
}

// turnKey is the key of a turn. Another answer makes another one of it, also where the answer does not have the greatest version.
func turnKey(row dataset.Turn) journal.Key {
	first := int64(0)
	if row.FirstAnswerTime != nil {
		first = row.FirstAnswerTime.UnixMicro()
	}
	return journal.KeyOf("users/"+row.UserID, fmt.Sprintf("%s %d %d", row.UID, row.Answers, first), row.Version)
}

// storedTurns returns the turns that earlier rounds have stored of users who were incomplete.
func (e *Exporter) storedTurns() (map[journal.Key]struct{}, error) {
	if e.journal.State.Round == 0 {
		return nil, nil //nolint:nilnil // no turn is stored
	}
	stored := map[journal.Key]struct{}{}
	for key, err := range e.journal.Turns() {
		if err != nil {
			return nil, err
		}
		stored[key] = struct{}{}
	}
	return stored, nil
}

// errDamaged is the error of frames that cannot be read; it says how the run begins anew.
func errDamaged(err error) error {
	return fmt.Errorf("frames in the state folder are damaged, remove it to begin the run anew: %w", err)
}

// writeEvent writes the rows of an event, which comes in its wire format.
func (f *fileWriters) writeEvent(ctx context.Context, wire []byte) error {
	if err := f.reader.Read(wire); err != nil {
		return errDamaged(err)
	}
	f.parts.Add(f.reader.TurnPart())
	if !f.reader.HasName() {
		return nil // only a part of a turn: its rows are in files already
	}
	if f.e.wants(dataset.Events) {
		row, err := f.reader.EventRow()
		if err != nil {
			return errDamaged(err)
		}
		if err := f.events.Write(ctx, row, dataset.RowSize(len(wire))); err != nil {
			return err
		}
	}
	if !f.reader.IsCall() || !f.e.wants(dataset.Calls) {
		return nil
	}
	call := new(parleyv1.Event)
	if err := proto.Unmarshal(wire, call); err != nil {
		return errDamaged(err)
	}
	for _, row := range dataset.CallRows(call, f.e.name) {
		if err := f.calls.Write(ctx, row, rowBytes); err != nil {
			return err
		}
	}
	return nil
}

// rowBytes is about the size of a row without text.
const rowBytes = 512

// openTurns yields frames with the parts of turns of the users who are still being read.
func (f *fileWriters) openTurns() iter.Seq[*parleyv1.StreamTenantEventsResponse] {
	return func(yield func(*parleyv1.StreamTenantEventsResponse) bool) {
		for part := range f.parts.Parts() {
			if !yield(batchFrame([]*parleyv1.Event{part})) {
				return
			}
		}
	}
}

// finishFiles makes files of the frames that are left, and writes the datasets that are read after the events. If another run may bring a
// dataset that cannot be read now, the error is a *missingDatasetsError, which names it and those that come after it.
func (e *Exporter) finishFiles(ctx context.Context) error {
	if err := e.flush(ctx); err != nil {
		return err
	}
	extras := []struct {
		name  string
		write func(context.Context) error
	}{
		{dataset.Conversations, e.writeConversations},
		{dataset.Usage, e.writeUsage},
		{dataset.Users, e.writeUsers},
	}
	for i, extra := range extras {
		if !e.lacks(extra.name) {
			continue
		}
		e.withdraw(extra.name)
		if err := extra.write(ctx); err != nil {
			if !errors.Is(classify(err), ErrIncomplete) {
				return err
			}
			e.withdraw(extra.name)
			var missing []string
			for _, left := range extras[i:] {
				if e.lacks(left.name) {
					missing = append(missing, left.name)
				}
			}
			return &missingDatasetsError{missing, errors.Join(err, e.journal.Commit())}
		}
		if err := e.journal.Commit(); err != nil {
			return err
		}
	}
	e.journal.State.Finished = true
	return e.journal.Commit()
}

// lacks reports whether a dataset that is read beside the events is still to be written. Users are written in each round, since their rows
// say how reading them ended.
func (e *Exporter) lacks(name string) bool {
	return e.wants(name) && (name == dataset.Users || e.journal.State.Rows[name] == 0)
}

// withdraw takes the files of a dataset out of the state; publish removes them from the store.
func (e *Exporter) withdraw(name string) {
	state := &e.journal.State
	state.Files = slices.DeleteFunc(state.Files, func(f journal.File) bool { return f.Dataset == name })
	delete(state.Rows, name)
	e.progress.setCommitted(state)
}
