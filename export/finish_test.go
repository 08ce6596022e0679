package export_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-gateway/parley/export"
)

// bucketRun is an export of two shards into a bucket, of which both are read and one user of the second is incomplete.
type bucketRun struct {
	*bucket

	address string
	options export.Options
	name    string
}

func newBucketRun(t *testing.T) *bucketRun {
	t.Helper()
	register()
	incomplete := 0
	for user := range 9 {
		if export.ShardOf(userID(user), 2) == 1 {
			incomplete = user
		}
	}
	r := &bucketRun{
		bucket:  &bucket{objects: map[string][]byte{}, left: -1},
		address: (&gateway{users: 9, incomplete: map[int]bool{incomplete: true}}).serve(t),
	}
	place := strings.NewReplacer("/", "-", "_", "-").Replace(strings.ToLower(t.Name()))
	buckets.Store(place, r.bucket)
	r.options = options(t.TempDir())
	r.options.Out, r.options.Shards = "faulty://"+place, 2
	if _, err := r.shard(t.Context(), t, 0); err != nil {
		t.Fatal(err)
	}
	result, err := r.shard(t.Context(), t, 1)
	if !errors.Is(err, export.ErrIncomplete) {
		t.Fatal(err)
	}
	r.name = result.Run
	return r
}

func (r *bucketRun) shard(ctx context.Context, t *testing.T, n int) (export.Result, error) {
	t.Helper()
	o := r.options
	o.Shard = n
	return export.New(dial(t, r.address), o).Run(ctx)
}

// published are the objects that say what the run has.
func (r *bucketRun) published() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := []string{}
	for key := range r.objects {
		if name := strings.TrimPrefix(key, "_runs/"+r.name+"/"); name != key && !strings.HasSuffix(name, ".users.ndjson") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// atManifest calls once, when the manifest of the run is about to be written.
func (r *bucketRun) atManifest(call func()) {
	var called atomic.Bool
	r.onPut = func(key string) {
		if strings.HasSuffix(key, "/manifest.json") && !called.Swap(true) {
			call()
		}
	}
}

// TestShardsThatFinishAtOnce changes what a shard has published while the other one finishes with what it had read before.
func TestShardsThatFinishAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("a shard is whole", func(t *testing.T) {
		t.Parallel()
		r := newBucketRun(t)
		r.atManifest(func() {
			if result, err := r.shard(t.Context(), t, 1); err != nil || result.Outcome != "COMPLETE" {
				t.Errorf("the other shard: %+v, %v", result, err)
			}
		})
		if result, err := r.shard(t.Context(), t, 0); err != nil || result.Outcome != "COMPLETE" {
			t.Errorf("%+v, %v", result, err)
		}
		equal(t, []string{"_SUCCESS", "manifest.json", "shards/0-of-2.json", "shards/1-of-2.json"}, r.published())
		if m := readManifest(t, r.folder(t), r.name); !m.Complete || len(m.Users) != 9 {
			t.Errorf("manifest %+v", m.Manifest)
		}
	})
	t.Run("the state of a shard is lost", func(t *testing.T) {
		t.Parallel()
		r := newBucketRun(t)
		r.atManifest(func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.objects, "_runs/"+r.name+"/shards/1-of-2.json")
		})
		if result, err := r.shard(t.Context(), t, 0); err != nil || result.Manifest != "" {
			t.Errorf("%+v, %v", result, err)
		}
		equal(t, []string{"shards/0-of-2.json"}, r.published())
	})
}

// TestInterruptedWhileItFinishes: a run that is stopped in its last step is interrupted as in any other one.
func TestInterruptedWhileItFinishes(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(ctx context.Context, t *testing.T, r *bucketRun) error{
		"the last shard": func(ctx context.Context, t *testing.T, r *bucketRun) error {
			t.Helper()
			_, err := r.shard(ctx, t, 0)
			return err
		},
		"the command": func(ctx context.Context, t *testing.T, r *bucketRun) error {
			t.Helper()
			_, err := export.Finish(ctx, r.options.Out, r.name, false)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newBucketRun(t)
			ctx, cancel := context.WithCancel(t.Context())
			r.atManifest(cancel)
			if err := finish(ctx, t, r); !errors.Is(err, export.ErrInterrupted) {
				t.Error(err)
			}
			r.onPut = nil
			if result, err := r.shard(t.Context(), t, 1); err != nil || result.Outcome != "COMPLETE" {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}
