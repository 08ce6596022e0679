package fetch

import (
	"context"
	"strconv"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/window"
)

// heavy is a source of large rows, evenly spread, in pages of ten.
type heavy struct {
	every time.Duration
	bytes int
	most  int64 // the account's bytes at the most, while pages are read
	asked func()
}

func (h *heavy) Events(_ context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	h.asked()
	page := &source.Page[source.Item]{ReadAt: time.Now()}
	skip, _ := strconv.Atoi(link)
	for i := range 10 {
		at := q.Start.Truncate(h.every).Add(time.Duration(1+skip+i) * h.every)
		if !at.Before(q.End) {
			page.Rows = i
			return page, nil
		}
		page.Items = append(page.Items, source.Item{Key: at.String(), Time: at, Basic: make([]byte, h.bytes)})
	}
	page.Rows, page.Next = 10, strconv.Itoa(skip+10)
	return page, nil
}

// TestLargeRowsMakeNarrowWindows: bounded in bytes. Few rows that are large are too much for a window, whatever
// its width, and windows behind it are planned for what was seen.
func TestLargeRowsMakeNarrowWindows(t *testing.T) {
	t.Parallel()
	books := ledger.New(ledger.Config{Limit: 32 << 20, Each: 4 << 20})
	for name, c := range map[string]struct {
		level window.Level
		bytes int
		split bool
	}{
		"a day of small rows":   {window.Day, 100, false},
		"a day of large rows":   {window.Day, 100 << 10, true},
		"an hour of small rows": {window.Hour, 100, false},
		"an hour of huge rows":  {window.Hour, 1 << 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := books.Open(0)
			h := &heavy{every: 2 * time.Minute, bytes: c.bytes}
			h.asked = func() { h.most = max(h.most, account.Held()) }
			r := &Reader{
				Source: parleyv1.Source_SOURCE_CHAT, MaxPages: 1000, Events: h, account: account, rowUnit: WindowBytes(books.Config()) / window.TargetRows,
			}
			from := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)
			b := r.read(t.Context(), &Request{Window: window.Window{Span: window.Span{Start: from, End: c.level.Next(from)}, Level: c.level}})
			if b.Reread.Split() != c.split || b.Failed != nil || !c.split && len(b.Entries) < 29 {
				t.Errorf("split %t, want %t: %v", b.Reread.Split(), c.split, b.Failed)
			}
			if most := int64(4<<20 + 40*c.bytes); h.most > most {
				t.Errorf("%d bytes were held, want at most %d", h.most, most)
			}
			if n := account.Held(); n != 0 {
				t.Errorf("%d bytes are still held", n)
			}
		})
	}
}
