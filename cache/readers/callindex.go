package readers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
)

// callIndex is the calls of an interval by participant. It never changes.
type callIndex struct {
	rows []source.CallRow
	// packer unpacks their records.
	packer *recordPacker
	// byUser has the positions in rows of the calls that a participant is in, by the id in lower case.
	byUser map[string][]int32
	// doubts are about rows that may be missing, and participants that are not known.
	doubts []source.Doubt
	// unusable says that no index can be made of the list.
	unusable bool
	read     time.Time // when the first page came
}

// Memory of a row's index beside the row, of a participation, and of a participant.
const (
	indexedRow         = rowOverhead
	indexParticipation = 24
	indexParticipant   = 160
)

// usable returns the index if it answers a query that is to be found in it by use. Only a query that always goes by an index takes one with
// doubts. nil = the index does not answer it.
func (i *callIndex) usable(use source.IndexUse) *callIndex {
	if i.unusable || len(i.doubts) > 0 && use != source.IndexAlways {
		return nil
	}
	return i
}

// rowsOf returns the rows of a user. also is another participant of all of them; empty = any.
func (i *callIndex) rowsOf(user, also string) []int32 {
	rows := i.byUser[strings.ToLower(user)]
	if also == "" {
		return rows
	}
	others := i.byUser[strings.ToLower(also)]
	return slices.DeleteFunc(slices.Clone(rows), func(at int32) bool {
		_, found := slices.BinarySearch(others, at)
		return !found
	})
}

// indexReading is the outcome of reading an index: the index, an error, or neither if it costs too much or the context has ended.
type indexReading struct {
	index    *callIndex
	requests int
	err      error
}

// answer returns the index for a query that is to be found in it by use; nil = Graph is asked for the user's own list, which shows what is
// wrong. Only a query that always goes by an index is told the error.
func (r *indexReading) answer(use source.IndexUse) (index *callIndex, err error) {
	switch {
	case r.index != nil:
		index = r.index.usable(use)
	case use == source.IndexAlways:
		err = r.err
	}
	return index, err
}

const (
	// unusableLife is how long it is remembered that no index can be made, doubtLife how long an index with doubts is used at least.
	unusableLife = 5 * time.Minute
	doubtLife    = time.Minute
)

var (
	errTooCostly = errors.New("readers: the index of the calls costs more than it saves")
	errTooLarge  = errors.New("readers: the index of the calls is too large for the cache")
	errBounds    = errors.New("readers: Graph does not honour the interval of the list of calls")
)

// read reads the index of a query, which may cost as much as costLimit lists, and caches it.
func (r *calls) read(ctx context.Context, q *source.EventQuery, key string, costLimit float64) *indexReading {
	began := time.Now()
	reader := newIndexReader(r, q.Start, q.End, costLimit)
	index, done := r.fromReplicas(ctx, q, key)
	defer done()
	if index != nil {
		return &indexReading{index: index}
	}
	err := reader.read(ctx)
	requests := reader.requests()
	switch {
	case errors.Is(err, errTooCostly), ctx.Err() != nil:
		return &indexReading{requests: requests}
	case err != nil && concernsAllRequests(err):
		return &indexReading{requests: requests, err: err}
	case err != nil:
		index := &callIndex{unusable: true, read: time.Now()}
		r.cache.Put(r.label, key, cache.Fetched[any]{Value: index, Life: unusableLife})
		return &indexReading{requests: requests, index: index}
	}
	index, size := reader.build()
	life := r.cfg.Call
	if settles := r.settles(q.End); settles.After(index.read) {
		life = min(life, settles.Sub(index.read))
	}
	if len(index.doubts) > 0 {
		took := time.Since(began)
		life = min(life, took+max(doubtLife, 2*took))
	}
	if r.put(key, index, size, life) {
		r.shareIndex(key, index, reader.participants.ids, life)
	}
	return &indexReading{requests: requests, index: index}
}

// put caches an index. It reports false for one that is too large, and caches for a while that there is none.
func (r *calls) put(key string, index *callIndex, size int64, life time.Duration) bool {
	if r.cache.Put(r.label, key, cache.Fetched[any]{Value: index, ReadAt: index.read, Life: life, Size: size}) {
		return true
	}
	r.cache.Put(r.label, key, cache.Fetched[any]{Value: &callIndex{unusable: true}, Life: unusableLife})
	return false
}

// concernsAllRequests reports whether an error meets every request for calls, also one for a user's own list, and not only the list of all.
func concernsAllRequests(err error) bool {
	graphErr, ok := errors.AsType[*graph.Error](err)
	if !ok {
		return false
	}
	switch graphErr.Kind { //nolint:exhaustive // in these a page or a link is at fault
	case graph.KindBadRequest, graph.KindGone, graph.KindNotFound, graph.KindLinkNotFound, graph.KindLinkRefused, graph.KindMalformed, graph.KindTooLarge, graph.KindUnexpected:
		return false
	}
	return true
}

