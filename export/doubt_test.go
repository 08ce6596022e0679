package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

// TestWhatIsInDoubtIsReadAnew: where the interval was not over, or the list of users is not whole, no summary of a user says what is missing. The
// run is incomplete, and its next round reads everything.
func TestWhatIsInDoubtIsReadAnew(t *testing.T) {
	t.Parallel()
	for name, notice := range map[string]*parleyv1.Notice{
		"the interval is not over":       {Code: "END_CUT_TO_NOW"},
		"the list of users is not whole": {Code: "PAGING_LOOP", Source: parleyv1.Source_SOURCE_USER},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			g := &gateway{users: 3, notices: []*parleyv1.Notice{notice}}
			address := g.serve(t)
			result, err := run(t, address, options(out))
			if !errors.Is(err, export.ErrIncomplete) || result.Outcome != "INCOMPLETE" {
				t.Fatalf("%+v, %v", result, err)
			}
			equal(t, []string{notice.GetCode()}, noticeCodes(readManifest(t, out, result.Run)))
			if _, err := os.Stat(filepath.Join(out, "_runs", result.Run, "_SUCCESS")); err == nil {
				t.Error("the run has _SUCCESS")
			}
			g.mu.Lock()
			g.users, g.notices = 4, nil
			g.mu.Unlock()
			if result, err = run(t, address, options(out)); err != nil || result.Outcome != "COMPLETE" {
				t.Fatalf("%+v, %v", result, err)
			}
			m := readManifest(t, out, result.Run)
			equal(t, wantKeys(4), keys(t, rows[dataset.Event](t, out, m, dataset.Events)))
			if len(m.Notices) > 0 || len(m.Users) != 4 {
				t.Errorf("manifest %+v", m)
			}
		})
	}
}
