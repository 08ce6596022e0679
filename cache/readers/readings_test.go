package readers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/source"
)

// TestCallersOfOneWindowShareOneReading: callers who want the same window at the same time share one reading, at the highest priority among them; who
// wants a fresher one begins his own; the pages of a reading are asked for each time, and the last to leave ends it.
func TestCallersOfOneWindowShareOneReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGraph{}
		r := open(t, cache.Config{}).Events(g, scope("a"))
		readings, ok := r.(readers.Readings)
		if !ok {
			t.Fatal("a reader of events shares no readings")
		}
		began, priorities, ended := 0, []source.Priority{}, make(chan struct{})
		read := func(ctx context.Context) any {
			began++
			n := began
			for _, link := range []string{"", "+"} {
				if _, err := r.Events(ctx, settled("u"), link); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Second)
			priorities = append(priorities, source.PriorityOf(ctx))
			select {
			case <-ended:
			case <-ctx.Done():
				return ctx.Err()
			}
			return n
		}
		type answer struct {
			value    any
			joined   bool
			err      error
			recorder *cache.Recorder
		}
		ask := func(ctx context.Context, opts coalesce.Options) chan answer {
			answers := make(chan answer, 1)
			ctx, recorder := recorded(ctx)
			go func() {
				value, joined, err := readings.Read(ctx, "window", opts, read)
				answers <- answer{value, joined, err, recorder}
			}()
			synctest.Wait()
			return answers
		}
		stream := source.WithPriority(t.Context(), source.Background)
		one := ask(stream, coalesce.Options{})
		two := ask(t.Context(), coalesce.Options{})
		leaving, leave := context.WithCancel(t.Context())
		three := ask(leaving, coalesce.Options{})
		time.Sleep(time.Minute)
		fresh := ask(t.Context(), coalesce.Options{Since: time.Now().Add(-10 * time.Second)})
		leave()
		if a := <-three; !errors.Is(a.err, context.Canceled) {
			t.Errorf("who has left: %+v", a)
		}
		time.Sleep(2 * time.Second)
		close(ended)
		for _, c := range []struct {
			answers chan answer
			value   int
			joined  bool
		}{{one, 1, false}, {two, 1, true}, {fresh, 2, false}} {
			a := <-c.answers
			if hits, misses := a.recorder.LookUps(); a.value != c.value || a.joined != c.joined || a.err != nil || misses != 2 || hits != 0 {
				t.Errorf("%+v with %d misses, want reading %d, joined %v", a, misses, c.value, c.joined)
			}
		}
		if priorities[0] != source.Interactive {
			t.Error("the reading that a list waits for goes on in the background")
		}
		if n := g.requests(); n != 4 {
			t.Errorf("%d requests for two readings of two pages", n)
		}

		ended = make(chan struct{})
		leaving, leave = context.WithCancel(t.Context())
		last := ask(leaving, coalesce.Options{})
		time.Sleep(2 * time.Second)
		leave()
		<-last
		synctest.Wait()
		if a := <-ask(cache.WithControl(t.Context(), cache.Control{OnlyIfCached: true}), coalesce.Options{}); !errors.Is(a.err, cache.ErrNotCached) {
			t.Errorf("only-if-cached: %+v", a)
		}
		if began != 3 {
			t.Errorf("%d readings", began)
		}
	})
}

// TestAReadingWithoutAPageLingers: a reading without a page waits for whoever comes next when the time of its last caller is up, for a minute;
// one whose caller was cancelled, or that has a page, ends at once.
func TestAReadingWithoutAPageLingers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paged, cancelled bool
		back             time.Duration // when the next caller comes, after the first one left
		joined           bool
	}{
		"no page":             {back: 50 * time.Second, joined: true},
		"nobody comes":        {back: 61 * time.Second},
		"a page has come":     {paged: true, back: time.Second},
		"the caller has left": {cancelled: true, back: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &fakeGraph{}
				r := open(t, cache.Config{}).Events(g, scope("a"))
				readings, ok := r.(readers.Readings)
				if !ok {
					t.Fatal("a reader of events shares no readings")
				}
				read := func(ctx context.Context) any {
					if c.paged {
						if _, err := r.Events(ctx, settled("u"), ""); err != nil {
							t.Error(err)
						}
					}
					select {
					case <-time.After(75 * time.Second):
						return "read"
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				if c.cancelled {
					time.AfterFunc(19*time.Second, cancel)
				}
				defer cancel()
				if _, _, err := readings.Read(ctx, "window", coalesce.Options{}, read); err == nil {
					t.Fatal("the first caller has an answer")
				}
				time.Sleep(c.back)
				if under := readings.UnderWay("window", time.Time{}); under != c.joined {
					t.Errorf("under way: %v", under)
				}
				value, joined, err := readings.Read(t.Context(), "window", coalesce.Options{}, read)
				if value != "read" || joined != c.joined || err != nil {
					t.Errorf("the next caller has %v, %v, %v", value, joined, err)
				}
			})
		})
	}
}
