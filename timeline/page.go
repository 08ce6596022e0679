package timeline

import (
	"context"
	"sync"
	"time"
	"weak"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/query"
)

// Page is one answer of ListEvents. It may be shared by calls: nothing of it is ever changed.
type Page struct {
	// Message is the answer without its events; it has no unknown fields. Clone it to change it.
	Message *parleyv1.ListEventsResponse
	// Events is the answer's list field events as it is on the wire.
	Events []byte
	// Count is the number of the events.
	Count int
	// BySource are the same events by their sources.
	BySource SourceCounts

	cached *cachedPage // nil = the page is not cached
}

// With returns a page of the same events that has another message, or other bytes of the events, and is not cached.
func (p *Page) With(message *parleyv1.ListEventsResponse, events []byte) *Page {
	return &Page{Message: message, Events: events, Count: p.Count, BySource: p.BySource}
}

// SourceCounts are numbers of events by parleyv1.Source. The length follows the last source that has events.
type SourceCounts [parleyv1.Source_SOURCE_RETAINED_CHAT + 1]int32

// add counts events of a source.
func (c *SourceCounts) add(source parleyv1.Source, events int) {
	if int(source) < len(c) {
		c[source] += int32(events)
	}
}

// Rendition returns bytes that render makes of the page, such as its JSON. A cached page is rendered once for each key, a comparable value
// of a type of the caller's own.
func (p *Page) Rendition(key any, render func(*Page) ([]byte, error)) ([]byte, error) {
	if p.cached == nil {
		return render(p)
	}
	if cached := p.cached.rendition(key); cached != nil {
		return cached, nil
	}
	made, err := render(p)
	if err == nil {
		p.cached.put(key, made)
	}
	return made, err
}

// maxPageWindows is how many windows a cached page may be made of.
const maxPageWindows = 64

// narrowSuffix ends the keys of pages for callers with narrow rights. Such pages hold verified calls only; others hold all calls that
// Graph sent.
const narrowSuffix = "\xfenarrow"

// cachedPage is a page that is made of cached windows alone. It is valid while each of these windows is cached and unchanged.
type cachedPage struct {
	message  *parleyv1.ListEventsResponse
	count    int
	bySource SourceCounts
	events   []byte // nil = the events are the range [from, to) of one window
	from, to int
	view     parleyv1.EventView
	windows  []pageWindow
	until    time.Time // when the answer changes by time alone; zero = never
	entry    cacheEntry
	end      time.Time // end of the asked interval

	mu         sync.Mutex
	renditions map[any][]byte
	size       int64 // bytes of the renditions
}

// pageWindow is a cached window that a page was made of. The page does not keep it alive.
type pageWindow struct {
	store readers.Windows
	key   string
	chunk weak.Pointer[chunk.Chunk]
	holds bool // the window holds the page's events, in one range
}

// pageStore caches pages beside windows.
type pageStore interface {
	readers.Windows
	readers.Answers
}

func (c *cachedPage) rendition(key any) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.renditions[key]
}

func (c *cachedPage) put(key any, made []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.renditions == nil {
		c.renditions = map[any][]byte{}
	}
	if c.renditions[key] == nil {
		c.renditions[key] = made
		c.size += int64(cap(made))
	}
	c.store()
}

// store puts the page into its cache, with the size that it has now. The lock is held, or nobody else has the page yet.
func (c *cachedPage) store() {
	c.entry.store.Put(readers.Value{
		Key: c.entry.key, Value: c, End: c.end, ReadAt: time.Now(),
		Size: c.size + int64(cap(c.events)+2*proto.Size(c.message)+len(c.entry.key)) + 1<<10,
	})
}

// page returns the page for a call. It returns nil after a window of the page was replaced or dropped, or when the cache-control of the
// context does not accept one of the windows.
func (c *cachedPage) page(ctx context.Context) *Page {
	if !c.until.IsZero() && !time.Now().Before(c.until) {
		return nil
	}
	p := &Page{Message: c.message, Events: c.events, Count: c.count, BySource: c.bySource, cached: c}
	for i := range c.windows {
		w := &c.windows[i]
		cached, _ := w.store.Window(ctx, w.key).(*chunk.Chunk)
		if cached == nil || cached != w.chunk.Value() {
			return nil
		}
		if w.holds {
			l, err := cached.Events(c.view)
			if err != nil {
				return nil
			}
			p.Events = l.Part(c.from, c.to)
		}
	}
	return p
}

// chunkRange is a contiguous run [from, to) of the events of one chunk; without a chunk there is none.
type chunkRange struct {
	chunk    *chunk.Chunk
	from, to int
}

// cacheEntry is the entry of a page in a cache; without a store the page is not cached.
type cacheEntry struct {
	store pageStore
	key   string
}

// get returns the page that is cached, if it is still valid.
func (e cacheEntry) get(ctx context.Context) *Page {
	if e.store == nil {
		return nil
	}
	cached, ok := e.store.Answer(e.key).(*cachedPage)
	if !ok {
		return nil
	}
	return cached.page(ctx)
}

// put caches a page if all of it came from cached windows and the answer does not depend on when it is asked for. in is the run of all
// events of the page, if there is one.
func (e cacheEntry) put(p *Page, req *query.Events, m *merge.Merger, in chunkRange) {
	if e.store == nil {
		return
	}
	used, until, ok := m.CachedWindows()
	if !ok || len(used) == 0 || len(used) > maxPageWindows {
		return
	}
	c := &cachedPage{
		message: p.Message, count: p.Count, bySource: p.BySource, view: req.ShownView(), entry: e, end: m.End(), from: in.from, to: in.to, until: until,
	}
	if in.chunk == nil {
		c.events = p.Events
	}
	for _, u := range used {
		c.windows = append(c.windows, pageWindow{u.Store, u.Key, weak.Make(u.Chunk), u.Chunk == in.chunk})
	}
	p.cached = c
	c.store()
}
