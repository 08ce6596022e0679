package timeline

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/merge"
)

// The calls of all users come from one index, which takes minutes in a large tenant, and no user is finished before. The limits of the other
// sources would rest meanwhile. So a walk reads the first window of these sources for the users that come after the open ones, and keeps
// it, compressed, until they are opened. No request is added: a window that is being read when its user is opened is waited for.
//
// What is kept counts in an account of each source. When that is full, reading ahead waits until users are opened. While Graph gives no
// answers, reading ahead backs off: it would ask in vain, and pass over users whose windows it could read when Graph is back.

const (
	// aheadAtOnce is how many windows of a source are read ahead at a time.
	aheadAtOnce = 64
	// aheadReserve is the memory that is reserved for a window before it is read.
	aheadReserve = 64 << 10
	// aheadLinger is how long windows are kept for the call that goes on with a walk.
	aheadLinger = time.Minute
	// minAheadBackoff is how long reading ahead waits when Graph begins to give no answers; it doubles up to maxAheadBackoff.
	minAheadBackoff = time.Second
	maxAheadBackoff = 30 * time.Second
)

// tenantAhead is the windows that were read ahead of a walk. noteLeft and use of a nil one do nothing.
type tenantAhead struct {
	packer  *fetch.Packer
	sources []aheadSource

	mu      sync.Mutex
	left    int // users that the walk has not begun
	windows map[aheadName]*aheadWindow
	began   bool // this call reads ahead
}

// aheadSource is a source that is read ahead.
type aheadSource struct {
	src     parleyv1.Source
	account *ledger.Account // of its windows
}

// aheadName names a window.
type aheadName struct {
	user string
	src  parleyv1.Source
}

// aheadWindow is a window that is kept, or being read.
type aheadWindow struct {
	*merge.FirstWindow

	size int64 // in the account; 0 = it is being read
}

// aheadRoom is the memory of the windows of one source: an eighth of what all calls may hold for Copilot, whose limit is the narrowest of
// all, and a fourth of that for each other source.
func aheadRoom(src parleyv1.Source, limits ledger.Config) int64 {
	room := cmp.Or(max(limits.Limit, 0), defaultLedgerBytes) / 8
	if src != parleyv1.Source_SOURCE_COPILOT {
		room /= 4
	}
	return room
}

// openAhead returns what an earlier call of the walk has read ahead, if token goes on with one, or an empty tenantAhead; nil = nothing is
// read ahead: the walk does not wait for calls, asks for nothing beside them, or is finished.
func (e *Engine) openAhead(s *tenantStream, token string) (*tenantAhead, error) {
	const call = parleyv1.Source_SOURCE_CALL
	if _, unavailable := s.req.Unavailable[call]; unavailable || s.position.Finished || !slices.Contains(s.requested, call) || len(s.requested) == 1 {
		return nil, nil //nolint:nilnil // nil reads nothing ahead
	}
	if token != "" {
		if a := e.ahead.take(s.aheadKey()); a != nil {
			return a, nil
		}
	}
	packer, err := fetch.NewPacker()
	if err != nil {
		return nil, err
	}
	a := &tenantAhead{packer: packer, windows: map[aheadName]*aheadWindow{}}
	for _, src := range s.requested {
		if _, unavailable := s.req.Unavailable[src]; src != call && !unavailable {
			a.sources = append(a.sources, aheadSource{src, e.cfg.Ledger.Open(aheadRoom(src, e.cfg.Ledger.Config()))})
		}
	}
	return a, nil
}

// aheadKey is equal for the calls of one walk.
func (s *tenantStream) aheadKey() string {
	return string(s.digest) + strconv.FormatInt(s.position.End.UnixNano(), 10)
}

// closeAhead keeps what a walk has read ahead for the call that goes on with it, unless the walk is finished.
func (e *Engine) closeAhead(s *tenantStream) {
	switch a := s.ahead; {
	case a == nil:
	case s.position.Finished || len(a.windows) == 0:
		a.close()
	default:
		a.began = false
		e.ahead.put(s.aheadKey(), a)
	}
}

// close gives back the memory.
func (a *tenantAhead) close() {
	for _, src := range a.sources {
		src.account.Close()
	}
	for name, kept := range a.windows {
		a.account(name.src).Add(-kept.size)
	}
	a.packer.Close()
}

func (a *tenantAhead) account(src parleyv1.Source) *ledger.Account {
	at := slices.IndexFunc(a.sources, func(s aheadSource) bool { return s.src == src })
	return a.sources[at].account
}

// readAhead begins to read ahead, if the walk does and has users to open.
func (s *tenantStream) readAhead(ctx context.Context) {
	a := s.ahead
	if a == nil || a.began || !s.hasList || len(s.list.toBegin) == 0 {
		return
	}
	users := s.list.toBegin
	a.began, a.left = true, len(users)
	for _, src := range a.sources {
		s.group.Go(func() { s.readSourceAhead(ctx, src, users) })
	}
}

