//go:build !race

package lane_test

import (
	"fmt"
	"net/http"
	"testing"
)

// TestAllocations bounds what a request takes beside its handler: what net/http allocates for reading it, and its context.
func TestAllocations(t *testing.T) {
	s := laned(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	if got := testing.AllocsPerRun(2000, oneAfterAnother(t, s.addr, len("ok"))); got > 12 {
		t.Errorf("%.0f allocations", got)
	}
}