// indexReader reads the parts of an index: the list, and the participants of each record, which are asked for while the list goes on.
type indexReader struct {
	r          *calls
	start, end time.Time
	costLimit  float64
	maxSize    int64 // of the rows, in bytes

	rows         callRows
	participants rowParticipants
	doubts       []source.Doubt
	pages        int // with requests that failed
	oldest       time.Time
}

func newIndexReader(r *calls, start, end time.Time, costLimit float64) *indexReader {
	return &indexReader{
		r: r, start: start, end: end, costLimit: costLimit, maxSize: r.cache.Largest() / 2, rows: newCallRows(start, end), participants: newRowParticipants(),
	}
}

// atOnce is the number of records whose participants are asked for at a time.
const atOnce = 32

// read reads the list and the participants.
func (x *indexReader) read(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group errgroup.Group
	group.SetLimit(atOnce)
	readAll := func(rows []source.CallRow) {
		for i := range rows {
			if ctx.Err() != nil {
				return
			}
			if !x.participants.begin(&rows[i]) {
				continue
			}
			group.Go(func() error {
				if err := x.readParticipants(ctx, &rows[i]); err != nil {
					cancel(err)
				}
				return nil
			})
		}
	}
	onPage := readAll
	if x.limited() {
		onPage = func([]source.CallRow) {} // the list first, which tells the cost
	}
	if err := x.list(ctx, onPage); err != nil {
		cancel(err)
	}
	readAll(x.rows.all)
	_ = group.Wait() // it returns none
	return context.Cause(ctx)
}

// limited reports whether the cost of the index is limited.
func (x *indexReader) limited() bool { return x.costLimit <= maxIndexCost }

// overCost returns errTooLarge or errTooCostly if an index of the rows, of the list or of its second reading, takes more memory or requests
// than it may.
func (x *indexReader) overCost(rows *callRows) error {
	switch {
	case rows.size > x.maxSize:
		return errTooLarge
	case float64(x.pages)+float64(len(rows.all))/recordsPerList > x.costLimit:
		return errTooCostly
	}
	return nil
}

// list reads the list. A list that ends with an empty page after a short one may have been truncated: it is read again in two halves,
// which must hold the same rows.
func (x *indexReader) list(ctx context.Context, onPage func([]source.CallRow)) error {
	truncated, err := x.chain(ctx, x.start, x.end, &x.rows, onPage)
	if err != nil || !truncated || len(x.rows.all) == 0 {
		return err
	}
	middle := x.start.Add(x.end.Sub(x.start) / 2).Truncate(time.Second)
	if !middle.After(x.start) {
		x.doubt(parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION)
		return nil
	}
	again := newCallRows(x.start, x.end)
	for _, half := range [][2]time.Time{{x.start, middle}, {middle, x.end}} {
		again.chain++
		if _, err := x.chain(ctx, half[0], half[1], &again, onPage); err != nil {
			return err
		}
	}
	if len(x.doubts) == 0 && !x.rows.equal(&again) {
		x.doubt(parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION)
	}
	x.rows.chain++
	if err := x.rows.join(&again); err != nil {
		return err
	}
	return x.overCost(&x.rows)
}

// doubt notes a doubt about the whole list.
func (x *indexReader) doubt(reason parleyv1.ErrorReason) {
	x.doubts = append(x.doubts, source.Doubt{Reason: reason})
}

// maxListPages ends a list that does not end by itself.
const maxListPages = 1 << 14

// chain reads the pages of an interval. When Graph does not know a link any more, it reads them once more. truncated tells that Graph may
// have ended the chain too early.
func (x *indexReader) chain(ctx context.Context, start, end time.Time, into *callRows, onPage func([]source.CallRow)) (truncated bool, err error) {
	truncated, followed, err := x.readPages(ctx, start, end, into, onPage)
	if followed && graph.LinkLost(err) {
		into.chain++
		truncated, _, err = x.readPages(ctx, start, end, into, onPage)
	}
	return truncated, err
}

// readPages adds the rows of pages until one has no link. followed tells that the error is that of a page behind a link.
func (x *indexReader) readPages(
	ctx context.Context, start, end time.Time, into *callRows, onPage func([]source.CallRow),
) (truncated, followed bool, err error) {
	link, seen, check := "", links.Set{}, links.TruncationCheck{}
	largest := source.Describe(x.r.scope.Source).PageSize
	isShort := func(rows int) bool { return rows < largest }
	for n := 1; ; n++ {
		page, err := x.r.lister.CallRows(ctx, start, end, link)
		if err != nil {
			x.pages += graph.Requests(err)
			return false, link != "", err
		}
		x.count(page)
		if into.repeated(page.Items) {
			x.doubt(parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP)
			return false, false, nil
		}
		into.add(page.Items)
		onPage(page.Items)
		if into.outOfBounds >= minOutOfBounds && 2*into.outOfBounds > len(into.all) {
			return false, false, errBounds
		}
		truncated = check.Add(page.Next, page.Rows, isShort)
		more, doubt := seen.Follow(page.Next, n, maxListPages)
		if doubt != parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
			x.doubt(doubt)
			return false, false, nil
		}
		if err := x.overCost(into); err != nil || !more {
			return truncated, false, err
		}
		largest = max(largest, page.Rows)
		link = page.Next
	}
}

