package pager

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/parley-gateway/parley/cache"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/links"
	"github.com/parley-gateway/parley/timeline/seen"
)

// chain walks the pages of an API that is one chain: chats, usage rows, users. The cursor seals Graph's link.
type chain[T proto.Message] struct {
	cfg   *Config
	src   parleyv1.Source
	fetch func(ctx context.Context, link string) (*source.Page[T], error)
	key   func(T) string // what makes a row the same as another one; nil or "" = no row is the same
	bound []byte         // associated data of the cursor
	// match judges a row; ok is false when nobody can tell. nil = every row matches.
	match func(ctx context.Context, row T, unfiltered bool) (matches, ok bool, err error)
	// admit refuses a page as a whole; nil = none is refused.
	admit func(page *source.Page[T]) error
	graph []string // fields of the filter that Graph was given
	here  []string // fields of the filter that are evaluated here
	// narrow says that the caller may not learn what others have read.
	narrow bool

	at      cursor.Pages
	page    *source.Page[T]
	part    []T    // the rows of the page that are at hand
	from    int    // index of the first of them in the page
	hidden  []bool // rows of the part that do not match
	loose   bool   // Graph did not evaluate its part of the filter
	links   links.Set
	seen    seen.Set    // rows that this call passed
	known   seen.Hashes // rows that the calls before passed, as far as the token tells
	failed  []string    // Graph request ids
	state   parleyv1.SourceState
	reason  parleyv1.ErrorReason
	pending []*parleyv1.Notice
	resumed bool     // the link came from a token
	anew    bool     // pages are asked from Graph, because kept ones led into a doubt
	err     error    // that the call ends with
	loading *loading // nil = nothing is being read
}

// loading is a page that is being read. Until it is done, the chain belongs to the goroutine that reads it.
type loading struct {
	token  string // of the place before it
	done   chan error
	cancel context.CancelFunc
}

// openChain begins a chain, or goes on with one.
func openChain[T proto.Message](c *chain[T], token, field string) error {
	c.links, c.seen.Most, c.state = links.Set{}, seen.MostOfChain, parleyv1.SourceState_SOURCE_STATE_READ
	if token == "" {
		return nil
	}
	place, err := cursor.OpenPages(c.cfg.Sealer, token, c.bound)
	if err != nil {
		return failure.TokenRefused(field)
	}
	c.at = *place
	if c.at.Link != "" {
		c.links.Add(c.at.Link)
		c.resumed = true
	}
	for _, digest := range c.at.Delivered {
		c.known.Add(digest)
	}
	return nil
}

// token seals where the chain stands now.
func (c *chain[T]) token() (string, error) {
	return c.at.Seal(c.cfg.Sealer, c.bound)
}

// Step implements frame.Rows.
func (c *chain[T]) Step() frame.State {
	switch {
	case c.loading != nil:
		return frame.Waiting
	case c.err != nil:
		return frame.Broken
	}
	if _, ok := c.head(); ok {
		return frame.Ready
	}
	if c.at.Finished {
		return frame.Ended
	}
	return frame.Waiting
}

// Err implements frame.Rows.
func (c *chain[T]) Err() error { return c.err }

