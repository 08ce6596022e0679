package export_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// kills is how often TestAKilledExportEndsWithTheSameRows kills the exporter; `make export-check` does it more often.
var kills = flag.Int("export.kills", 5, "how often the exporter is killed")

const childEnv = "PARLEY_EXPORT_TEST_CHILD"

// TestMain is the exporter's process, too, where a test wants one to kill.
func TestMain(m *testing.M) {
	if child := os.Getenv(childEnv); child != "" {
		if err := runChild(child); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func runChild(child string) error {
	address, out, _ := strings.Cut(child, " ")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = export.New(conn, options(out)).Run(context.Background())
	return err
}

func options(out string) export.Options {
	return export.Options{
		Out: out, State: filepath.Join(out, "_state"), Start: start, End: start.AddDate(0, 0, 1),
		Users: parleyv1.UserSelection_USER_SELECTION_ALL, Stream: parleyclient.Options{Backoff: time.Nanosecond, Retries: 1000},
		SpoolBytes: 2000, FileBytes: 4000,
	}
}

func run(t *testing.T, address string, o export.Options) (export.Result, error) {
	t.Helper()
	return export.New(dial(t, address), o).Run(t.Context())
}

func TestRunIsWhole(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	g := &gateway{users: 5}
	result, err := run(t, g.serve(t), options(out))
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, out, result.Run)
	events := rows[dataset.Event](t, out, m, dataset.Events)
	equal(t, wantKeys(5), keys(t, events))
	first := events[slices.IndexFunc(events, func(e dataset.Event) bool { return e.Kind == "EVENT_KIND_MESSAGE" })]
	if first.EventTimeText != "2026-11-30T00:00:00.1234567Z" || first.EventTime.Nanosecond() != 123456000 || first.Reactions != `[{"reactionType":"like"}]` || first.PlainText != "hello" {
		t.Errorf("event %+v", first)
	}
	turns := rows[dataset.Turn](t, out, m, dataset.Turns)
	if len(turns) != 5*eventsEach/4 || turns[0].Seconds == nil || *turns[0].Seconds != 1 || turns[0].Answers != 1 {
		t.Errorf("%d turns, the first %+v", len(turns), turns[0])
	}
	if calls := rows[dataset.Call](t, out, m, dataset.Calls); len(calls) != 2*5*eventsEach/4 || *calls[0].WorstPacketLossRate != 0.25 || *calls[0].WorstJitterSeconds != 0.25 {
		t.Errorf("%d calls, the first %+v", len(calls), calls[0])
	}
	if users := rows[dataset.User](t, out, m, dataset.Users); len(users) != 5 || users[0].DisplayName != "User 0" || users[0].State != "USER_STATE_READ" || !*users[0].Licensed {
		t.Errorf("users %+v", users)
	}
	if m.Outcome != "COMPLETE" || !m.Complete || len(m.Users) != 5 || m.Counts.UsersRead != 5 || m.Counts.GraphRequests != 7 || m.SettledUntil["CHAT"] == "" {
		t.Errorf("manifest %+v", m)
	}
	if _, err := os.Stat(filepath.Join(out, "_runs", result.Run, "_SUCCESS")); err != nil {
		t.Error(err)
	}
	// The same command again has nothing to do.
	before := len(g.requests)
	if again, err := run(t, g.serve(t), options(out)); err != nil || again.Outcome != "COMPLETE" || len(g.requests) != before {
		t.Errorf("again: %+v, %v, %d requests", again, err, len(g.requests)-before)
	}
}

func TestFailuresOfTheStream(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]error{
		"cut":          status.Error(codes.Unavailable, "connection reset"),
		"planned end":  failure(codes.Unavailable, "STREAM_ENDED", 0),
		"throttled":    failure(codes.ResourceExhausted, "GRAPH_THROTTLED", time.Nanosecond),
		"already runs": failure(codes.Aborted, "ALREADY_RUNNING", time.Nanosecond),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			g := &gateway{users: 5, overlap: 2, afterFrame: func(sent int) error {
				if sent%7 == 0 {
					return end
				}
				return nil
			}}
			result, err := run(t, g.serve(t), options(out))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, wantKeys(5), keys(t, rows[dataset.Event](t, out, readManifest(t, out, result.Run), dataset.Events)))
		})
	}
}

