package pager_test

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/pager"
)

func newLister(t *testing.T) *pager.Lister {
	t.Helper()
	return newDerivingLister(t, nil)
}

// newDerivingLister returns a Lister that also lists conversations that are derived from events.
func newDerivingLister(t *testing.T, derive pager.Deriver) *pager.Lister {
	t.Helper()
	keys, err := seal.Random()
	if err != nil {
		t.Fatal(err)
	}
	return pager.New(pager.Config{Sealer: keys, MaxPages: 10000, Heartbeat: 15 * time.Second, ListTime: 20 * time.Second, Derive: derive})
}

func fail(kind graph.Kind) error {
	return &graph.Error{Kind: kind, RequestID: "req-" + kind.String(), Requests: 1}
}

func checkFatal(t *testing.T, err error, reason string, cause error) {
	t.Helper()
	var own *failure.Error
	if !errors.As(err, &own) || reasons.Text(own.Reason) != reason || cause != nil && !errors.Is(err, cause) {
		t.Errorf("error %v, want %s with %v inside", err, reason, cause)
	}
}
