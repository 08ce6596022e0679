//go:build !race

package graphmap_test

import (
	"testing"

	"github.com/parley-gateway/parley/source/graphmap"
)

// TestDraftAllocations: a draft costs its bytes, and nothing else that is not used again.
func TestDraftAllocations(t *testing.T) {
	table, record := newTable(t), []byte(chatRecord)
	got := testing.AllocsPerRun(100, func() {
		draft, ok := table.Draft(graphmap.RootChatMessage, record)
		if !ok {
			t.Fatal("refused")
		}
		draft.Encode()
		table.Release(draft)
	})
	if got > 2 { // a collection may empty the pool
		t.Errorf("%.0f allocations", got)
	}
}
