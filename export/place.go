package export

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/parley-gateway/parley/export/internal/journal"
	"github.com/parley-gateway/parley/export/internal/store"
)

// checkState notes in the state where the run writes to and which gateway it reads. The error wraps ErrMismatch: the state has read another
// gateway, or has written to another place. As long as it has not, a mistake in the options may be mended.
func (e *Exporter) checkState() error {
	state := &e.journal.State
	var wrong []error
	out := placeOf(e.options.Out, e.options.State)
	if state.Out != "" && state.Out != out && hasWritten(state) {
		wrong = append(wrong, fmt.Errorf("--out=%s: %w: %s has written this run to %s; use that place, or another --state",
			shownPlace(out, e.options.State), ErrMismatch, e.stateFolder(), shownPlace(state.Out, e.options.State)))
	}
	if state.Server != "" && e.options.Server != "" && state.Server != e.options.Server && hasRead(state) {
		wrong = append(wrong, fmt.Errorf("--server=%s: %w: %s has read this run from %s; use that gateway, or remove the folder to read the run anew",
			e.options.Server, ErrMismatch, e.stateFolder(), state.Server))
	}
	if wrong != nil {
		return errors.Join(wrong...)
	}
	state.Out = out
	if e.options.Server != "" {
		state.Server = e.options.Server
	}
	return nil
}

// stateFolder is the folder of this shard's state.
func (e *Exporter) stateFolder() string { return filepath.Join(e.options.State, e.shardName()) }

// hasRead reports whether something of the gateway is in the state.
func hasRead(state *journal.State) bool {
	return state.Token != "" || state.Leg > 0 || state.Round > 0 || state.Read
}

// hasWritten reports whether the run has touched the place of the export.
func hasWritten(state *journal.State) bool {
	return state.Unpublished || state.Published || len(state.Files) > 0
}

// placeOf returns what the state remembers of the place of an export. A folder is relative to the state folder: both may be moved together. The
// URL of a bucket is without its query, which says how the bucket is reached.
func placeOf(out, state string) string {
	if folder, ok := store.Folder(out); ok {
		return relativeTo(state, folder)
	}
	at, err := url.Parse(out)
	if err != nil {
		return out
	}
	return at.Scheme + "://" + at.Host + strings.TrimSuffix(at.Path, "/")
}

// relativeTo returns the path of a folder relative to another one, or the folder as it is where there is none.
func relativeTo(base, folder string) string {
	from, errFrom := filepath.Abs(base)
	to, errTo := filepath.Abs(folder)
	if errFrom != nil || errTo != nil {
		return folder
	}
	relative, err := filepath.Rel(from, to)
	if err != nil {
		return to
	}
	return relative
}

// shownPlace returns a place that placeOf returned as a user knows it.
func shownPlace(place, state string) string {
	if strings.Contains(place, "://") || filepath.IsAbs(place) {
		return place
	}
	return filepath.Join(state, place)
}
