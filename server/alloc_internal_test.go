//go:build !race

package server

import (
	"testing"

	"github.com/parley-gateway/parley/timeline"
)

// TestChainAllocations bounds what all interceptors, the service and the timeline take of a unary call whose page is kept, both audit records included.
func TestChainAllocations(t *testing.T) {
	call := oneCall(t, newBench(t, newKept(t, 1, 0)))
	if got := testing.AllocsPerRun(2000, call); got > 70 {
		t.Errorf("%.0f allocations", got)
	}
}

// TestCodecAllocations bounds what it takes to hand a batch, or a page, to the transport.
func TestCodecAllocations(t *testing.T) {
	kept, c := newKept(t, 50, 1), newCodec()
	for name, most := range map[string]float64{"batch": 1, "page": 3} {
		message := any(&timeline.Batch{Runs: [][]byte{kept.list}, Count: 50})
		if name == "page" {
			message = onePageOf(kept)
		}
		got := testing.AllocsPerRun(200, func() {
			if _, err := c.Marshal(message); err != nil {
				t.Fatal(err)
			}
		})
		if got > most {
			t.Errorf("%s: %.0f allocations", name, got)
		}
	}
}

// TestRESTListAllocations bounds what the REST face takes of a page, beside its rendering, which is made once for a page
// that is kept.
func TestRESTListAllocations(t *testing.T) {
	page := onePage(t, newBench(t, newKept(t, 50, 0)))
	if got := testing.AllocsPerRun(200, page); got > 150 {
		t.Errorf("%.0f allocations", got)
	}
}
