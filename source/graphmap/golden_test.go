package graphmap_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
)

var update = flag.Bool("update", false, "write the golden files")

// golden is a record in Graph's shape and the event that it becomes.
type golden struct {
	Root   string          `json:"root"`
	Record json.RawMessage `json:"record"`
	Event  json.RawMessage `json:"event"`

	path string
	file []byte
}

// goldens are the golden files.
func goldens(tb testing.TB) []golden {
	tb.Helper()
	paths, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no golden files: %v", err)
	}
	all := make([]golden, 0, len(paths))
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		g := golden{path: path, file: raw}
		if err := json.Unmarshal(raw, &g); err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
		all = append(all, g)
	}
	return all
}

// TestGolden maps one record per kind of event message detail and per kind of identity.
func TestGolden(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, g := range goldens(t) {
		event, err := table.Event(g.Root, g.Record)
		if err != nil {
			t.Fatalf("%s: %v", g.path, err)
		}
		if g.Event, err = protojson.Marshal(event); err != nil {
			t.Fatalf("%s: %v", g.path, err)
		}
		got := indented(t, g)
		if *update {
			if err := os.WriteFile(g.path, got, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(string(g.file), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", g.path, diff)
		}
	}
}

// TestGoldenIsComplete checks that every kind of detail that Graph declares has a golden file.
func TestGoldenIsComplete(t *testing.T) {
	t.Parallel()
	kinds := loadSchema(t).variants("eventMessageDetail", true)
	if len(kinds) != 31 {
		t.Errorf("%d kinds of detail", len(kinds))
	}
	for _, kind := range kinds {
		if _, err := os.Stat("testdata/golden/detail_" + strings.TrimSuffix(kind, "EventMessageDetail") + ".json"); err != nil {
			t.Error(err)
		}
	}
}

// indented spells JSON in one way: protojson's own spacing changes from build to build.
func indented(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}
