package journal_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/journal"
)

func open(t *testing.T, folder string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(folder, "run", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func end(t *testing.T, j *journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func users(t *testing.T, j *journal.Journal) (names []string) {
	t.Helper()
	for user, err := range j.UserSummaries() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, user.GetUser())
	}
	return names
}

// TestAResetThatFailsChangesNothing resets a journal whose state file cannot be written: the state before holds, with its logs.
func TestAResetThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	j := open(t, folder)
	if err := j.AppendUser(&parleyv1.UserSummary{User: "users/a"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(folder, "state.json.new")
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.Reset(time.Unix(1, 0)); err == nil {
		t.Error("a reset without a state file succeeds")
	}
	end(t, j)
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	j = open(t, folder)
	defer end(t, j)
	if names := users(t, j); len(names) != 1 {
		t.Errorf("users %v", names)
	}
	if err := j.Reset(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if names := users(t, j); len(names) != 0 || j.State.RoundStart != -1 {
		t.Errorf("after a reset: users %v, %+v", names, j.State)
	}
}