// readSourceAhead reads the first windows of a source, user by user.
func (s *tenantStream) readSourceAhead(ctx context.Context, from aheadSource, users []listedUser) {
	var group sync.WaitGroup
	defer group.Wait()
	slots := make(chan struct{}, aheadAtOnce)
	var backoff aheadBackoff
	for i, user := range users {
		if from.src == parleyv1.Source_SOURCE_COPILOT && user.lacksPlan {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if from.account.Acquire(ctx, aheadReserve, nil) != nil {
			return
		}
		alone := backoff.wait(ctx)
		name := aheadName{user.id, from.src}
		kept := s.ahead.begin(name, len(users)-i)
		if kept == nil {
			from.account.Add(-aheadReserve)
			<-slots
			continue
		}
		read := func() {
			q, began := s.ofUser(user.id), time.Now()
			size, answered := kept.Read(ctx, &s.engine.merge, s.sources, &q, from.src, from.account)
			backoff.note(began, answered)
			s.ahead.finish(name, kept, size, from.account)
			<-slots
		}
		if alone {
			read()
			continue
		}
		group.Go(read)
	}
}

// aheadBackoff is how long reading ahead of a source waits while Graph gives no answers.
type aheadBackoff struct {
	mu       sync.Mutex
	length   time.Duration // of the present wait; 0 = Graph answers
	until    time.Time
	answered time.Time // when Graph last did
}

// note notes whether Graph answered a reading. One that failed while others were answered is the trouble of one user.
func (b *aheadBackoff) note(began time.Time, answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch now := time.Now(); {
	case answered:
		b.length, b.answered = 0, now
	case !b.answered.Before(began) || now.Before(b.until) && b.length > 0: // others were answered, or it failed with the one that began the wait
	default:
		b.length = min(max(2*b.length, minAheadBackoff), maxAheadBackoff)
		b.until = now.Add(b.length)
	}
}

// wait waits until the backoff is over, and reports whether there was one: the next reading is then to be made alone, to see whether Graph is back.
func (b *aheadBackoff) wait(ctx context.Context) bool {
	b.mu.Lock()
	length, until := b.length, b.until
	b.mu.Unlock()
	if length == 0 {
		return false
	}
	select {
	case <-time.After(time.Until(until)):
	case <-ctx.Done():
	}
	return true
}

// begin notes that a window is read; nil = it was read, or the walk has begun its user. left is how many users come from this one on.
func (a *tenantAhead) begin(name aheadName, left int) *aheadWindow {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.windows[name] != nil || left > a.left {
		return nil
	}
	kept := &aheadWindow{FirstWindow: merge.NewFirstWindow(a.packer)}
	a.windows[name] = kept
	return kept
}

// finish counts the memory of a window that was read, after begin. It counts none if the user was opened meanwhile, or nothing is kept.
func (a *tenantAhead) finish(name aheadName, kept *aheadWindow, size int64, account *ledger.Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.windows[name] != kept:
		size = 0
	case size == 0:
		delete(a.windows, name)
	}
	kept.size = size
	account.Add(size - aheadReserve)
}

// noteLeft notes how many users the walk has not begun.
func (a *tenantAhead) noteLeft(left int) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = left
}

// use gives the walk of a user the windows that were read ahead.
func (a *tenantAhead) use(m *merge.Merger, user string) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, src := range a.sources {
		name := aheadName{user, src.src}
		kept := a.windows[name]
		if kept == nil {
			continue
		}
		delete(a.windows, name)
		src.account.Add(-kept.size)
		m.UseFirstWindow(src.src, kept.FirstWindow)
	}
}

// aheadStore has the windows that were read ahead of walks, between two calls of each.
type aheadStore struct {
	mu    sync.Mutex
	walks map[string]*storedAhead
}

// storedAhead is the windows of a walk, and the timer that drops them.
type storedAhead struct {
	*tenantAhead

	timer *time.Timer
}

// put stores the windows of a walk for aheadLinger.
func (s *aheadStore) put(key string, a *tenantAhead) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.walks == nil {
		s.walks = map[string]*storedAhead{}
	}
	if older := s.walks[key]; older != nil {
		older.timer.Stop()
		older.close()
	}
	walk := &storedAhead{tenantAhead: a}
	walk.timer = time.AfterFunc(aheadLinger, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.walks[key] == walk {
			delete(s.walks, key)
			a.close()
		}
	})
	s.walks[key] = walk
}

// take returns the windows of a walk; nil = there are none.
func (s *aheadStore) take(key string) *tenantAhead {
	s.mu.Lock()
	defer s.mu.Unlock()
	walk := s.walks[key]
	if walk == nil {
		return nil
	}
	walk.timer.Stop()
	delete(s.walks, key)
	return walk.tenantAhead
}
