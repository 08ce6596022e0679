// Package journal keeps on disk how far an export has come, so that a process that is killed at any moment can be begun again.
//
// Frames and summaries of users are appended to logs. A commit writes how long the logs are, and where the stream goes on, into one small
// file that is replaced as a whole; what lies beyond those lengths when the journal is opened again is removed, and is read from
// the gateway again.
package journal

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// ErrBusy says that another process has the journal open.
var ErrBusy = errors.New("another process works with this state folder")

const version = 1

// State is what a commit writes.
type State struct {
	Version   int       `json:"version"`
	Run       string    `json:"run"`
	StartedAt time.Time `json:"started_at"`
	// Out and Server are where the run writes to and which gateway it reads; empty in states that were begun before these were noted.
	Out    string `json:"out,omitempty"`
	Server string `json:"server,omitempty"`

	// Generation of the spool; each flush begins a new one.
	Generation int `json:"generation"`
	// Leg is the number of the stream of this round that is being read, and Token where it goes on.
	Leg   int    `json:"leg"`
	Token string `json:"token"`
	// Committed lengths of the logs.
	Spool int64 `json:"spool"`
	Users int64 `json:"users"`
	Keys  int64 `json:"keys"`
	Turns int64 `json:"turns"`

	Files    []File           `json:"files,omitempty"`
	Sequence int              `json:"sequence"`
	Rows     map[string]int64 `json:"rows"`

	// Round is 0 for the first reading; later rounds read the users who are incomplete. RoundStart is how many summaries of users the
	// journal had when the round began; -1 says that it has not begun.
	Round      int `json:"round"`
	RoundStart int `json:"round_start"`
	// Read says that all legs were read, Finished that all rows are in files, Published that the manifest says so.
	Read      bool `json:"read"`
	Finished  bool `json:"finished"`
	Published bool `json:"published"`
	// Unpublished says that the place of the export has nothing more of what an earlier state of the run published.
	Unpublished bool `json:"unpublished"`
	// ListIncomplete says that the directory was not listed whole: nobody knows which users are missing.
	ListIncomplete bool `json:"list_incomplete"`
	// DirectoryNotice says that the stream of the leg had a notice about the directory. A stream that is resumed does not repeat its notices.
	DirectoryNotice bool `json:"directory_notice"`
	// EndCut says that the gateway read an interval that was not over up to its present: every user lacks the rest.
	EndCut        bool              `json:"end_cut"`
	GraphRequests int64             `json:"graph_requests"`
	SettledUntil  map[string]string `json:"settled_until,omitempty"`
	Notices       []Notice          `json:"notices,omitempty"`
	Outcome       string            `json:"outcome,omitempty"`
	EndedAt       time.Time         `json:"ended_at,omitzero"`
}

// Doubtful reports whether something may be missing of which no summary of a user tells: the run is incomplete, and its next round begins anew.
func (s *State) Doubtful() bool { return s.ListIncomplete || s.EndCut }

