package fetch

import (
	"context"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/seen"
	"github.com/parley-gateway/parley/timeline/window"
)

// leaving is a source whose reader leaves while the last page of a window is read.
type leaving struct {
	leave context.CancelFunc
	pages int
	left  bool // the reader's end is told with the page, or by an error
}

func (l *leaving) Events(ctx context.Context, _ source.EventQuery, link string) (*source.Page[source.Item], error) {
	l.pages++
	page := &source.Page[source.Item]{Rows: 1, ReadAt: time.Now(), Items: []source.Item{{
		Key: string(rune('a' + l.pages)), Time: time.Unix(int64(l.pages), 0), Basic: []byte{},
	}}}
	if link == "" {
		page.Next = "next"
		return page, nil
	}
	l.leave()
	if l.left {
		return nil, ctx.Err()
	}
	return page, nil
}

// TestAbandonedWindowsBuildNothing: leaving costs nothing. Whatever was read of a window when its reader
// leaves is dropped at once, be it a part of it or all; neither windows nor pages of a chat's chain are made of it.
func TestAbandonedWindowsBuildNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ midway, chain bool }{
		"midway": {midway: true}, "at its end": {}, "a page of a chain": {chain: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, leave := context.WithCancel(t.Context())
			books := ledger.New(ledger.Config{})
			r := &Reader{account: books.Open(0), Source: parleyv1.Source_SOURCE_CHAT, MaxPages: 10, Desc: c.chain, Events: &leaving{leave: leave, left: c.midway}}
			w := window.Window{Span: window.Span{Start: time.Unix(0, 0), End: time.Unix(3600, 0)}, Level: window.Hour}
			var res *Result
			if c.chain {
				res = r.NextPage(ctx, &ReverseChain{Rest: w.Span, query: r.queryFor(w.Span), link: "next", links: links.Set{}, shown: &seen.Set{}})
			} else {
				res = r.read(ctx, &Request{Window: w})
			}
			if res.Failed == nil || !failure.IsContext(res.Failed.Err) {
				t.Errorf("failure %v, want that of the context", res.Failed)
			}
			if res.Chunk != nil || len(res.Entries) > 0 || res.Rows != 0 {
				t.Errorf("a result of %d rows was made for nobody: %v", res.Rows, res.Chunk)
			}
			if n := books.Committed(); n != 0 {
				t.Errorf("%d bytes count as read ahead", n)
			}
		})
	}
}
