package export_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/cli"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// TestProgramWithoutGraph runs the program over a night in the middle of which Graph was down, and once more when it is back. The first run
// says who is missing, by its exit code, its text and its manifest; the second one reads these users alone.
func TestProgramWithoutGraph(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	g := &gateway{users: 6, incomplete: map[int]bool{1: true, 4: true}}
	address := g.serve(t)
	program := func(want int) (name, said string) {
		var text, errs bytes.Buffer
		args := []string{"--server", address, "--plaintext", "--out", out, start.Format("2006-01-02")}
		if code := cli.Run(t.Context(), args, &text, &errs); code != want {
			t.Fatalf("exit code %d, want %d: %s%s", code, want, text.String(), errs.String())
		}
		return strings.Fields(text.String())[1], text.String() + errs.String()
	}
	states := func(m manifest, state string) (users []string) {
		for _, user := range m.Users {
			if user.State == state {
				users = append(users, user.User)
			}
		}
		return users
	}

	name, said := program(cli.Incomplete)
	for _, text := range []string{"outcome   INCOMPLETE", "users     4 read, 0 refused, 2 incomplete", "missing   2 users: GRAPH_UNAVAILABLE CHAT", "run the same command again"} {
		if !strings.Contains(said, text) {
			t.Errorf("the program does not say %q:\n%s", text, said)
		}
	}
	m := readManifest(t, out, name)
	equal(t, []string{userID(1), userID(4)}, states(m, "INCOMPLETE"))
	equal(t, []string{userID(0), userID(2), userID(3), userID(5)}, states(m, "READ"))
	if m.Outcome != "INCOMPLETE" || m.Complete || !slices.Equal(m.Failures, []export.Failures{{Reason: "GRAPH_UNAVAILABLE", Source: "CHAT", Users: 2}}) {
		t.Errorf("%+v", m.Manifest)
	}
	success := filepath.Join(out, "_runs", name, "_SUCCESS")
	if _, err := os.Stat(success); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("_SUCCESS of an incomplete run: %v", err)
	}

	again, _ := program(cli.Done)
	if again != name || len(g.requests) != 2 {
		t.Errorf("the run %s is %s, after %d streams", name, again, len(g.requests))
	}
	equal(t, []string{userID(1), userID(4)}, g.requests[1].GetUserIds())
	m = readManifest(t, out, name)
	if _, err := os.Stat(success); err != nil || !m.Complete || len(m.Failures) > 0 || len(states(m, "READ")) != 6 {
		t.Errorf("%v, %+v", err, m.Manifest)
	}
	equal(t, wantKeys(6), keys(t, rows[dataset.Event](t, out, m, dataset.Events)))
}
