package interceptor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/internal/ledger"
)

// TestRoomIsMadeForCallsThatStay lets one call come to a ledger with a limit of 100 bytes and shares of a tenth.
func TestRoomIsMadeForCallsThatStay(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Admitted  bool
		Ended     int // calls that end for it
		Committed int64
	}
	eightOfB := []int64{10, 10, 10, 10, 10, 10, 10, 10}
	for name, test := range map[string]struct {
		held     map[string][]int64 // bytes of the calls under way, by caller
		newcomer int64              // bytes of a call of A
		want     outcome
	}{
		"there is room":                      {map[string][]int64{"B": eightOfB}, 20, outcome{true, 0, 100}},
		"others hold most":                   {map[string][]int64{"B": eightOfB}, 30, outcome{true, 1, 110}},
		"A holds most once others make room": {map[string][]int64{"B": eightOfB}, 60, outcome{false, 0, 80}},
		"A holds most":                       {map[string][]int64{"A": {50}, "B": {10, 10, 10}}, 30, outcome{false, 0, 80}},
		"two others hold most":               {map[string][]int64{"B": {10, 10, 10, 10}, "C": {10, 10, 10, 10}}, 35, outcome{true, 2, 115}},
		"nobody holds more than a share":     {map[string][]int64{"B": {10}, "C": {10}, "D": {10}}, 5, outcome{true, 0, 35}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &byteShares{ledger: ledger.New(ledger.Config{Limit: 100}), share: 0.1, calls: map[*ledger.Account]*accountedCall{}}
			var got outcome
			for caller, sizes := range test.held {
				for _, size := range sizes {
					if b.admitCall(&accountedCall{caller: caller, weight: 1, end: func() { got.Ended++ }}, size) == nil {
						t.Fatalf("a call of %s was refused", caller)
					}
				}
			}
			got.Admitted = b.admitCall(&accountedCall{caller: "A", weight: 1}, test.newcomer) != nil
			got.Committed = b.ledger.Committed()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for _, call := range b.calls {
				if !got.Admitted && call.ending {
					t.Errorf("a call of %s counts as ending", call.caller)
				}
			}
		})
	}
}