// TestAKilledExportEndsWithTheSameRows kills the process at several moments and begins it again each time.
func TestAKilledExportEndsWithTheSameRows(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	kill := make(chan struct{}, 1)
	g := &gateway{users: 6, overlap: 1, afterFrame: func(sent int) error {
		if sent%8 == 0 {
			select {
			case kill <- struct{}{}:
			default:
			}
		}
		return nil
	}}
	address := g.serve(t)
	killed := 0
	for range 200 {
		select {
		case <-kill:
		default:
		}
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+address+" "+out)
		var text strings.Builder
		child.Stderr = &text
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- child.Wait() }()
		var err error
		select {
		case err = <-ended:
		case <-kill:
			if killed++; killed <= *kills {
				_ = child.Process.Kill()
			}
			err = <-ended
		}
		if err == nil {
			break
		}
		if child.ProcessState.ExitCode() != -1 {
			t.Fatalf("exit %v: %s", err, text.String())
		}
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
	m := readManifest(t, out, export.New(dial(t, address), options(out)).Name())
	equal(t, wantKeys(6), keys(t, rows[dataset.Event](t, out, m, dataset.Events)))
	if turns := rows[dataset.Turn](t, out, m, dataset.Turns); len(turns) != 6*eventsEach/4 {
		t.Errorf("%d turns", len(turns))
	}
	if left, _ := filepath.Glob(filepath.Join(out, "_tmp*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestIncompleteUsersAreReadAgain(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	g := &gateway{users: 6, incomplete: map[int]bool{1: true, 4: true}, refused: map[int]bool{2: true}}
	address := g.serve(t)
	result, err := run(t, address, options(out))
	if !errors.Is(err, export.ErrIncomplete) || result.Outcome != "INCOMPLETE" {
		t.Fatalf("%+v, %v", result, err)
	}
	m := readManifest(t, out, result.Run)
	if m.Complete || m.Counts.UsersIncomplete != 2 || len(m.Failures) != 1 || m.Failures[0] != (export.Failures{Reason: "GRAPH_UNAVAILABLE", Source: "CHAT", Users: 2}) {
		t.Errorf("manifest %+v", m.Manifest)
	}
	if _, err := os.Stat(filepath.Join(out, "_runs", result.Run, "_SUCCESS")); err == nil {
		t.Error("an incomplete run has _SUCCESS")
	}
	result, err = run(t, address, options(out))
	if err != nil || result.Outcome != "COMPLETE_WITH_REFUSALS" {
		t.Fatalf("%+v, %v", result, err)
	}
	last := g.requests[len(g.requests)-1]
	equal(t, []string{userID(1), userID(4)}, last.GetUserIds())
	m = readManifest(t, out, result.Run)
	var want []string
	for _, key := range wantKeys(6) {
		if !strings.HasPrefix(key, userID(2)) {
			want = append(want, key)
		}
	}
	equal(t, want, keys(t, rows[dataset.Event](t, out, m, dataset.Events)))
	rows[dataset.User](t, out, m, dataset.Users)
	// A turn that has an answer now comes again, and no other one does.
	var answers []string
	for _, turn := range rows[dataset.Turn](t, out, m, dataset.Turns) {
		if turn.UserID == userID(1) {
			answers = append(answers, fmt.Sprint(turn.UID, " ", turn.Answers))
		}
	}
	slices.Sort(answers)
	equal(t, []string{"prompt-1-1 1", "prompt-1-5 0", "prompt-1-5 1", "prompt-1-9 1"}, answers)
	if want := int64(3*eventsEach/4 + 2*4); m.Counts.Rows[dataset.Turns] != want {
		t.Errorf("%d turns, want %d", m.Counts.Rows[dataset.Turns], want)
	}
	if len(m.Refusals) != 1 || m.Refusals[0].Reason != "USER_NOT_LICENSED" || m.Counts.UsersRefused != 1 || len(m.Users) != 6 {
		t.Errorf("manifest %+v", m.Manifest)
	}
	// Refusals are accepted, unless --strict.
	strict := options(out)
	strict.Strict = true
	if _, err := run(t, address, strict); !errors.Is(err, export.ErrRefused) {
		t.Errorf("strict: %v", err)
	}
}

func TestLateVersionsAreRows(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	g := &gateway{users: 2, incomplete: map[int]bool{1: true}, late: true}
	address := g.serve(t)
	if _, err := run(t, address, options(out)); !errors.Is(err, export.ErrIncomplete) {
		t.Fatal(err)
	}
	result, err := run(t, address, options(out))
	if err != nil {
		t.Fatal(err)
	}
	want := append(wantKeys(2), userID(1)+" message-0-0 2")
	slices.Sort(want)
	equal(t, want, keys(t, rows[dataset.Event](t, out, readManifest(t, out, result.Run), dataset.Events)))
}

func TestTheLastShardWritesTheManifest(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	address := (&gateway{users: 9}).serve(t)
	var last export.Result
	for shard := range 3 {
		o := options(out)
		o.Shard, o.Shards = shard, 3
		result, err := run(t, address, o)
		if err != nil {
			t.Fatal(err)
		}
		if (result.Manifest != "") != (shard == 2) {
			t.Errorf("shard %d: %+v", shard, result)
		}
		last = result
	}
	m := readManifest(t, out, last.Run)
	equal(t, wantKeys(9), keys(t, rows[dataset.Event](t, out, m, dataset.Events)))
	if len(m.Users) != 9 || m.Counts.Users != 9 || m.Counts.GraphRequests != 21 {
		t.Errorf("manifest %+v", m.Manifest)
	}
	if again, err := export.Finish(t.Context(), out, last.Run, false); err != nil || again.Outcome != "COMPLETE" {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestDeduplicatedAfterACut(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	g := &gateway{users: 4, afterFrame: func(sent int) error {
		if sent == 9 {
			return status.Error(codes.Unavailable, "cut")
		}
		return nil
	}}
	o := options(out)
	o.Deduplicate = true
	result, err := run(t, g.serve(t), o)
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, out, result.Run)
	events, copies := rows[dataset.Event](t, out, m, dataset.Events), rows[dataset.Copy](t, out, m, dataset.Copies)
	once := map[string]bool{}
	for _, e := range events {
		if once[e.UID] {
			t.Errorf("%s stands twice", e.UID)
		}
		once[e.UID] = true
	}
	if len(events)+len(copies) != 4*eventsEach || len(copies) != 2*eventsEach/4 {
		t.Errorf("%d events, %d copies", len(events), len(copies))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  error
		want error
	}{
		"not permitted": {failure(codes.PermissionDenied, "NOT_ALLOWED", -1), export.ErrRefused},
		"no such user":  {failure(codes.NotFound, "USER_NOT_FOUND", -1), export.ErrRefused},
		"down":          {status.Error(codes.Unavailable, "down"), export.ErrIncomplete},
	} {
		g := &gateway{users: 2, afterFrame: func(int) error { return c.end }}
		o := options(t.TempDir())
		o.Stream.Retries = -1
		if _, err := run(t, g.serve(t), o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARefusedDirectoryLeavesNamesOut(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	result, err := run(t, (&gateway{users: 3, listing: failure(codes.PermissionDenied, "NOT_ALLOWED", -1)}).serve(t), options(out))
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, out, result.Run)
	if users := rows[dataset.User](t, out, m, dataset.Users); len(users) != 3 || users[2].UserID != userID(2) {
		t.Errorf("users %+v", users)
	}
	if len(m.Notices) != 1 || m.Notices[0].Code != "DIRECTORY_REFUSED" {
		t.Errorf("notices %+v", m.Notices)
	}
}

func TestAnInterruptedExportGoesOn(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	g := &gateway{users: 4, afterFrame: func(sent int) error {
		if sent == 10 {
			cancel()
		}
		return nil
	}}
	address := g.serve(t)
	if _, err := export.New(dial(t, address), options(out)).Run(ctx); !errors.Is(err, export.ErrInterrupted) {
		t.Fatal(err)
	}
	result, err := run(t, address, options(out))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, wantKeys(4), keys(t, rows[dataset.Event](t, out, readManifest(t, out, result.Run), dataset.Events)))
}

func TestRefusedTokenBeginsAnew(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	g := &gateway{users: 4, afterFrame: func(sent int) error {
		if sent == 20 {
			return failure(codes.PermissionDenied, "NOT_ALLOWED", -1)
		}
		return nil
	}}
	address := g.serve(t)
	if _, err := run(t, address, options(out)); !errors.Is(err, export.ErrRefused) {
		t.Fatal(err)
	}
	states, err := filepath.Glob(filepath.Join(out, "_state", "*", "state.json"))
	if err != nil || len(states) != 1 {
		t.Fatal(states, err)
	}
	text, err := os.ReadFile(states[0])
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	state["token"] = "of another key"
	if text, err = json.Marshal(state); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(states[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	result, err := run(t, address, options(out))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, wantKeys(4), keys(t, rows[dataset.Event](t, out, readManifest(t, out, result.Run), dataset.Events)))
}

func TestLateCallsAreReadWhereThereAreAny(t *testing.T) {
	t.Parallel()
	o := options("out")
	for name, c := range map[string]struct {
		change func(*export.Options)
		now    time.Time
		want   bool
	}{
		"a night":         {func(*export.Options) {}, o.End, true},
		"no calls":        {func(o *export.Options) { o.Sources = []parleyv1.Source{parleyv1.Source_SOURCE_CHAT} }, o.End, false},
		"no such dataset": {func(o *export.Options) { o.Datasets = []string{dataset.Turns, dataset.Users} }, o.End, false},
		"long past":       {func(*export.Options) {}, o.End.AddDate(0, 0, 26), false},
	} {
		o := o
		c.change(&o)
		late, ok := o.LateCalls(c.now)
		if ok != c.want {
			t.Errorf("%s: %t", name, ok)
		}
		if !late.Start.Equal(start.AddDate(0, 0, -2)) || !late.End.Equal(start) || !slices.Equal(late.Sources, []parleyv1.Source{parleyv1.Source_SOURCE_CALL}) || late.Run() == o.Run() {
			t.Errorf("%s: %+v", name, late)
		}
		if ok && !slices.Equal(late.Datasets, []string{dataset.Events, dataset.Calls}) {
			t.Errorf("%s: %v", name, late.Datasets)
		}
	}
}

// TestProgressAgreesWithTheManifest holds what a run tells about itself against its manifest, and that it tells the same when nothing is left to do.
func TestProgressAgreesWithTheManifest(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	var reads atomic.Bool
	var running atomic.Pointer[export.Exporter]
	g := &gateway{users: 5, afterFrame: func(sent int) error {
		state := running.Load().Progress().State
		if sent == 1 && (state == export.StateListing || state == export.StateReading) {
			reads.Store(true)
		}
		return nil
	}}
	conn := dial(t, g.serve(t))
	for _, events := range []int64{5 * eventsEach, 0} {
		exporter := export.New(conn, options(out))
		running.Store(exporter)
		result, err := exporter.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m, now := readManifest(t, out, result.Run), exporter.Progress()
		bytes := int64(0)
		for _, file := range m.Files {
			bytes += file.Bytes
		}
		if now.State != export.StateEnded || now.Events != events || now.GraphRequests != 7 || now.Files != len(m.Files) || now.FileBytes != bytes ||
			!maps.Equal(now.Rows, m.Counts.Rows) {
			t.Errorf("%+v, the manifest %+v", now, m.Manifest)
		}
	}
	if !reads.Load() {
		t.Error("the stream is read in another state")
	}
}