// Wait implements frame.Rows. It reads the next part or page. Beside a timer it does so in a goroutine, which goes on when the
// timer fires.
func (c *chain[T]) Wait(ctx context.Context, timer <-chan time.Time) error {
	if timer == nil {
		err := c.load(ctx)
		if failure.IsContext(err) {
			return err
		}
		c.err = err
		return nil
	}
	if c.loading == nil {
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	select {
	case c.err = <-c.loading.done:
		c.loading.cancel()
		c.loading = nil
		return nil
	case <-timer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start begins to load.
func (c *chain[T]) start(ctx context.Context) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &loading{token: token, done: make(chan error, 1), cancel: cancel}
	c.loading = l
	go func() { l.done <- c.load(ctx) }()
	return nil
}

// close stops what is being read and waits for it.
func (c *chain[T]) close() {
	if c.loading != nil {
		c.loading.cancel()
		<-c.loading.done
	}
}

// head returns the next row, or false when the part at hand has none left and load must be called, or all is done.
func (c *chain[T]) head() (row T, ok bool) {
	for c.page != nil && c.at.Index >= c.from && c.at.Index < c.from+len(c.part) {
		i := c.at.Index - c.from
		row = c.part[i]
		if i < len(c.hidden) && c.hidden[i] {
			c.at.Index++
			continue
		}
		digest, named := c.digest(row)
		if !named || !c.seen.Has(digest) && !c.known.Has(digest) {
			return row, true
		}
		c.at.Counts.Duplicates++
		c.step(row)
	}
	var none T
	return none, false
}

// take hands the head over.
func (c *chain[T]) take() {
	c.at.Counts.Events++
	c.step(c.part[c.at.Index-c.from])
}

// step moves the cursor behind a row and remembers it.
func (c *chain[T]) step(row T) {
	c.at.Last = rowHash(row)
	if digest, named := c.digest(row); named {
		c.seen.Add(digest, false)
		c.at.Deliver(digest)
	}
	c.at.Index++
}

// digest is what a row is recognized by; named is false for a row that is like no other.
func (c *chain[T]) digest(row T) (digest uint64, named bool) {
	if c.key == nil {
		return 0, false
	}
	key := c.key(row)
	return rowDigest(key), key != ""
}

// load reads the next part or page. It is called when head has nothing.
func (c *chain[T]) load(ctx context.Context) error {
	switch {
	case c.page == nil:
	case c.at.Index < c.page.Len():
		return c.cut(ctx)
	case c.page.FromCache && !c.anew && c.links.Has(c.page.Next):
		// A kept page leads in a circle: ask Graph for it again.
		c.anew, c.links = true, links.Set{}
	case !c.turn():
		return nil
	}
	if c.anew {
		ctx = cache.WithoutCached(ctx)
	}
	page, err := c.fetch(ctx, c.at.Link)
	if err != nil {
		return c.judge(ctx, err)
	}
	c.at.Counts.Pages++
	if page.FromCache {
		c.at.Counts.FromCache++
	} else {
		c.at.Counts.Requests += int64(page.Requests)
	}
	if c.admit != nil {
		if err := c.admit(page); err != nil {
			return err
		}
	}
	before := c.page
	c.page, c.part, c.from = page, nil, 0
	behind := c.at.Index
	placed, err := c.place()
	if err != nil {
		return c.judge(ctx, err)
	}
	if c.at.Index == 0 && before != nil && samePage(before.Items, page.Items) {
		c.doubt(parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP)
		c.page, c.at.Finished = nil, true
		return nil
	}
	if before == nil && placed && c.at.Index <= behind {
		c.recall()
	}
	if c.at.Index < page.Len() {
		return c.cut(ctx)
	}
	return nil
}

// cut takes the part of the page that the next row is in.
func (c *chain[T]) cut(ctx context.Context) error {
	c.part, c.hidden = nil, nil // two parts at a time would be one too many
	part, from, err := c.page.Part(c.at.Index)
	if err != nil {
		return c.judge(ctx, err)
	}
	c.part, c.from = part, from
	return c.sift(ctx)
}

// sift finds the rows of the part that do not match the filter.
func (c *chain[T]) sift(ctx context.Context) error {
	c.hidden = nil
	if c.match == nil {
		return nil
	}
	c.loose = c.loose || c.page.Unfiltered
	c.hidden = make([]bool, len(c.part))
	doubt := false
	for i, row := range c.part {
		matches, ok, err := c.match(ctx, row, c.loose)
		if err != nil {
			return err
		}
		doubt = doubt || !ok
		c.hidden[i] = ok && !matches
	}
	if doubt && !slices.Contains(c.at.Gaps, parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED) {
		c.doubt(parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED)
	}
	return nil
}

// turn moves to the page behind the one at hand; false at the end.
func (c *chain[T]) turn() bool {
	next := c.page.Next
	switch {
	case next == "":
	case !c.links.Add(next):
		c.doubt(parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP)
	case c.at.Counts.Pages >= int64(c.cfg.MaxPages):
		c.doubt(parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES)
	default:
		c.at.Link, c.at.Index, c.at.Last = next, 0, 0
		c.resumed = false
		return true
	}
	c.at.Finished = true
	return false
}

// judge decides what a failed page means. A link that Graph does not take any more begins the chain again, once. A link that is
// refused is a gap behind what was read; when the first page is refused, as a redirected report may be, the source has stopped.
func (c *chain[T]) judge(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f := failure.Classify(err, c.at.Link != "")
	c.failed = failure.AppendRequestID(c.failed, err)
	c.at.Counts.Requests += int64(failure.GraphRequests(err))
	outdated := f.Again || c.resumed && (f.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED || f.Reason == parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
	switch {
	case c.at.Link != "" && outdated && !c.at.Restarted:
		c.at.Restarted, c.anew = true, true
		c.at.Link, c.at.Index, c.at.Last = "", 0, 0
		c.page, c.links, c.resumed = nil, links.Set{}, false
		c.known, c.at.Delivered = seen.Hashes{}, nil // everything comes again but for what this call has handed over
		c.pending = append(c.pending, &parleyv1.Notice{
			Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_RESTARTED), Source: c.src,
			Message: "Graph does not know the place of the token any more; reading began again, so rows may come a second time",
		})
		return c.load(ctx)
	case c.at.Link != "" && (f.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED || f.Again):
		c.doubt(f.Reason)
		c.page, c.at.Finished = nil, true
		return nil
	default:
		return &failure.Error{Reason: f.Reason, Source: c.src, Err: err, Message: "the source could not be read"}
	}
}

// place finds the row behind the cursor's last one in a page that was read again, and reports whether the last one is there.
func (c *chain[T]) place() (bool, error) {
	size := c.page.Len()
	if c.at.Index == 0 {
		return false, nil
	}
	if i := c.at.Index - 1; i < size {
		part, from, err := c.page.Part(i)
		if err != nil {
			return false, err
		}
		if rowHash(part[i-from]) == c.at.Last {
			return true, nil
		}
	}
	for i := 0; i < size; {
		part, from, err := c.page.Part(i)
		if err != nil {
			return false, err
		}
		for n, row := range part {
			if rowHash(row) == c.at.Last {
				c.at.Index = from + n + 1
				return true, nil
			}
		}
		i = from + len(part)
	}
	c.at.Index = min(c.at.Index, size)
	return false, nil
}

// recall takes the rows before the cursor, in the page that was read again, for known. Under a filter it is left to the
// token: some of them were never handed over.
func (c *chain[T]) recall() {
	if c.match != nil {
		return
	}
	for _, row := range c.page.Items[:min(c.at.Index, len(c.page.Items))] {
		if digest, named := c.digest(row); named {
			c.known.Add(digest)
		}
	}
}

// doubt records a reason; a chain has no times, so its gaps have no interval.
func (c *chain[T]) doubt(reason parleyv1.ErrorReason) {
	if len(c.at.Gaps) < cursor.MaxReasons {
		c.at.Gaps = append(c.at.Gaps, reason)
	}
	c.pending = append(c.pending, &parleyv1.Notice{Code: reasons.Text(reason), Source: c.src, Message: failure.Explain(reason, nil)})
}

func (c *chain[T]) complete() bool {
	return c.at.Finished && len(c.at.Gaps) == 0 && c.state == parleyv1.SourceState_SOURCE_STATE_READ
}

// News implements frame.Report.
func (c *chain[T]) News() []*parleyv1.Notice {
	if c.loading != nil {
		return nil
	}
	fresh := c.pending
	c.pending = nil
	return fresh
}

// Checkpoint implements frame.Report. While a page is being read, it tells the place before that page.
func (c *chain[T]) Checkpoint() (*parleyv1.Checkpoint, error) {
	checkpoint := &parleyv1.Checkpoint{Sources: []*parleyv1.SourceProgress{{Source: c.src}}}
	if c.loading != nil {
		checkpoint.ResumeToken = c.loading.token
		return checkpoint, nil
	}
	var err error
	checkpoint.ResumeToken, err = c.token()
	return checkpoint, err
}

// Summary implements frame.Report.
func (c *chain[T]) Summary() (*parleyv1.Summary, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	return &parleyv1.Summary{Complete: c.complete(), Sources: c.reports(), ResumeToken: token}, nil
}

func (c *chain[T]) reports() []*parleyv1.SourceReport {
	n := c.at.Counts
	r := &parleyv1.SourceReport{
		Source: c.src, State: c.state, Reason: reasons.Text(c.reason), FailedRequestIds: c.failed,
		Counts: &parleyv1.SourceCounts{
			Events: n.Events, Pages: n.Pages, Duplicates: n.Duplicates, FromCache: n.FromCache, GraphRequests: n.Requests,
		},
	}
	if c.narrow {
		frame.ConcealReads(r.GetCounts())
	}
	if r.FilteredByGateway = c.here; !c.loose {
		r.FilteredByGraph = c.graph
	}
	for _, reason := range c.at.Gaps {
		r.Gaps = append(r.Gaps, &parleyv1.Gap{Reason: reasons.Text(reason)})
	}
	return []*parleyv1.SourceReport{r}
}

// samePage reports whether two pages that are not empty hold the same rows.
func samePage[T proto.Message](a, b []T) bool {
	if len(a) == 0 || len(a) != len(b) {
		return false
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// rowHash recognizes a row; 0 is no row's.
func rowHash(row proto.Message) uint64 {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(row)
	if err != nil {
		return 1
	}
	return max(chunk.Hash(string(data), 0), 1)
}

// rowDigest names a row by its key, the same on every replica. Two keys share one in 2^64 pairs.
func rowDigest(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:8])
}
