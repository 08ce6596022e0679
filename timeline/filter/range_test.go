package filter_test

import (
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/filter"
)

func TestAFilterBoundsTheInterval(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC) }
	open := time.Time{}
	for text, want := range map[string][2]time.Time{
		``:                                     {open, open},
		`kind = EVENT_KIND_CALL`:               {open, open},
		`event_time >= "2026-03-02T00:00:00Z"`: {at(2), open},
		`event_time > "2026-03-02T00:00:00Z" event_time < "2026-03-09T00:00:00Z"`:                               {at(2).Add(1), at(9)},
		`event_time >= "2026-03-02T01:00:00+01:00" AND event_time <= "2026-03-09T00:00:00Z"`:                    {at(2), at(9).Add(1)},
		`event_time = "2026-03-02T00:00:00Z"`:                                                                   {at(2), at(2).Add(1)},
		`event_time != "2026-03-02T00:00:00Z"`:                                                                  {open, open},
		`create_time >= "2026-03-02T00:00:00Z"`:                                                                 {open, open},
		`NOT event_time >= "2026-03-02T00:00:00Z"`:                                                              {open, open},
		`event_time >= "2026-03-02T00:00:00Z" OR kind = EVENT_KIND_CALL`:                                        {open, open},
		`kind = EVENT_KIND_CALL AND (event_time >= "2026-03-02T00:00:00Z" event_time < "2026-03-05T00:00:00Z")`: {at(2), at(5)},
		`event_time >= "2026-03-02T00:00:00Z" event_time >= "2026-03-04T00:00:00Z" event_time < "2026-03-09T00:00:00Z" event_time < "2026-03-07T00:00:00Z"`: {at(4), at(7)},
	} {
		f, err := filter.Compile(text, filter.Events(), parleyv1.EventView_EVENT_VIEW_BASIC)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if from, to := f.Range("event_time"); from != want[0] || to != want[1] {
			t.Errorf("%s: from %v to %v, want %v", text, from, to, want)
		}
	}
}
