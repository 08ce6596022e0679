package pager

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/seen"
)

// api is one API of Graph, as one request asks it.
type api[T proto.Message] struct {
	source parleyv1.Source
	// digest is what the request's tokens are bound to.
	digest []byte
	// read asks for the first page, or for the page of a link.
	read func(ctx context.Context, link string) (graphPage[T], error)
	// key names a row; rows of one key are the same row. nil or "" = no row is the same as another.
	key func(T) string
	// match evaluates the filter on a row. known is false when nobody can tell. nil = every row matches.
	match func(ctx context.Context, row T, unfiltered bool) (matches, known bool, err error)
	// admit refuses a page as a whole; nil = none is refused.
	admit func(page *source.Page[T]) error
	// pushed are the fields of the filter that Graph was given, evaluated the fields that are evaluated here.
	pushed, evaluated []string
	// second is the source of the pages whose links inSecond tells; such pages have a report of their own. 0 = there are none.
	second   parleyv1.Source
	inSecond func(link string) bool
	// concealed leaves out of the report the counts that reveal what others have read before.
	concealed bool
}

// graphPage is a page of rows of Graph, or several that stand as one.
type graphPage[T proto.Message] struct {
	*source.Page[T]

	pages, cached int64                // pages of Graph that it is made of, and cached pages among them
	notice        *parleyv1.Notice     // nil = none
	doubt         parleyv1.ErrorReason // 0 = none
	// first are the counts of pages of the first source that were read for a page of the second.
	first cursor.Counts
}

// single returns a graphPage that is made of one page of Graph. An error is returned as it is.
func single[T proto.Message](page *source.Page[T], err error) (graphPage[T], error) {
	if err != nil {
		return graphPage[T]{}, err
	}
	one := graphPage[T]{Page: page, pages: 1}
	if page.FromCache {
		one.cached = 1
	}
	return one, nil
}

// pager reads the pages of an API, from the position of a token on. It is the rows and the report of one List or stream.
type pager[T proto.Message] struct {
	api[T]
	cfg *Config

	position cursor.Pages
	page     *source.Page[T]
	part     []T    // the decoded rows of the page
	first    int    // index of the part's first row in the page
	hidden   []bool // rows of the part that do not match

	links     links.Set
	delivered seen.Set    // rows that this call delivered
	before    seen.Hashes // rows that earlier calls delivered, as far as is known

	fromToken   bool // the link came from a token
	bypassCache bool // cached pages led into a doubt

	notices    []*parleyv1.Notice // not delivered yet
	requestIDs []string           // Graph's, of failed requests
	err        error              // error that ends the call
	loading    *loading           // nil = nothing is being read
}

var (
	_ frame.Rows   = (*pager[*parleyv1.User])(nil)
	_ frame.Report = (*pager[*parleyv1.User])(nil)
)

// loading is a page that is being read. Until it is done, the pager belongs to the goroutine that reads it.
type loading struct {
	token  string // token of the position before the page
	done   chan error
	cancel context.CancelFunc
}

// open returns a pager at its beginning, or at the position of a token; field names the token in errors.
func open[T proto.Message](cfg *Config, a api[T], token, field string) (*pager[T], error) {
	p := &pager[T]{api: a, cfg: cfg, links: links.Set{}, delivered: seen.Set{Most: seen.MostOfChain}}
	if token == "" {
		return p, nil
	}
	position, err := cursor.OpenPages(cfg.Sealer, token, a.digest)
	if err != nil {
		return nil, cursor.Refusal(err, field)
	}
	p.position = *position
	if position.Link != "" {
		p.links.Add(position.Link)
		p.fromToken = true
	}
	for _, digest := range position.Delivered {
		p.before.Add(digest)
	}
	return p, nil
}

// close stops the reading under way and waits for its end.
func (p *pager[T]) close() {
	if p.loading != nil {
		p.loading.cancel()
		<-p.loading.done //nolint:errcheck // nobody waits for the page any more
	}
}

// mayHoldMore reports whether another page of Graph follows.
func (p *pager[T]) mayHoldMore() bool { return p.page != nil && p.page.Next != "" }

func (p *pager[T]) finished() bool { return p.position.Finished }

// current is the source of the page at the position, and its counts.
func (p *pager[T]) current() (parleyv1.Source, *cursor.Counts) {
	if p.second != 0 && p.inSecond(p.position.Link) {
		return p.second, &p.position.Users
	}
	return p.source, &p.position.Counts
}

// token seals the position.
func (p *pager[T]) token() (string, error) { return p.position.Seal(p.cfg.Sealer, p.digest) }

// Step implements frame.Rows.
func (p *pager[T]) Step() frame.State {
	switch {
	case p.loading != nil:
		return frame.Waiting
	case p.err != nil:
		return frame.Broken
	}
	if _, ok := p.next(); ok {
		return frame.Ready
	}
	if p.position.Finished {
		return frame.Ended
	}
	return frame.Waiting
}

// Err implements frame.Rows.
func (p *pager[T]) Err() error { return p.err }

// Wait implements frame.Rows. It loads the next part or page: in a goroutine if there is a timer, which goes on after the timer fires.
func (p *pager[T]) Wait(ctx context.Context, timer <-chan time.Time) error {
	if timer == nil {
		err := p.load(ctx)
		if failure.IsContext(err) {
			return err
		}
		p.err = err
		return nil
	}
	if p.loading == nil {
		if err := p.startLoading(ctx); err != nil {
			return err
		}
	}
	select {
	case p.err = <-p.loading.done:
		p.loading.cancel()
		p.loading = nil
		return nil
	case <-timer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pager[T]) startLoading(ctx context.Context) error {
	token, err := p.token()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &loading{token: token, done: make(chan error, 1), cancel: cancel}
	p.loading = l
	go func() { l.done <- p.load(ctx) }()
	return nil
}

// next returns the next row of the part at hand; false when there is none. Rows that were delivered before are skipped.
func (p *pager[T]) next() (row T, ok bool) {
	for p.page != nil && p.position.Index >= p.first && p.position.Index < p.first+len(p.part) {
		i := p.position.Index - p.first
		row = p.part[i]
		if i < len(p.hidden) && p.hidden[i] {
			p.position.Index++
			continue
		}
		digest, named := p.digestOf(row)
		if !named || !p.delivered.Has(digest) && !p.before.Has(digest) {
			return row, true
		}
		_, counts := p.current()
		counts.Duplicates++
		p.pass(row)
	}
	var none T
	return none, false
}

// deliver moves the position after the next row.
func (p *pager[T]) deliver() {
	_, counts := p.current()
	counts.Events++
	p.pass(p.part[p.position.Index-p.first])
}

// pass moves the position after a row and remembers the row.
func (p *pager[T]) pass(row T) {
	p.position.Last = hashOf(row)
	if digest, named := p.digestOf(row); named {
		p.delivered.Add(digest)
		p.position.Deliver(digest)
	}
	p.position.Index++
}

// digestOf is the digest of a row's key, the same on every replica; named is false for a row without a key. Two keys share a
// digest in 2^64 pairs.
func (p *pager[T]) digestOf(row T) (digest uint64, named bool) {
	if p.key == nil {
		return 0, false
	}
	key := p.key(row)
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:8]), key != ""
}

// hashOf returns the hash of the whole row, never 0.
func hashOf(row proto.Message) uint64 {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(row)
	if err != nil {
		return 1
	}
	return max(chunk.Hash(string(data), 0), 1)
}
