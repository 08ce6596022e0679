package timeline_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestDoubtsAreNotCached: once Graph is sound again, pages that were kept from a doubtful reading do no harm.
func TestDoubtsAreNotCached(t *testing.T) {
	t.Parallel()
	faults := map[string]func(link string, p *page) (*page, error){
		"loop": func(link string, p *page) (*page, error) {
			if link != "" {
				p.Next = link
			}
			return p, nil
		},
		"repeated page": func(_ string, p *page) (*page, error) {
			p.Next = strings.Replace(p.Next, "skip=10", "skip=0", 1)
			return p, nil
		},
		"row outside": func(_ string, p *page) (*page, error) {
			p.Items = append(slices.Clone(p.Items), outOfWindowItem(time.Unix(0, 0), "far"))
			return p, nil
		},
		"forgotten link": func(link string, p *page) (*page, error) {
			if link != "" {
				return nil, fail(graph.KindBadRequest)
			}
			p.Next = "https://graph/forgotten?skip=10"
			return p, nil
		},
	}
	for name, fault := range faults {
		for _, conversation := range []string{"", "19:x@thread.v2"} {
			t.Run(name+conversation, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(26 * 365 * 24 * time.Hour)
					start, end := march()
					g := &fakeGraph{src: chat, size: 10, rows: spread("m", 30, start, end)}
					g.hook = func(_ int, _ source.EventQuery, link string, p *page) (*page, error) { return fault(link, p) }
					kept, err := cache.New(cache.Config{})
					if err != nil {
						t.Fatal(err)
					}
					defer kept.Close()
					have := query.Sources{Events: map[parleyv1.Source]source.EventReader{chat: readers.New(kept, readers.Config{}).Events(g, readers.Scope{Source: chat})}}
					e := newEngine(t, timeline.Config{})
					req := chatRequest()
					req.Conversation, req.OrderBy = conversation, query.EventTimeDesc
					if r := stream(t, e, have, req, ""); r.summary.GetComplete() {
						t.Fatal("complete in spite of the fault")
					}
					g.hook = nil
					time.Sleep(11 * time.Second)
					r := stream(t, e, have, req, "")
					if diff := gocmp.Diff(want(start, end, true, g), ids(r.events)); diff != "" || !r.summary.GetComplete() {
						t.Errorf("after the fault (-want +got):\n%s%v", diff, r.summary)
					}
					asked := g.requests()
					if r := stream(t, e, have, req, ""); !r.summary.GetComplete() || g.requests() != asked {
						t.Errorf("the sound reading is not kept: %d more requests", g.requests()-asked)
					}
				})
			})
		}
	}
}
