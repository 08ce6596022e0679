package export_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/cli"
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

// TestAStateFolderKnowsItsPlaceAndGateway runs again with one state folder and other options. What another gateway or place has of the run is no
// reason to do nothing, and files are not spread over two places.
func TestAStateFolderKnowsItsPlaceAndGateway(t *testing.T) {
	t.Parallel()
	address := (&gateway{users: 3}).serve(t)
	for name, c := range map[string]struct {
		between func(t *testing.T, folder string, o *export.Options)
		fails   bool // the first run reads nothing
		is      error
		want    string
	}{
		"the same":         {between: func(*testing.T, string, *export.Options) {}},
		"no gateway named": {between: func(_ *testing.T, _ string, o *export.Options) { o.Server = "" }},
		"another place": {
			between: func(_ *testing.T, folder string, o *export.Options) { o.Out = filepath.Join(folder, "b") },
			is:      export.ErrMismatch, want: "a; use that place, or another --state",
		},
		"another gateway": {
			between: func(_ *testing.T, _ string, o *export.Options) { o.Server = "b:443" },
			is:      export.ErrMismatch, want: "from a:443; use that gateway, or remove the folder",
		},
		"both moved together": {
			between: func(t *testing.T, folder string, o *export.Options) {
				t.Helper()
				if err := os.Rename(folder, folder+"-moved"); err != nil {
					t.Fatal(err)
				}
				o.Out, o.State = filepath.Join(folder+"-moved", "a"), filepath.Join(folder+"-moved", "state")
			},
		},
		"a place that is mended before anything is read": {
			between: func(_ *testing.T, folder string, o *export.Options) {
				o.Server, o.Out = "b:443", filepath.Join(folder, "b")
			},
			fails: true,
		},
		"a place that was emptied": {
			between: func(t *testing.T, folder string, _ *export.Options) {
				t.Helper()
				if err := os.RemoveAll(filepath.Join(folder, "a")); err != nil {
					t.Fatal(err)
				}
			},
			want: "remove the state folder",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "exports")
			o := options(filepath.Join(folder, "a"))
			o.State, o.Server = filepath.Join(folder, "state"), "a:443"
			first, at := o, address
			if c.fails {
				first.Stream.Retries, at = -1, "127.0.0.1:1"
			}
			if _, err := run(t, at, first); (err != nil) != c.fails {
				t.Fatal(err)
			}
			c.between(t, folder, &o)
			result, err := run(t, address, o)
			switch {
			case c.want == "":
				if err != nil || result.Outcome != "COMPLETE" || len(published(t, o.Out, result.Run)) != 3 {
					t.Errorf("%+v, %v", result, err)
				}
			case err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is):
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}

// TestABucketIsKnownWithoutItsQuery: how a bucket is reached may change, and which one it is may not.
func TestABucketIsKnownWithoutItsQuery(t *testing.T) {
	t.Parallel()
	register()
	for _, name := range []string{"known-a", "known-b"} {
		buckets.Store(name, &bucket{objects: map[string][]byte{}, left: -1})
	}
	address := (&gateway{users: 2}).serve(t)
	o := options(t.TempDir())
	for _, c := range []struct {
		out  string
		want error
	}{
		{"faulty://known-a/night", nil},
		{"faulty://known-a/night/?region=eu-central-1", nil},
		{"faulty://known-a/day", export.ErrMismatch},
		{"faulty://known-b/night", export.ErrMismatch},
	} {
		o.Out = c.out
		if _, err := run(t, address, o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.out, err)
		}
	}
}

// TestProgramRefusesAnotherGateway: a run that one gateway gave is not done for another one, and the program says what to change.
func TestProgramRefusesAnotherGateway(t *testing.T) {
	t.Parallel()
	out, g := t.TempDir(), &gateway{users: 2}
	for i, want := range []int{cli.Done, cli.Usage} {
		address := g.serve(t)
		var errs bytes.Buffer
		args := []string{"--server", address, "--plaintext", "--out", out, start.Format(time.DateOnly)}
		if code := cli.Run(t.Context(), args, io.Discard, &errs); code != want || strings.Contains(errs.String(), "--server="+address) != (i == 1) {
			t.Errorf("exit code %d, want %d: %s", code, want, errs.String())
		}
	}
}

// TestTheStateOfARunThatIsDoneIsEmpty: of a run that nothing reads again, the state folder keeps the state alone.
func TestTheStateOfARunThatIsDoneIsEmpty(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	g := &gateway{users: 6, incomplete: map[int]bool{1: true}, refused: map[int]bool{2: true}}
	address := g.serve(t)
	if _, err := run(t, address, options(out)); !errors.Is(err, export.ErrIncomplete) {
		t.Fatal(err)
	}
	for range 2 { // the second of them finds that nothing is left to do
		result, err := run(t, address, options(out))
		if err != nil || result.Outcome != "COMPLETE_WITH_REFUSALS" || result.Counts.Users != 6 {
			t.Fatalf("%+v, %v", result, err)
		}
		folder := filepath.Join(out, "_state", result.Run+"-0")
		var left []string
		err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if info, err := entry.Info(); err != nil || info.Size() > 0 {
				left = append(left, filepath.Base(path))
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, []string{"state.json"}, left)
	}
	if len(g.requests) != 2 {
		t.Errorf("%d streams", len(g.requests))
	}
}
