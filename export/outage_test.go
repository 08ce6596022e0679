package export_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

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

// TestLateCallsAreReadAfterRefusals: what --strict does not accept of the night is no reason to leave the calls before it out.
func TestLateCallsAreReadAfterRefusals(t *testing.T) {
	t.Parallel()
	g := &gateway{users: 3, refused: map[int]bool{1: true}}
	var errs bytes.Buffer
	args := []string{"--server", g.serve(t), "--plaintext", "--out", t.TempDir(), "--strict", "--late-calls", "yesterday"}
	if code := cli.Run(t.Context(), args, io.Discard, &errs); code != cli.Refused {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if len(g.requests) != 2 || !slices.Equal(g.requests[1].GetSources(), []parleyv1.Source{parleyv1.Source_SOURCE_CALL}) {
		t.Errorf("streams %v", g.requests)
	}
}

// TestOutageOutlastsTheEvents has Graph down for some users and still when the list of users is read at the end. What is there is published,
// and the manifest says what is missing; the next run reads the users who are missing, and the list.
func TestOutageOutlastsTheEvents(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options(out)
	o.Stream.Retries = 2
	g := &gateway{users: 4, incomplete: map[int]bool{2: true}, listing: failure(codes.Unavailable, "GRAPH_UNAVAILABLE", -1)}
	address := g.serve(t)
	exporter := export.New(dial(t, address), o)
	result, err := exporter.Run(t.Context())
	if waiting := exporter.Progress().Waiting; waiting != "GRAPH_UNAVAILABLE" {
		t.Errorf("the run waited because of %q", waiting)
	}
	m := readManifest(t, out, result.Run)
	if !errors.Is(err, export.ErrIncomplete) || m.Outcome != "INCOMPLETE" || m.Counts.UsersRead != 3 || m.Counts.UsersIncomplete != 1 {
		t.Errorf("%v, %+v", err, m.Manifest)
	}
	equal(t, []string{"DATASETS_MISSING"}, noticeCodes(m))
	g.mu.Lock()
	g.listing = nil
	g.mu.Unlock()
	if result, err = run(t, address, o); err != nil || len(g.requests) != 2 {
		t.Fatalf("%v after %d streams", err, len(g.requests))
	}
	equal(t, []string{userID(2)}, g.requests[1].GetUserIds())
	m = readManifest(t, out, result.Run)
	if m.Outcome != "COMPLETE" || len(m.Notices) > 0 || len(rows[dataset.User](t, out, m, dataset.Users)) != 4 {
		t.Errorf("%+v", m.Manifest)
	}
	equal(t, wantKeys(4), keys(t, rows[dataset.Event](t, out, m, dataset.Events)))
}

// TestProgressNamesAnAbsentGateway: who looks at a run whose gateway is not there learns that from its progress.
func TestProgressNamesAnAbsentGateway(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Stream.Retries = 2
	exporter := export.New(dial(t, "127.0.0.1:1"), o)
	_, err := exporter.Run(t.Context())
	if waiting := exporter.Progress().Waiting; !errors.Is(err, export.ErrIncomplete) || waiting != "GATEWAY_UNAVAILABLE" {
		t.Errorf("%v, the run waited because of %q", err, waiting)
	}
}
