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

	kept *keptPage // nil = not kept
}

// maxPageWindows is how many windows a page that is kept may be made of.
const maxPageWindows = 64

// provedMark parts the keys of pages whose calls are proved from those that hold what Graph sent.
const provedMark = "\xfeproved"

// keptPage is a page that is made of kept windows alone and comes again while these are the same.
type keptPage struct {
	message  *parleyv1.ListEventsResponse
	count    int
	own      []byte // the events, where they do not lie in one window
	from, to int    // else where they lie in its list
	view     parleyv1.EventView
	windows  []keptWindow
	until    time.Time // when the answer would be another one; zero = never
	store    pageStore
	key      string
	end      time.Time // of the asked interval

	mu    sync.Mutex
	forms map[any][]byte
	size  int64 // of the forms
}

// keptWindow is a window that a page was made of. The page does not keep it alive.
type keptWindow struct {
	store cache.Windows
	key   string
	sheet weak.Pointer[chunk.Chunk]
	holds bool // the events
}

// used is a window that a walk went through; an empty key says that it was read for this call.
type used struct {
	key   string
	sheet *chunk.Chunk
}

// lie is where events lie together: from and to are places in the list of a sheet.
type lie struct {
	sheet    *chunk.Chunk
	from, to int
}

// pageStore keeps pages beside windows.
type pageStore interface {
	cache.Windows
	cache.Answers
}

// Form returns another form of the page, such as its JSON: made by make, once where the page is kept. key is a comparable
// value of a type of the caller's own.
func (p *Page) Form(key any, render func(*Page) ([]byte, error)) ([]byte, error) {
	if p.kept == nil {
		return render(p)
	}
	if form := p.kept.form(key); form != nil {
		return form, nil
	}
	form, err := render(p)
	if err == nil {
		p.kept.put(key, form)
	}
	return form, err
}

func (k *keptPage) form(key any) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.forms[key]
}

func (k *keptPage) put(key any, form []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.forms == nil {
		k.forms = map[any][]byte{}
	}
	if form != nil && k.forms[key] == nil {
		k.forms[key] = form
		k.size += int64(cap(form))
	}
	k.store.KeepWindow(cache.Window{
		Key: k.key, Value: k, End: k.end, Read: time.Now(), Cost: k.size + int64(cap(k.own)+2*proto.Size(k.message)+len(k.key)) + 1<<10,
	})
}

// page is the page as a call gets it; nil when one of its windows is not the same any more, or not accepted by the context's
// cache-control.
func (k *keptPage) page(ctx context.Context) *Page {
	if !k.until.IsZero() && !time.Now().Before(k.until) {
		return nil
	}
	p := &Page{Message: k.message, Events: k.own, Count: k.count, kept: k}
	for i := range k.windows {
		was := &k.windows[i]
		now, _ := was.store.Window(ctx, was.key).(*chunk.Chunk)
		if now == nil || now != was.sheet.Value() {
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

// pagesOf is what keeps the pages of a request, and the key of one; nil = they are not kept. A request with a filter, or for a
// source that cannot be asked, is answered anew each time.
func pagesOf(r *query.Events, have query.Sources, to query.Resolved, token string, size int) (pageStore, string) {
	if r.Filter != "" || len(r.Unavailable) > 0 || r.End.IsZero() && token == "" {
		return nil, ""
	}
	store, ok := have.Events[to.Sources[0]].(pageStore)
	if !ok {
		return nil, ""
	}
	key := store.AnswerKey(to.Digest, size, token)
	if r.Narrow {
		key += provedMark
	}
	return store, key
}

// keep keeps a page for the next call, if all of it came from windows that were kept and nothing of it depends on when it
// is asked for.
func (w *walk) keep(p *Page, in lie, store pageStore, key string, first bool) {
	k := &keptPage{
		message: p.Message, count: p.Count, view: w.req.ShownView(), store: store, key: key, end: w.span.End, from: in.from, to: in.to,
	}
	if in.sheet == nil {
		k.own = p.Events
	}
	for _, t := range w.tracks {
		switch {
		case w.extended || t.chained() || len(t.gaps) > 0 || t.state != parleyv1.SourceState_SOURCE_STATE_READ || t.read.Store == nil:
			return
		case t.src == parleyv1.Source_SOURCE_CALL && w.span.Start.IsZero():
			return
		case first && w.settled(t.src).Before(w.span.End):
			return
		case t.src == parleyv1.Source_SOURCE_CALL:
			k.until = w.span.Start.Add(w.engine.cfg.CallsKept)
		}
		for _, u := range t.entered {
			if u.key == "" {
				return
			}
			k.windows = append(k.windows, keptWindow{t.read.Store, u.key, weak.Make(u.sheet), u.sheet == in.sheet})
		}
	}
	if len(k.windows) > 0 && len(k.windows) <= maxPageWindows {
		p.kept = k
		k.put(nil, nil)
	}
}
