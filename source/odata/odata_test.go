package odata_test

import (
	"testing"
	"time"

	"github.com/parley-gateway/parley/source/odata"
)

func TestExpressionsAreWrittenAsGraphReadsThem(t *testing.T) {
	t.Parallel()
	at := func(ns int) time.Time { return time.Date(2024, 2, 29, 23, 59, 59, ns, time.FixedZone("", -3600)) }
	for _, tc := range []struct{ got, want string }{
		{odata.Literal("it's 'x'"), "'it''s ''x'''"},
		{odata.Instant(at(0)), "2024-03-01T00:59:59Z"},
		{odata.Instant(at(510_000_000)), "2024-03-01T00:59:59.51Z"},
		{odata.Instant(at(123_456_789)), "2024-03-01T00:59:59.1234567Z"},
		// Bounds are whole seconds: a Graph that rounds them has nothing to round.
		{odata.Between("t", at(0), at(1)), "t gt 2024-03-01T00:59:58Z and t lt 2024-03-01T01:00:01Z"},
		{odata.Between("t", at(1), at(999_999_999)), "t gt 2024-03-01T00:59:58Z and t lt 2024-03-01T01:00:01Z"},
		{odata.Between("t", at(999_999_999), at(0).Add(time.Second)), "t gt 2024-03-01T00:59:58Z and t lt 2024-03-01T01:00:01Z"},
		{odata.AnyEqual("a", nil), ""},
		{odata.AnyEqual("a", []string{"b"}), "a eq 'b'"},
		{odata.AllOf("", odata.AnyEqual("a", []string{"b", "c"}), "d"), "(a eq 'b' or a eq 'c') and d"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}
