package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// published are the files of a run that say what it has, below its folder.
func published(t *testing.T, out, run string) []string {
	t.Helper()
	names := []string{}
	folder := filepath.Join(out, "_runs", run)
	for _, pattern := range []string{"_SUCCESS", "manifest.json", "shards/*.json"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			name, err := filepath.Rel(folder, path)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, filepath.ToSlash(name))
		}
	}
	return names
}

// TestALostStateUnpublishesTheRun loses the state of one shard of a run that is complete. From its first new file until the shard is whole
// again, nothing says that the run is complete, also when another shard ends meanwhile.
func TestALostStateUnpublishesTheRun(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	var fails atomic.Bool
	g := &gateway{users: 9, afterFrame: func(sent int) error {
		if fails.Load() && sent%40 == 0 {
			return failure(codes.PermissionDenied, "NOT_ALLOWED", -1)
		}
		return nil
	}}
	address := g.serve(t)
	shard := func(n int) (export.Result, error) {
		o := options(out)
		o.Shard, o.Shards = n, 2
		return run(t, address, o)
	}
	name := ""
	for n := range 2 {
		result, err := shard(n)
		if err != nil {
			t.Fatal(err)
		}
		name = result.Run
	}
	equal(t, []string{"_SUCCESS", "manifest.json", "shards/0-of-2.json", "shards/1-of-2.json"}, published(t, out, name))

	if err := os.RemoveAll(filepath.Join(out, "_state", name+"-0")); err != nil {
		t.Fatal(err)
	}
	fails.Store(true)
	if _, err := shard(0); !errors.Is(err, export.ErrRefused) {
		t.Fatal(err)
	}
	equal(t, []string{"shards/1-of-2.json"}, published(t, out, name))
	if result, err := shard(1); err != nil || result.Manifest != "" {
		t.Errorf("the other shard: %+v, %v", result, err)
	}
	equal(t, []string{"shards/1-of-2.json"}, published(t, out, name))

	fails.Store(false)
	if result, err := shard(0); err != nil || result.Outcome != "COMPLETE" {
		t.Fatalf("%+v, %v", result, err)
	}
	equal(t, []string{"_SUCCESS", "manifest.json", "shards/0-of-2.json", "shards/1-of-2.json"}, published(t, out, name))
	equal(t, wantKeys(9), keys(t, rows[dataset.Event](t, out, readManifest(t, out, name), dataset.Events)))
}
