package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

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
			var end atomic.Int64 // frame that ends a connection
			end.Store(9)
			g := &gateway{users: 3, notices: []*parleyv1.Notice{notice}, incomplete: map[int]bool{1: true}, afterFrame: func(sent int) error {
				if int64(sent) == end.Load() {
					return failure(codes.PermissionDenied, "NOT_ALLOWED", -1)
				}
				return nil
			}}
			address := g.serve(t)
			// Another process goes on with the stream, which does not repeat the notice.
			if _, err := run(t, address, options(out)); !errors.Is(err, export.ErrRefused) {
				t.Fatal(err)
			}
			result, err := run(t, address, options(out))
			if !errors.Is(err, export.ErrIncomplete) || result.Outcome != "INCOMPLETE" {
				t.Fatalf("%+v, %v", result, err)
			}
			equal(t, []string{notice.GetCode()}, noticeCodes(readManifest(t, out, result.Run)))
			if _, err := os.Stat(filepath.Join(out, "_runs", result.Run, "_SUCCESS")); err == nil {
				t.Error("the run has _SUCCESS")
			}
			// From the first file of the new reading on, nothing says what the run has.
			g.mu.Lock()
			g.users, g.notices, g.incomplete = 4, nil, nil
			end.Store(int64(g.sent) + 25)
			g.mu.Unlock()
			if _, err := run(t, address, options(out)); !errors.Is(err, export.ErrRefused) {
				t.Fatal(err)
			}
			equal(t, []string{}, published(t, out, result.Run))
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
