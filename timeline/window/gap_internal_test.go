package window

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

func TestGapsAreJoinedAndBounded(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC) }
	const a, b = parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP, parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE
	g := func(from, to int, reason parleyv1.ErrorReason) Gap {
		return Gap{Span{Start: at(from), End: at(to)}, reason}
	}
	tests := []struct {
		name string
		add  []Gap
		want []Gap
	}{
		{"once", []Gap{g(1, 2, a), g(1, 2, a)}, []Gap{g(1, 2, a)}},
		{"inside", []Gap{g(1, 9, a), g(2, 3, a)}, []Gap{g(1, 9, a)}},
		{"two reasons", []Gap{g(1, 2, a), g(1, 2, b)}, []Gap{g(1, 2, a), g(1, 2, b)}},
		{"ordered", []Gap{g(5, 6, a), g(1, 2, a)}, []Gap{g(1, 2, a), g(5, 6, a)}},
		{"adjoining", []Gap{g(2, 3, a), g(1, 2, a)}, []Gap{g(1, 3, a)}},
	}
	for _, test := range tests {
		var got []Gap
		for _, one := range test.add {
			got = AddGap(got, one)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	var many []Gap
	for i := range 50 {
		many = AddGap(many, Gap{Span{Start: at(0).AddDate(0, 0, 2*i), End: at(0).AddDate(0, 0, 2*i+1)}, a})
	}
	if len(many) != MaxGaps || !many[0].Start.Equal(at(0)) || !many[len(many)-1].End.Equal(at(0).AddDate(0, 0, 99)) {
		t.Errorf("50 gaps became %d that do not cover them: %v", len(many), many)
	}
}
