package cachebench_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC) // a Monday

func daysAgo(n int) time.Time { return now.Truncate(24*time.Hour).AddDate(0, 0, -n) }

// TestPagingForward has one reader who pages through 30 days of 7,200 messages with lists of 50, each page asked for twice,
// and a second reader who begins a minute later. Graph is asked about once for each of its pages.
func TestPagingForward(t *testing.T) {
	t.Parallel()
	const fewest = 7200 / pageRows
	play(t, now, 0, daysAgo(30), 6*time.Minute, func(h *setup) {
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				token := ""
				for {
					next := h.list("u", daysAgo(30), daysAgo(0), token, 50)
					h.list("u", daysAgo(30), daysAgo(0), token, 50) // as after a connection that broke
					if token = next; token == "" {
						return
					}
				}
			})
			time.Sleep(time.Minute)
		}
		readers.Wait()
		asked := h.requests()
		t.Logf("%d requests for %d pages, each read four times", asked, fewest)
		if most := fewest * 130 / 100; asked > most {
			t.Errorf("Graph was asked %d times, at most %d are allowed", asked, most)
		}
	})
}

// TestManyReadersOfOneWeek has 50 readers stream the same week, at once and one after another.
func TestManyReadersOfOneWeek(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{0, 20 * time.Millisecond, 2 * time.Second} {
		t.Run(apart.String(), func(t *testing.T) {
			t.Parallel()
			play(t, now, 0, daysAgo(8), 5*time.Minute, func(h *setup) {
				h.stream("alone", daysAgo(8), daysAgo(1))
				alone := h.requests()
				var readers sync.WaitGroup
				for range 50 {
					readers.Go(func() { h.stream("u", daysAgo(8), daysAgo(1)) })
					time.Sleep(apart)
				}
				readers.Wait()
				asked := h.requests()
				t.Logf("%d requests; one reader alone %d", asked, alone)
				if asked > alone*115/100 {
					t.Errorf("50 readers asked Graph %d times, one alone %d times", asked, alone)
				}
				for page, n := range h.times {
					if n > 1 {
						t.Errorf("page %s was asked for %d times", page, n)
					}
				}
			})
		})
	}
}

// TestRefreshOfToday reads today from midnight every five seconds for ten minutes, as lists and as streams. Only what may
// still change is asked for again, once in a minute.
func TestRefreshOfToday(t *testing.T) {
	t.Parallel()
	reads := map[string]func(h *setup){
		"list":   func(h *setup) { h.list("u", daysAgo(0), time.Time{}, "", 1000) },
		"stream": func(h *setup) { h.stream("u", daysAgo(0), time.Time{}) },
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, now, 0, daysAgo(1), time.Minute, func(h *setup) {
				read(h)
				first := h.requests()
				const minutes, every = 10, 5 * time.Second
				rounds := int(minutes * time.Minute / every)
				for range rounds {
					time.Sleep(every)
					read(h)
				}
				again := h.requests()
				t.Logf("first %d requests; then %d in %d minutes, for %d refreshes (%.2f each)", first, again, minutes, rounds, float64(again)/float64(rounds))
				if perMinute := float64(again) / minutes; perMinute > 1.3*float64(first) {
					t.Errorf("%.1f requests a minute, the whole day takes %d", perMinute, first)
				}
			})
		})
	}
}

// TestScanBesideReaders has 10 users' today and yesterday listed now and again while a scan streams months of 60 other
// users, 15 times what the cache holds.
func TestScanBesideReaders(t *testing.T) {
	t.Parallel()
	const size, hot, scanned = 8 << 20, 10, 60
	play(t, now, size, daysAgo(30), 30*time.Minute, func(h *setup) {
		visit := func() {
			for i := range hot {
				h.list(fmt.Sprint("hot", i), daysAgo(3), daysAgo(1), "", 100)
			}
		}
		visit()
		first := h.requests()
		for range 4 {
			visit()
		}
		if n := h.requests(); n != 0 {
			t.Errorf("%d requests before the scan, although everything was cached", n)
		}
		lost, visits := 0, 0
		for i := range scanned {
			h.stream(fmt.Sprint("scan", i), daysAgo(30), daysAgo(1))
			h.requests()
			if i%4 == 3 {
				visit()
				visits++
				lost += h.requests()
			}
		}
		ratio := 1 - float64(lost)/float64(first*visits)
		t.Logf("%.1f %% of the pages that are read again were kept; the cache has %.1f MB", 100*ratio, float64(h.cache.Bytes())/1e6)
		if ratio < .95 {
			t.Errorf("%.1f %% of the pages that are read again were kept, at least 95 %% must be", 100*ratio)
		}
	})
}
