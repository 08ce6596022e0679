package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// What runs at one time.
const (
	streamers = 8
	listers   = 4
	tries     = 30 // streams that one walk may take, resumes and gaps included
	// gapWait is the wait before a gap is asked for: a window that left a doubt is read anew once its pages are ten seconds old.
	gapWait = 10500 * time.Millisecond
)

// load repeats walks as streams and as lists, and compares what they bring with the truth.
type load struct {
	g     *running
	truth []*walk

	streams, resumed, mended, lists, events, failed atomic.Int64
	lost, foreign                                   atomic.Int64 // events that did not come, and that are not Graph's
	abandoned                                       atomic.Int64 // walks that took too many streams
	duplicates                                      duplicates

	// rest is locked for reading by each call, and for writing by a measurement, which thus runs between calls.
	rest sync.RWMutex
}

// run works until ctx ends. Walks that are not ended by then are not compared.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	for n := range streamers {
		all.Go(func() { l.streamer(ctx, rand.New(rand.NewPCG(1, uint64(n)))) })
	}
	for n := range listers {
		all.Go(func() { l.lister(ctx, rand.New(rand.NewPCG(2, uint64(n)))) })
	}
	all.Wait()
}

func (l *load) streamer(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		w := l.truth[r.IntN(len(l.truth))]
		got := map[string]bool{}
		left := tries
		whole := l.follow(ctx, w.request(), got, newWalkEvents("stream", &l.duplicates), &left)
		if ctx.Err() != nil {
			return
		}
		if !whole {
			l.abandoned.Add(1)
			continue
		}
		l.compare(w, got)
	}
}

// follow reads a stream, goes on from its token where it breaks off, and asks for its gaps. It reports whether everything was read.
func (l *load) follow(ctx context.Context, req *parleyv1.StreamEventsRequest, got map[string]bool, seen *walkEvents, left *int) bool {
	req = proto.CloneOf(req)
	for *left > 0 && ctx.Err() == nil {
		*left--
		l.rest.RLock()
		s := l.g.stream(ctx, req, seen)
		l.rest.RUnlock()
		l.streams.Add(1)
		l.events.Add(int64(len(s.versions)))
		maps.Copy(got, s.versions)
		if s.err != nil {
			l.failed.Add(1)
			l.resumed.Add(1)
			req.ResumeToken = s.token
			pause(ctx, 200*time.Millisecond)
			continue
		}
		for _, report := range s.summary.GetSources() {
			for _, gap := range report.GetGaps() {
				l.mended.Add(1)
				pause(ctx, gapWait)
				again := proto.CloneOf(req)
				again.ResumeToken, again.Sources = "", []parleyv1.Source{report.GetSource()}
				again.StartTime, again.EndTime = gap.GetInterval().GetStartTime(), gap.GetInterval().GetEndTime()
				if !l.follow(ctx, again, got, newWalkEvents("stream of a gap", &l.duplicates), left) {
					return false
				}
			}
		}
		return true
	}
	return false
}

// compare counts the events of a walk that are missing, and those that are not among the true ones.
func (l *load) compare(w *walk, got map[string]bool) {
	for key := range w.events {
		if !got[key] {
			l.lost.Add(1)
		}
	}
	for key := range got {
		if !w.events[key] {
			l.foreign.Add(1)
		}
	}
}

// lister pages through walks over REST; a page that fails is asked for again.
func (l *load) lister(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		w := l.truth[r.IntN(len(l.truth))]
		query := url.Values{
			"startTime": {w.start.Format(time.RFC3339)}, "endTime": {w.end.Format(time.RFC3339)}, "pageSize": {strconv.Itoa(20 + r.IntN(180))},
		}
		for _, src := range w.sources {
			query.Add("sources", src.String())
		}
		got, complete, seen := map[string]bool{}, false, newWalkEvents("list", &l.duplicates)
		for range 100 {
			l.rest.RLock()
			page, err := l.page(ctx, "/v1/users/"+w.user+"/events?"+query.Encode())
			l.rest.RUnlock()
			l.lists.Add(1)
			if err != nil {
				l.failed.Add(1)
				pause(ctx, 200*time.Millisecond)
				if ctx.Err() != nil {
					return
				}
				continue
			}
			seen.begin()
			for _, e := range page.GetEvents() {
				seen.add(e)
				got[version(e)] = true
			}
			seen.settle()
			l.events.Add(int64(len(page.GetEvents())))
			if page.GetNextPageToken() == "" {
				complete = page.GetComplete()
				break
			}
			query.Set("pageToken", page.GetNextPageToken())
		}
		if complete {
			l.compare(w, got)
		}
	}
}

func (l *load) page(ctx context.Context, path string) (*parleyv1.ListEventsResponse, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.g.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := l.g.web.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d", resp.StatusCode) //nolint:err113 // counted, not streamResult apart
	}
	answer := &parleyv1.ListEventsResponse{}
	return answer, protojson.Unmarshal(body, answer)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
