package cursor

import (
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/window"
)

// TestTokenKeepsTheReasonsOfGaps: a gap says why, also across a resume. Every reason comes out of a token as it went in.
func TestTokenKeepsTheReasonsOfGaps(t *testing.T) {
	t.Parallel()
	for number, name := range parleyv1.ErrorReason_name {
		reason := parleyv1.ErrorReason(number)
		data, err := (&Events{Sources: []Source{{Reason: reason, Gaps: []window.Gap{{Reason: reason}}}}}).encode()
		if err != nil {
			t.Fatal(err)
		}
		e, err := decodeEvents(data)
		if err != nil || e.Sources[0].Reason != reason || e.Sources[0].Gaps[0].Reason != reason {
			t.Errorf("%s comes out of a token as %v: %v", name, e, err)
		}
		if data, err = (&Pages{GapReasons: []parleyv1.ErrorReason{reason}}).encode(); err != nil {
			t.Fatal(err)
		}
		if p, err := decodePages(data); err != nil || p.GapReasons[0] != reason {
			t.Errorf("%s comes out of a token as %v: %v", name, p, err)
		}
	}
}
