package timeline

import (
	"context"
	"sync"
	"time"
	"weak"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
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

	cached *cachedPage // nil = it is not
}

// Form returns another form of the page, such as its JSON. A cached page renders each form once. key is a comparable value of a
// type of the caller's own.
func (p *Page) Form(key any, render func(*Page) ([]byte, error)) ([]byte, error) {
	if p.cached == nil {
		return render(p)
	}
	if form := p.cached.form(key); form != nil {
		return form, nil
	}
	form, err := render(p)
	if err == nil {
		p.cached.put(key, form)
	}
	return form, err
}

// maxPageWindows is how many windows a cached page may be made of.
const maxPageWindows = 64

// provedSuffix tells the keys of pages whose calls are verified from those of pages with all that Graph sent.
const provedSuffix = "\xfeproved"

// cachedPage is a page that is made of cached windows alone. It is valid while these are the same.
type cachedPage struct {
	message  *parleyv1.ListEventsResponse
	count    int
	events   []byte // nil where they are a range of one window
	from, to int    // of that range
	view     parleyv1.EventView
	windows  []pageWindow
	until    time.Time // when the answer changes by time alone; zero = never
	entry    cacheEntry
	end      time.Time // of the asked interval

	mu    sync.Mutex
	forms map[any][]byte
	size  int64 // of the forms
}

// pageWindow is a cached window that a page was made of. The page does not keep it alive.
type pageWindow struct {
	store cache.Windows
	key   string
	chunk weak.Pointer[chunk.Chunk]
	holds bool // the range of the page's events
}

// pageStore caches pages beside windows.
type pageStore interface {
	cache.Windows
	cache.Answers
}

func (k *cachedPage) form(key any) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.forms[key]
}

func (k *cachedPage) put(key any, form []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.forms == nil {
		k.forms = map[any][]byte{}
	}
	if form != nil && k.forms[key] == nil {
		k.forms[key] = form
		k.size += int64(cap(form))
	}
	k.entry.store.PutWindow(cache.Window{
		Key: k.entry.key, Value: k, End: k.end, Read: time.Now(),
		Size: k.size + int64(cap(k.events)+2*proto.Size(k.message)+len(k.entry.key)) + 1<<10,
	})
}

// page is the page for a call; nil when one of its windows is not the same any more, or the cache-control of the context does not
// accept one.
func (k *cachedPage) page(ctx context.Context) *Page {
	if !k.until.IsZero() && !time.Now().Before(k.until) {
		return nil
	}
	p := &Page{Message: k.message, Events: k.events, Count: k.count, cached: k}
	for i := range k.windows {
		was := &k.windows[i]
		now, _ := was.store.Window(ctx, was.key).(*chunk.Chunk)
		if now == nil || now != was.chunk.Value() {
			return nil
		}
		if was.holds {
			l, err := now.Events(k.view)
			if err != nil {
				return nil
			}
			p.Events = l.Part(k.from, k.to)
		}
	}
	return p
}

// chunkRange is a contiguous run [from, to) of the events of one chunk; without a chunk there is none.
type chunkRange struct {
	chunk    *chunk.Chunk
	from, to int
}

// cacheEntry is the place of a page in a cache; without a store the page is not cached.
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

// put caches a page, if all of it came from cached windows and nothing of it depends on when it is asked for. in is where its events
// stand together; first says that the walk began with it.
func (e cacheEntry) put(p *Page, req *query.Events, w *merge.Merger, in chunkRange, first bool) {
	if e.store == nil {
		return
	}
	used, until, ok := w.CachedWindows(first)
	if !ok || len(used) == 0 || len(used) > maxPageWindows {
		return
	}
	k := &cachedPage{
		message: p.Message, count: p.Count, view: req.ShownView(), entry: e, end: w.End(), from: in.from, to: in.to, until: until,
	}
	if in.chunk == nil {
		k.events = p.Events
	}
	for _, u := range used {
		k.windows = append(k.windows, pageWindow{u.Store, u.Key, weak.Make(u.Chunk), u.Chunk == in.chunk})
	}
	p.cached = k
	k.put(nil, nil)
}