// Notice is a notice of the gateway about a whole stream, or one of the exporter's own.
type Notice struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// File is a file of the export that is in its place.
type File struct {
	Dataset string `json:"dataset"`
	Path    string `json:"path"`
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// Journal is the state folder of one shard of one run. It is for one goroutine.
type Journal struct {
	// State is changed by the exporter; Commit writes it.
	State State

	folder                    string
	lock                      *flock.Flock
	spool, users, keys, turns *log
}

// Open opens the journal of a run, or begins one, and forgets what was not committed. The error wraps ErrBusy while another process has the
// folder open; a state of another run or version is an error, too.
func Open(folder, run string, now time.Time) (_ *Journal, err error) {
	if err := os.MkdirAll(filepath.Join(folder, "tmp"), 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	j := &Journal{folder: folder, lock: flock.New(filepath.Join(folder, "lock"))}
	if locked, err := j.lock.TryLock(); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	} else if !locked {
		return nil, ErrBusy
	}
	defer func() {
		if err != nil {
			_ = j.Close()
		}
	}()
	if err := j.load(run, now); err != nil {
		return nil, err
	}
	if err := j.clean(); err != nil {
		return nil, err
	}
	if err := j.openLogs(); err != nil {
		return nil, err
	}
	return j, nil
}

// load reads the state of a run, or begins one.
func (j *Journal) load(run string, now time.Time) error {
	text, err := os.ReadFile(j.path("state.json"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		j.State = begin(run, now)
		return nil
	case err != nil:
		return err
	}
	if err := json.Unmarshal(text, &j.State); err != nil {
		return fmt.Errorf("%s is damaged: %w", j.path("state.json"), err)
	}
	if j.State.SettledUntil == nil {
		j.State.SettledUntil = map[string]string{}
	}
	if j.State.Version != version || j.State.Run != run {
		return fmt.Errorf("%s is of run %s, version %d", j.path("state.json"), j.State.Run, j.State.Version)
	}
	return nil
}

// clean removes unfinished files and spools of other generations.
func (j *Journal) clean() error {
	if err := os.RemoveAll(j.Scratch()); err != nil {
		return err
	}
	if err := os.Mkdir(j.Scratch(), 0o700); err != nil {
		return err
	}
	spools, err := filepath.Glob(j.path("spool-*"))
	if err != nil {
		return err
	}
	for _, path := range spools {
		if path != j.spoolPath(j.State.Generation) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// openLogs opens the logs at their committed lengths.
func (j *Journal) openLogs() (err error) {
	if j.spool, err = openLog(j.spoolPath(j.State.Generation), j.State.Spool); err != nil {
		return err
	}
	if j.users, err = openLog(j.path("users.log"), j.State.Users); err != nil {
		return err
	}
	if j.keys, err = openLog(j.path("keys.log"), j.State.Keys); err != nil {
		return err
	}
	j.turns, err = openLog(j.path("turns.log"), j.State.Turns)
	return err
}

func (j *Journal) path(name string) string { return filepath.Join(j.folder, name) }

func (j *Journal) spoolPath(generation int) string {
	return j.path(fmt.Sprintf("spool-%06d.log", generation))
}

// Scratch is the folder of files that are being written.
func (j *Journal) Scratch() string { return j.path("tmp") }

// Close releases the folder. What was not committed is lost.
func (j *Journal) Close() error {
	var err error
	for _, l := range []*log{j.spool, j.users, j.keys, j.turns} {
		if l != nil {
			err = errors.Join(err, l.file.Close())
		}
	}
	return errors.Join(err, j.lock.Unlock())
}

// Append adds a frame to the spool: the log of the frames that are in no file yet.
func (j *Journal) Append(frame *parleyv1.StreamTenantEventsResponse) error {
	return j.spool.append(frame)
}

// AppendWire adds a frame in its wire format to the spool.
func (j *Journal) AppendWire(frame []byte) error { return j.spool.appendWire(frame) }

// AppendUser adds the summary of a user.
func (j *Journal) AppendUser(user *parleyv1.UserSummary) error { return j.users.append(user) }

// AppendKey notes that an event of a user is among the frames.
func (j *Journal) AppendKey(key Key) error { return j.keys.appendKey(key) }

// AppendTurn notes that a turn of a user who will be read again is in a file.
func (j *Journal) AppendTurn(key Key) error { return j.turns.appendKey(key) }

// Spooled is how many bytes of frames there are, committed or not.
func (j *Journal) Spooled() int64 { return j.spool.size }

// Commit makes everything that was appended permanent, together with the state. After an error the last commit holds.
func (j *Journal) Commit() error {
	for _, l := range []*log{j.spool, j.users, j.keys, j.turns} {
		if err := l.flush(); err != nil {
			return err
		}
	}
	j.State.Spool, j.State.Users, j.State.Keys, j.State.Turns = j.spool.size, j.users.size, j.keys.size, j.turns.size
	return j.save()
}

// save replaces the state file.
func (j *Journal) save() error {
	text, err := json.Marshal(&j.State)
	if err != nil {
		return err
	}
	if err := os.WriteFile(j.path("state.json.new"), text, 0o600); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return os.Rename(j.path("state.json.new"), j.path("state.json"))
}

// Rollback forgets everything that was appended since the last commit.
func (j *Journal) Rollback() error {
	return errors.Join(j.spool.truncate(j.State.Spool), j.users.truncate(j.State.Users), j.keys.truncate(j.State.Keys), j.turns.truncate(j.State.Turns))
}

// ReplaceFrames replaces the frames, which are in files now, by others, and commits. Summaries and keys were committed before.
func (j *Journal) ReplaceFrames(rest iter.Seq[*parleyv1.StreamTenantEventsResponse]) error {
	next, err := openLog(j.spoolPath(j.State.Generation+1), 0)
	if err != nil {
		return err
	}
	for frame := range rest {
		if err := next.append(frame); err != nil {
			return errors.Join(err, next.file.Close())
		}
	}
	before, path := j.spool, j.spoolPath(j.State.Generation)
	j.spool = next
	j.State.Generation++
	if err := j.Commit(); err != nil {
		return err
	}
	return errors.Join(before.file.Close(), os.Remove(path))
}

// Reset begins the run anew, at the same place and gateway. After an error the journal can be opened, reset or not.
func (j *Journal) Reset(now time.Time) error {
	before := j.State
	j.State = begin(before.Run, now)
	j.State.Generation, j.State.Out, j.State.Server = before.Generation, before.Out, before.Server
	if err := j.save(); err != nil { // before the logs: a state whose logs are shorter than it says cannot be opened
		j.State = before
		return err
	}
	return j.Rollback()
}

// Empty removes the logs of a run that is done and read no more. The state stays and says so. After an error the journal can be opened.
func (j *Journal) Empty() error {
	j.State.Spool, j.State.Users, j.State.Keys, j.State.Turns = 0, 0, 0, 0
	if err := j.save(); err != nil { // before the logs, as in Reset
		return err
	}
	legs, err := filepath.Glob(j.path("legs-*.json"))
	for _, path := range legs {
		err = errors.Join(err, os.Remove(path))
	}
	return errors.Join(err, j.Rollback())
}

// begin returns the state of a run of which nothing is read.
func begin(run string, now time.Time) State {
	return State{Version: version, Run: run, StartedAt: now.UTC(), Rows: map[string]int64{}, SettledUntil: map[string]string{}, RoundStart: -1}
}

// Frames yields the committed frames in their wire format. A frame is valid until the next one.
func (j *Journal) Frames() iter.Seq2[[]byte, error] {
	return records(j.spool.file.Name(), j.State.Spool)
}

// UserSummaries yields the committed summaries of users in the order in which they were appended. Of several of one user the last one counts.
func (j *Journal) UserSummaries() iter.Seq2[*parleyv1.UserSummary, error] {
	return func(yield func(*parleyv1.UserSummary, error) bool) {
		for wire, err := range records(j.users.file.Name(), j.State.Users) {
			user := new(parleyv1.UserSummary)
			if err == nil {
				err = proto.Unmarshal(wire, user)
			}
			if err != nil {
				yield(nil, fmt.Errorf("%s is damaged: %w", j.users.file.Name(), err))
				return
			}
			if !yield(user, nil) {
				return
			}
		}
	}
}

// Key stands for one version of an event, or of a turn, of a user: the hashes of the user's name, and of uid and version.
type Key struct{ Owner, Event uint64 }

// KeyOf is the key of an event.
func KeyOf[T string | []byte](owner, uid T, version int64) Key {
	event := fnv(uid)
	event *= fnvPrime // a zero byte between uid and version
	for range 8 {
		event = (event ^ uint64(version)&0xff) * fnvPrime
		version >>= 8
	}
	return Key{OwnerKey(owner), event}
}

// OwnerKey is the key of a user's resource name, in whatever case.
func OwnerKey[T string | []byte](user T) uint64 {
	hash := uint64(fnvOffset)
	for i := range len(user) {
		c := user[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		hash = (hash ^ uint64(c)) * fnvPrime
	}
	return hash
}

// Constants of FNV-1a of 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// fnv hashes a text by FNV-1a, without the allocations of hash/fnv.
func fnv[T string | []byte](text T) uint64 {
	hash := uint64(fnvOffset)
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * fnvPrime
	}
	return hash
}

// Keys yields the committed keys: of frames in the spool, and of frames that are in files.
func (j *Journal) Keys() iter.Seq2[Key, error] { return keys(j.keys.file.Name(), j.State.Keys) }

// Turns yields the committed keys of turns.
func (j *Journal) Turns() iter.Seq2[Key, error] { return keys(j.turns.file.Name(), j.State.Turns) }

// keys yields the keys of a log up to a length.
func keys(path string, length int64) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(Key{}, err)
			return
		}
		defer func() { _ = file.Close() }()
		reader := bufio.NewReaderSize(io.LimitReader(file, length), 1<<16)
		var record [keySize]byte
		for {
			_, err := io.ReadFull(reader, record[:])
			if errors.Is(err, io.EOF) {
				return
			}
			key := Key{binary.LittleEndian.Uint64(record[:]), binary.LittleEndian.Uint64(record[8:])}
			if !yield(key, err) || err != nil {
				return
			}
		}
	}
}

// maxRecord is above every frame of the API.
const maxRecord = 64 << 20

// records yields the records of a log up to a length. A record is valid until the next one. The last pair has an error if the log is damaged.
func records(path string, length int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = file.Close() }()
		reader := bufio.NewReaderSize(io.LimitReader(file, length), 1<<16)
		var record []byte
		for {
			size, err := binary.ReadUvarint(reader)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && size > maxRecord {
				err = fmt.Errorf("a record of %d bytes", size)
			}
			if err == nil {
				record = slices.Grow(record[:0], int(size))[:size]
				_, err = io.ReadFull(reader, record)
			}
			if err != nil {
				yield(nil, fmt.Errorf("%s is damaged: %w", path, err))
				return
			}
			if !yield(record, nil) {
				return
			}
		}
	}
}

// SaveLegs saves the legs of a round: the list of the users that each names, or one nil list for a selection.
func (j *Journal) SaveLegs(round int, legs [][]string) error {
	text, err := json.Marshal(legs)
	if err != nil {
		return err
	}
	return os.WriteFile(j.legsPath(round), text, 0o600)
}

// Legs returns the legs that SaveLegs saved.
func (j *Journal) Legs(round int) (legs [][]string, err error) {
	text, err := os.ReadFile(j.legsPath(round))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &legs); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", j.legsPath(round), err)
	}
	return legs, nil
}

func (j *Journal) legsPath(round int) string { return j.path(fmt.Sprintf("legs-%d.json", round)) }
