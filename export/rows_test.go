package export_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

type manifest struct {
	export.Manifest

	Users []struct {
		User  string `json:"user"`
		State string `json:"state"`
	} `json:"users"`
}

func readManifest(t *testing.T, out, name string) manifest {
	t.Helper()
	var m manifest
	text, err := os.ReadFile(filepath.Join(out, "_runs", name, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return m
}

// rows reads a dataset back, and holds the files against the manifest.
func rows[T any](t *testing.T, out string, m manifest, name string) []T {
	t.Helper()
	var all []T
	var want []string
	for _, file := range m.Files {
		if file.Dataset != name {
			continue
		}
		want = append(want, filepath.Join(out, file.Path))
		got, err := parquet.ReadFile[T](filepath.Join(out, file.Path))
		if err != nil {
			t.Fatalf("%s: %v", file.Path, err)
		}
		if int64(len(got)) != file.Rows {
			t.Errorf("%s has %d rows, the manifest says %d", file.Path, len(got), file.Rows)
		}
		all = append(all, got...)
	}
	found, err := filepath.Glob(filepath.Join(out, "run_date=*", "dataset="+name, "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("files of %s, manifest (-) and folder (+):\n%s", name, diff)
	}
	if int64(len(all)) != m.Counts.Rows[name] {
		t.Errorf("%s has %d rows, the manifest says %d", name, len(all), m.Counts.Rows[name])
	}
	return all
}

// keys are the rows of events by owner, uid and version; each stands once.
func keys(t *testing.T, events []dataset.Event) []string {
	t.Helper()
	out := make([]string, 0, len(events))
	for _, e := range events {
		out = append(out, fmt.Sprint(e.UserID, " ", e.UID, " ", e.Version))
	}
	slices.Sort(out)
	for i := 1; i < len(out); i++ {
		if out[i] == out[i-1] {
			t.Errorf("%s stands twice", out[i])
		}
	}
	return out
}

func wantKeys(users int) []string {
	out := make([]string, 0, users*eventsEach)
	for user := range users {
		for i := range eventsEach {
			out = append(out, fmt.Sprint(userID(user), " ", event(user, i, 1).GetUid(), " ", 1))
		}
	}
	slices.Sort(out)
	return out
}

func equal(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows, want (-) and got (+):\n%s", diff)
	}
}
