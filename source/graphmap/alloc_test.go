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
		draft, err := table.Draft(graphmap.RootChatMessage, record)
		if err != nil {
			t.Fatal(err)
		}
		draft.Encode()
		draft.Release()
	})
	if got > 2 { // a collection may empty the pool
		t.Errorf("%.0f allocations", got)
	}
}
