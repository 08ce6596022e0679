package timeline_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/timeline"
)

// brokenSealer fails once.
type brokenSealer struct {
	seal.Sealer

	failed atomic.Bool
}

// Seal implements seal.Sealer.
func (s *brokenSealer) Seal(plain, associated []byte) (string, error) {
	if !s.failed.Swap(true) {
		return "", errors.New("broken")
	}
	return s.Sealer.Seal(plain, associated)
}

// TestTenantTellsItsOwnFault: a user whose reading breaks in the gateway is not taken for read.
func TestTenantTellsItsOwnFault(t *testing.T) {
	t.Parallel()
	keys, err := seal.Random()
	if err != nil {
		t.Fatal(err)
	}
	start, end := base()
	p := newPeople(12, start, end)
	n := p.read(t, newEngine(t, timeline.Config{Sealer: &brokenSealer{Sealer: keys}}), nightRequest(start, end), "")
	if got := n.summary; got.GetUsersIncomplete() != 1 || len(got.GetFailures()) != 1 || got.GetFailures()[0].GetReason() != "SOURCE_FAILED" {
		t.Errorf("%v", got)
	}
	req := nightRequest(start, end)
	req.Users = []string{n.summary.GetIncompleteUsers()[0][len("users/"):]}
	if again := p.read(t, newEngine(t, timeline.Config{}), req, ""); !again.summary.GetComplete() {
		t.Errorf("%v", again.summary)
	}
}

// TestTenantWithoutUsers: a directory that lists nobody is no whole tenant.
func TestTenantWithoutUsers(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(0, start, end)
	n := p.read(t, newEngine(t, timeline.Config{}), nightRequest(start, end), "")
	if got := n.summary; got.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE || got.GetComplete() || !slices.Equal(n.notices, []string{"SUSPECTED_TRUNCATION"}) {
		t.Errorf("%v, notices %v", got, n.notices)
	}
}