// count counts a page.
func (x *indexReader) count(page *source.Page[source.CallRow]) {
	x.pages += page.Requests
	if x.oldest.IsZero() || page.ReadAt.Before(x.oldest) {
		x.oldest = page.ReadAt
	}
}

// readParticipants reads the participants of a record. A record whose participants cannot be read becomes a doubt (build). The error is one
// that concerns all records and ends the reading, or that of the context.
func (x *indexReader) readParticipants(ctx context.Context, row *source.CallRow) error {
	ids, asked, err := x.r.participants(ctx, row)
	if asked {
		x.participants.count(max(1, graph.Requests(err))) // only an error tells the number
	}
	if err == nil {
		x.participants.found(row, ids)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return x.participants.fail(err)
}

// participants returns the participants of a record; asked tells that Graph was asked for them. They are cached by id and version, whatever
// cache-control says: a version does not change.
func (r *calls) participants(ctx context.Context, row *source.CallRow) (ids []string, asked bool, err error) {
	if row.Version <= 0 {
		ids, err = r.lister.CallParticipants(ctx, row.ID)
		return ids, true, err
	}
	key := r.scope.key("participants")
	key.Text(row.ID)
	key.Number(row.Version)
	answer, err := get(withoutControl(ctx), &r.scoped, key, "", func(ctx context.Context) (cache.Fetched[[]string], error) {
		ids, err := r.lister.CallParticipants(ctx, row.ID)
		return cache.Fetched[[]string]{Value: ids, Life: r.cfg.Call, Size: rowOverhead + sizeOfIDs(ids)}, err
	})
	return answer.Value, !answer.Cached, err
}

func sizeOfIDs(ids []string) int64 {
	size := int64(0)
	for _, id := range ids {
		size += int64(len(id)) + 16
	}
	return size
}

// requests is the number of requests that the reading took.
func (x *indexReader) requests() int { return x.pages + x.participants.requests }

// build returns the index and its size in memory.
func (x *indexReader) build() (index *callIndex, size int64) {
	index = &callIndex{rows: x.rows.all, packer: x.rows.packer, byUser: map[string][]int32{}, doubts: x.doubts, read: x.oldest}
	size = x.rows.size
	for at := range index.rows {
		row := &index.rows[at]
		ids, known := x.participants.ids[nameOf(row)]
		if !known {
			doubt := source.Doubt{Reason: parleyv1.ErrorReason_ERROR_REASON_PARTICIPATION_NOT_PROVED, At: row.Time}
			if row.OutOfBounds(x.start, x.end) {
				doubt.At = time.Time{} // its time is not to be relied on
			}
			index.doubts = append(index.doubts, doubt)
			continue
		}
		for _, id := range ids {
			rows := index.byUser[id]
			if len(rows) > 0 && rows[len(rows)-1] == int32(at) {
				continue
			}
			if rows == nil {
				size += indexParticipant
			}
			size += indexParticipation
			index.byUser[id] = append(rows, int32(at))
		}
	}
	return index, size
}

// recordName names a version of a record.
type recordName struct {
	id      string
	version int64
}

func nameOf(row *source.CallRow) recordName { return recordName{row.ID, row.Version} }

// rowParticipants collects the participants of records.
type rowParticipants struct {
	begun    map[recordName]bool // of the goroutine that reads the list
	mu       sync.Mutex          // guards the rest
	ids      map[recordName][]string
	requests int
	failed   int // records about which Graph was not available
	refused  int // records that Graph refused, without a word of a permission
}

func newRowParticipants() rowParticipants {
	return rowParticipants{begun: map[recordName]bool{}, ids: map[recordName][]string{}}
}

// begin notes that the participants of a record are asked for, and reports false if that was noted before.
func (p *rowParticipants) begin(row *source.CallRow) bool {
	name := nameOf(row)
	if row.Record == nil || p.begun[name] {
		return false
	}
	p.begun[name] = true
	return true
}

func (p *rowParticipants) count(requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests += requests
}

func (p *rowParticipants) found(row *source.CallRow, ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[nameOf(row)] = ids
}

// Bounds of the records that fail without ending the reading.
const (
	// maxFailed is the number of records about which Graph may be unavailable before it is taken to be down.
	maxFailed = 16
	// maxRefused is the number of records that Graph may refuse before it is taken to refuse all: where it has answered about none.
	maxRefused = 16
)

// fail notes that a record could not be read, and returns the error if it ends the reading; nil = it concerns the record alone.
func (p *rowParticipants) fail(err error) error {
	graphErr, ok := errors.AsType[*graph.Error](err)
	if !ok {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var ends bool
	switch graphErr.Kind {
	case graph.KindUnavailable:
		p.failed++
		ends = p.failed > maxFailed
	case graph.KindRefused, graph.KindAccessDenied, graph.KindUserNotLicensed:
		// Graph has given the list, which takes the same permission.
		p.refused++
		ends = p.refused > maxRefused && len(p.ids) == 0
	default:
		ends = concernsAllRequests(err)
	}
	if ends {
		return err
	}
	return nil
}
