package timeline_test

import (
	"testing"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
)

func TestEverySourceOfEventsHasACount(t *testing.T) {
	var counts timeline.SourceCounts
	for _, src := range source.EventSources() {
		if int(src) >= len(counts) {
			t.Errorf("SourceCounts has no place for %v: its length must follow the last source of events", src)
		}
	}
}
