package export

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// Options say what is exported, and where to. Out, Start and End are required.
type Options struct {
	// Out is a folder, or the URL of a bucket: s3://, gs://, azblob://.
	Out string
	// Server is the address of the gateway, by which the state folder knows it again; empty = any gateway will do.
	Server string
	// State is the folder that keeps how far runs have come; each shard of a run has a folder of its own in it.
	State string
	// Start and End bound the interval.
	Start, End time.Time
	// Users is USER_SELECTION_ALL or _LICENSED; UserIDs are read in place of a selection if there are any.
	Users   parleyv1.UserSelection
	UserIDs []string
	// Shard and Shards choose the part of the users; 0 of 1 for all.
	Shard, Shards int
	Sources       []parleyv1.Source
	View          parleyv1.EventView
	// Format is the format of the files: parquet or ndjson; empty = parquet.
	Format      string
	Datasets    []string
	Deduplicate bool
	// Strict holds _SUCCESS back from a run with refusals.
	Strict bool
	// Reason is given to the gateway's audit log, and Caller says in the manifest who asked.
	Reason string
	Caller string
	// Stream says how streams are read. The exporter sets OnCheckpoint, OnNotice and Memory itself.
	Stream parleyclient.Options
	// SpoolBytes is how many bytes of frames are gathered on disk before files are made of them, and FileBytes after which size a file ends.
	// 0 = the defaults.
	SpoolBytes, FileBytes int64
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// DefaultDatasets are written if no others are asked for.
func DefaultDatasets() []string {
	return []string{dataset.Events, dataset.Turns, dataset.Calls, dataset.Users}
}

func (o Options) withDefaults() Options {
	o.Shards = max(1, o.Shards)
	o.Format = cmp.Or(o.Format, dataset.Parquet)
	o.SpoolBytes = cmp.Or(o.SpoolBytes, 512<<20)
	if len(o.Datasets) == 0 {
		o.Datasets = DefaultDatasets()
	}
	o.Datasets = slices.Clone(o.Datasets)
	if o.Deduplicate && !slices.Contains(o.Datasets, dataset.Copies) {
		o.Datasets = append(o.Datasets, dataset.Copies)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.UserIDs = normalizedIDs(o.UserIDs)
	return o
}

// Run is the name of the run: equal for equal options, whatever the process or the shard.
func (o Options) Run() string {
	o = o.withDefaults()
	ids := o.UserIDs
	sources := slices.Sorted(slices.Values(o.Sources))
	datasets := slices.Sorted(slices.Values(o.Datasets))
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d %v %d %s %v %t %s",
		o.Shards, o.Users, len(ids), sources, o.View, o.Format, datasets, o.Deduplicate, strings.Join(ids, " ")))
	const second = "20060102T150405Z"
	return o.Start.UTC().Format(second) + "-" + o.End.UTC().Format(second) + "-" + hex.EncodeToString(sum[:4])
}

const (
	// lateCallsSpan is how far before the interval calls are read again: Graph changes the record of a call for up to 36 hours.
	lateCallsSpan = 48 * time.Hour
	// oldestLateCalls is when such an interval may begin: Graph keeps calls for 30 days.
	oldestLateCalls = 28 * 24 * time.Hour
)

// LateCalls returns the options of the run that reads the calls of the two days before the interval once more: their records may have come or
// changed after the earlier nights. ok is false if the run reads no calls, or Graph keeps these no more.
func (o Options) LateCalls(now time.Time) (_ Options, ok bool) {
	o = o.withDefaults()
	o.Start, o.End = o.Start.Add(-lateCallsSpan), o.Start
	o.Datasets = slices.DeleteFunc(o.Datasets, func(name string) bool { return name != dataset.Events && name != dataset.Calls })
	calls := len(o.Sources) == 0 || slices.Contains(o.Sources, parleyv1.Source_SOURCE_CALL)
	o.Sources = []parleyv1.Source{parleyv1.Source_SOURCE_CALL}
	return o, calls && len(o.Datasets) > 0 && now.Sub(o.Start) < oldestLateCalls
}

// runDate is the partition of the run: the day on which the interval has ended.
func (o Options) runDate() string { return o.End.UTC().Format(time.DateOnly) }

// normalizedIDs returns ids in lower case, sorted, each once; nil for nil.
func normalizedIDs(ids []string) []string {
	if ids == nil {
		return nil
	}
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, strings.ToLower(id))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shardIDs returns the ids that belong to a shard.
func shardIDs(ids []string, shard, shards int) []string {
	return slices.DeleteFunc(ids, func(id string) bool { return ShardOf(id, shards) != shard })
}

// ShardOf is the part that a user belongs to, as Shard in the API defines it.
func ShardOf(id string, shards int) int {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(strings.ToLower(id)))
	return int(sum.Sum64() % uint64(max(1, shards)))
}
