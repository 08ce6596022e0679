package readers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/source"
)

type counter struct {
	mu sync.Mutex
	by map[string]int
}

func (c *counter) CacheRequest(api, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int{}
	}
	c.by[api+" "+result]++
}

func (c *counter) get(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[what]
}

func (c *counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(maps.Clone(c.by))
}

func TestCallersOfOnePageShareOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		results := &counter{}
		g := &fakeGraph{block: make(chan struct{})}
		r := open(t, cache.Config{Observer: results}).Events(g, scope("a"))
		const callers = 50
		pages := make(chan *source.Page[source.Item], callers)
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				page, err := r.Events(t.Context(), settled("u"), "")
				if err != nil {
					t.Error(err)
				}
				pages <- page
			})
		}
		synctest.Wait()
		close(g.block)
		group.Wait()
		close(pages)
		var key string
		requests := 0
		for page := range pages {
			if key != "" && page.Items[0].Key != key {
				t.Error("callers got different pages")
			}
			key = page.Items[0].Key
			requests += page.Requests
		}
		if g.requests() != 1 || requests != 1 {
			t.Errorf("%d requests, %d counted, want 1", g.requests(), requests)
		}
		if results.get("chat miss") != 1 || results.get("chat coalesced") != callers-1 {
			t.Errorf("results: %v", results)
		}
	})
}

// TestTheLastCallerEndsAFetch checks that the first caller's cancellation fails nobody else, and that the last one ends the work.
func TestTheLastCallerEndsAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGraph{block: make(chan struct{}), ended: make(chan error, 1)}
		r := open(t, cache.Config{}).Events(g, scope("a"))
		first, cancelFirst := context.WithCancel(t.Context())
		second, cancelSecond := context.WithCancel(t.Context())
		defer cancelSecond()
		errs := make(chan error, 2)
		ask := func(ctx context.Context, user string) {
			_, err := r.Events(ctx, settled(user), "")
			errs <- err
		}
		go ask(first, "u")
		synctest.Wait()
		go ask(second, "u")
		synctest.Wait()
		cancelFirst()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Fatalf("first caller: %v", err)
		}
		synctest.Wait()
		if len(g.ended) != 0 {
			t.Fatal("the work ended with the first caller")
		}
		close(g.block)
		if err := <-errs; err != nil {
			t.Fatalf("second caller: %v", err)
		}

		// The last one ends the work at once, and whoever comes then begins anew.
		g.block = make(chan struct{})
		lonely, cancel := context.WithCancel(t.Context())
		go ask(lonely, "v")
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Fatalf("the last caller: %v", err)
		}
		if err := <-g.ended; !errors.Is(err, context.Canceled) {
			t.Fatalf("the abandoned work ended with %v", err)
		}
		close(g.block)
		if _, err := r.Events(t.Context(), settled("v"), ""); err != nil {
			t.Fatalf("after an abandoned work: %v", err)
		}
	})
}

// TestAFetchHasTheLatestDeadlineOfItsCallers checks that work has the latest deadline of those who wait.
func TestAFetchHasTheLatestDeadlineOfItsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGraph{block: make(chan struct{})}
		r := open(t, cache.Config{}).Events(g, scope("a"))
		var group sync.WaitGroup
		check := func(want time.Duration) {
			t.Helper()
			synctest.Wait()
			deadline, ok := g.saw.Deadline()
			if got := time.Until(deadline); ok != (want > 0) || ok && got != want {
				t.Errorf("deadline in %v (%v), want %v", got, ok, want)
			}
		}
		ask := func(ctx context.Context) {
			group.Go(func() { _, _ = r.Events(ctx, settled("u"), "") })
		}
		short, cancelShort := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancelShort()
		ask(short)
		check(5 * time.Second)
		long, cancelLong := context.WithTimeout(t.Context(), time.Minute)
		defer cancelLong()
		ask(long)
		check(time.Minute)
		ask(t.Context())
		check(0)
		close(g.block)
		group.Wait()
	})
}

func TestCloseEndsFetches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		r := c.Events(&fakeGraph{block: make(chan struct{})}, scope("a"))
		done := make(chan error, 1)
		go func() {
			_, err := r.Events(t.Context(), settled("u"), "")
			done <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a caller at Close: %v", err)
		}
		if _, err := r.Events(t.Context(), settled("v"), ""); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller after Close: %v", err)
		}
	})
}

// TestManyKeysAtOnceKeepToTheLimit reads under many keys at once; the race detector and the byte limit are the judges.
func TestManyKeysAtOnceKeepToTheLimit(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{MaxBytes: 256 << 10})
	g := &fakeGraph{body: "some text", pages: 3}
	r := c.Events(g, scope("a"))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 300 {
				q := settled(strconv.Itoa((worker + i) % 97))
				for link, n := "", 0; n < 3; n++ {
					page, err := r.Events(t.Context(), q, link)
					if err != nil || len(page.Items) != 1 {
						t.Error("lost a page", err)
						return
					}
					link = page.Next
				}
			}
		})
	}
	group.Wait()
	if got := c.Bytes(); got > 300<<10 {
		t.Errorf("%d bytes kept", got)
	}
}
