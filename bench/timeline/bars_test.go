package timelinebench_test

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

func engine(b *testing.B) *timeline.Engine {
	b.Helper()
	e, err := timeline.New(timeline.Config{})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// read streams everything that o holds in an interval and checks that nothing is missing. emit may be nil.
func read(b *testing.B, o source.EventReader, start, end time.Time, emit func(*parleyv1.StreamEventsResponse)) (events int) {
	b.Helper()
	have := query.Sources{Events: map[parleyv1.Source]source.EventReader{parleyv1.Source_SOURCE_CHAT: o}}
	req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}, Start: start, End: end}
	complete := false
	err := engine(b).StreamEvents(b.Context(), have, req, "", func(f *parleyv1.StreamEventsResponse) error {
		events += len(f.GetBatch().GetEvents())
		complete = complete || f.GetSummary().GetComplete()
		if emit != nil {
			emit(f)
		}
		still.RLock() // waits while the heap is looked at
		defer still.RUnlock()
		return nil
	})
	if err != nil || !complete {
		b.Errorf("not complete: %v", err)
	}
	return events
}

// must prints a figure and fails the benchmark when it misses its bar.
func must(b *testing.B, bar, what string, got, most float64, unit string) {
	b.Helper()
	verdict := "holds"
	if got > most {
		verdict = "MISSED"
		b.Fail()
	}
	b.Logf("%-7s %-62s %9.2f %-2s  must be at most %6.2f  %s", bar, what, got, unit, most, verdict)
}

// BenchmarkMonth is bars 9 and 11: a cold month of 20,000 messages, 100 ms a page.
func BenchmarkMonth(b *testing.B) {
	for b.Loop() {
		o := newOffice(perMonth, 30, 100*time.Millisecond)
		began := time.Now()
		if n := read(b, o, month(), month().AddDate(0, 0, 30), nil); n != perMonth {
			b.Fatalf("%d of %d messages", n, perMonth)
		}
		took, sequential := time.Since(began), time.Duration(o.fewest())*o.delay
		extra := float64(int(o.asked.Load())-o.fewest()) / float64(o.fewest())
		b.ReportMetric(sequential.Seconds()/took.Seconds(), "x-faster")
		b.ReportMetric(100*extra, "%-extra-requests")
		b.Logf("%d messages: %v for %d requests; one page after another: %v for %d (%.1f times as long)",
			perMonth, took.Round(time.Millisecond), o.asked.Load(), sequential, o.fewest(), sequential.Seconds()/took.Seconds())
		must(b, "bar 9", "time, as a part of one page after another", 100*took.Seconds()/sequential.Seconds(), 100./6, "%")
		must(b, "bar 11", "requests above the fewest", 100*extra, 10, "%")
	}
}

// BenchmarkQuiet is bar 11's other half: requests for a user with three messages, and for ten empty years.
func BenchmarkQuiet(b *testing.B) {
	now := time.Now().UTC()
	for b.Loop() {
		for _, start := range []time.Time{now.AddDate(0, 0, -30), {}} {
			o := &office{}
			for _, days := range []int{-25, -12, -3} {
				o.times = append(o.times, now.AddDate(0, 0, days).UnixMilli())
			}
			if n := read(b, o, start, now, nil); n != 3 {
				b.Fatalf("%d of 3 messages", n)
			}
			what := "requests beside the one that three messages in 30 days need"
			if start.IsZero() {
				what = "the same without a start time"
			}
			must(b, "", what, float64(o.asked.Load()-1), 2, "")
		}
		o := &office{}
		read(b, o, now.AddDate(-10, 0, 0), now, nil)
		must(b, "", "requests for ten empty years", float64(o.asked.Load()), 12, "")
	}
}

// heap watches how much is live: the most that a collection left, less what was there before.
type heap struct {
	before, peak uint64
	stop         chan struct{}
	done         sync.WaitGroup
}

// still lets nothing be read while the heap is looked at: what is made during a collection counts as live.
var still sync.RWMutex

func live() uint64 {
	still.Lock()
	defer still.Unlock()
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func watch(every time.Duration) *heap {
	h := &heap{before: live(), stop: make(chan struct{})}
	h.done.Go(func() {
		for {
			h.peak = max(h.peak, live())
			select {
			case <-h.stop:
				return
			case <-time.After(every):
			}
		}
	})
	return h
}

// end returns the peak in MiB.
func (h *heap) end() float64 {
	close(h.stop)
	h.done.Wait()
	return float64(h.peak-min(h.before, h.peak)) / (1 << 20)
}

const pageTime = 2 * time.Millisecond // in the runs that measure memory

// BenchmarkLongStream is bar 10: the live heap of a stream and of one that is 16 times longer. The short one runs a few
// times: its peak hangs on how its few windows fall together.
func BenchmarkLongStream(b *testing.B) {
	for b.Loop() {
		var peaks [2]float64
		for _, times := range []int{1, 1, 1, 16} {
			o := newOffice(times*perMonth, times*30, pageTime)
			h := watch(20 * time.Millisecond)
			if n := read(b, o, month(), month().AddDate(0, 0, times*30), nil); n != times*perMonth {
				b.Fatalf("%d messages", n)
			}
			i := times / 16
			peaks[i] = max(peaks[i], h.end())
		}
		b.Logf("live heap at most %.1f MiB; 16 times longer %.1f MiB", peaks[0], peaks[1])
		must(b, "bar 10", "live heap of a stream 16 times longer", peaks[1]/peaks[0], 1.25, "x")
	}
}

// BenchmarkSlowReaders is bar 10: the live heap of eight readers at full speed, and of the same when each stalls for 30 s.
func BenchmarkSlowReaders(b *testing.B) {
	const readers = 8
	for b.Loop() {
		var peaks [2]float64
		for i, stall := range []time.Duration{0, 30 * time.Second} {
			h := watch(20 * time.Millisecond)
			var group sync.WaitGroup
			var messages atomic.Int64
			for range readers {
				group.Go(func() {
					batches := 0
					n := read(b, newOffice(perMonth, 30, pageTime), month(), month().AddDate(0, 0, 30), func(f *parleyv1.StreamEventsResponse) {
						if f.GetBatch() == nil {
							return
						}
						if batches++; batches == 10 {
							time.Sleep(stall)
						}
					})
					messages.Add(int64(n))
				})
			}
			group.Wait()
			peaks[i] = h.end()
			if messages.Load() != readers*perMonth {
				b.Fatalf("%d messages", messages.Load())
			}
		}
		b.Logf("live heap of eight readers at most %.1f MiB; stalled for 30 s %.1f MiB", peaks[0], peaks[1])
		must(b, "bar 10", "live heap of eight stalled readers", peaks[1]/peaks[0], 1.25, "x")
	}
}
