package shares_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/parley-gateway/parley/internal/shares"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// work is a piece of work that ends a while after it is asked to.
func work(t *testing.T, pool *shares.Pool, name string, cost int, end time.Duration) (*shares.Place, error) {
	t.Helper()
	var place *shares.Place
	entered := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	place, err := pool.Enter(ctx, name, 1, cost, func() {
		go func() {
			<-entered
			time.Sleep(end)
			place.Leave()
		}()
	})
	close(entered)
	return place, err
}

// TestWhoIsAloneTakesAll and the next one finds a place within a second: the first gives what is above the share, the
// newest first, and no more than is needed.
func TestWhoIsAloneTakesAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := shares.New(64, 0.125)
		for i := range 64 {
			if _, err := work(t, pool, "greedy", 1, 100*time.Millisecond); err != nil {
				t.Fatalf("place %d: %v", i, err)
			}
		}
		if _, err := work(t, pool, "greedy", 1, 0); !errors.Is(err, shares.ErrFull) {
			t.Errorf("more than all: %v", err)
		}
		for caller := range 7 {
			for i := range 8 {
				began := time.Now()
				if _, err := work(t, pool, fmt.Sprint("honest", caller), 1, time.Hour); err != nil {
					t.Fatalf("caller %d, place %d: %v", caller, i, err)
				}
				if took := time.Since(began); took > 200*time.Millisecond {
					t.Errorf("a place was found after %v", took)
				}
			}
		}
		if pool.Used() != 64 {
			t.Errorf("%d places are taken", pool.Used())
		}
		// Everybody has their share: nobody is asked to go, and nobody gets more.
		for _, name := range []string{"greedy", "honest3"} {
			if _, err := work(t, pool, name, 1, 0); !errors.Is(err, shares.ErrFull) {
				t.Errorf("%s gets more than the share: %v", name, err)
			}
		}
		if _, err := work(t, pool, "ninth", 1, 0); !errors.Is(err, shares.ErrLate) {
			t.Errorf("somebody gave up a place within the share: %v", err)
		}
		time.Sleep(2 * time.Hour)
	})
}

// TestWorkThatDoesNotEnd: who asks is told in time, and the next to leave makes room for who waits then.
func TestWorkThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := shares.New(4, 0.25)
		asked := 0
		var first *shares.Place
		for i := range 4 {
			place, err := pool.Enter(t.Context(), "deaf", 1, 1, func() { asked++ })
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = place
			}
		}
		began := time.Now()
		if _, err := work(t, pool, "honest", 1, 0); !errors.Is(err, shares.ErrLate) || time.Since(began) != time.Second || asked != 1 {
			t.Errorf("%v after %v, %d asked to go", err, time.Since(began), asked)
		}
		go func() {
			time.Sleep(time.Second / 2)
			first.Leave()
			first.Leave()
		}()
		if _, err := work(t, pool, "honest", 1, 0); err != nil || pool.Used() != 4 || asked != 1 {
			t.Errorf("%v, %d places taken, %d asked to go", err, pool.Used(), asked)
		}
	})
}

// TestSharesFollowWeightsAndCosts and costs: a rule may give more than one share; dear work takes several places.
func TestSharesFollowWeightsAndCosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := shares.New(16, 0.125)
		gone := map[string]int{}
		for _, c := range []struct {
			name   string
			weight float64
		}{{"heavy", 4}, {"light", 1}} {
			for range 8 {
				var place *shares.Place
				place, err := pool.Enter(t.Context(), c.name, c.weight, 1, func() {
					gone[c.name]++
					place.Leave()
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := work(t, pool, "other", 2, 0); err != nil || gone["light"] != 2 || gone["heavy"] != 0 {
			t.Errorf("%v: %v were asked to go", err, gone)
		}
		if _, err := work(t, pool, "dear", 100, 0); !errors.Is(err, shares.ErrLate) {
			t.Errorf("work that costs everything: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		pool := shares.New(16, 0.5)
		for range 16 {
			if _, err := pool.Enter(t.Context(), "greedy", 1, 1, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { _, _ = pool.Enter(ctx, "dear", 1, 6, nil) }()
		synctest.Wait()
		if _, err := pool.Enter(ctx, "dear", 1, 3, nil); !errors.Is(err, shares.ErrFull) {
			t.Errorf("beside a waiter for six of eight places, three more: %v", err)
		}
		if _, err := pool.Enter(ctx, "dear", 1, 2, nil); !errors.Is(err, shares.ErrLate) {
			t.Errorf("beside a waiter for six of eight places, two more: %v", err)
		}
		synctest.Wait()
	})
	alone := shares.New(2, 0)
	for range 2 {
		if _, err := alone.Enter(t.Context(), "a", 1, 1, func() { t.Error("asked to go without shares") }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := alone.Enter(t.Context(), "b", 1, 1, nil); !errors.Is(err, shares.ErrFull) {
		t.Errorf("without shares: %v", err)
	}
}

// TestNoMorePlacesAreTakenThanThereAre does anything in any order: never are more places taken than there are, nobody is asked to go who is within the
// share, and who is within it gets a place if those asked to go do.
func TestNoMorePlacesAreTakenThanThereAre(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 12).Draw(t, "size")
		share := rapid.SampledFrom([]float64{0, 0.125, 0.25, 0.5, 1}).Draw(t, "share")
		pool := shares.New(size, share)
		fair := max(int64(float64(size)*share), 1)
		held := map[string][]*shares.Place{}
		used := map[string]int64{}
		var total int64
		leave := func(name string, i int) {
			held[name][i].Leave()
			held[name] = append(held[name][:i:i], held[name][i+1:]...)
			used[name]--
			total--
		}
		ended, end := context.WithCancel(context.Background())
		end()
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
				before := total
				var place *shares.Place
				place, err := pool.Enter(ended, name, 1, 1, func() {
					if used[name] <= fair {
						t.Fatalf("%s was asked to go with %d of %d places", name, used[name], fair)
					}
					for i := range held[name] {
						if held[name][i] == place {
							leave(name, i)
							return
						}
					}
				})
				switch {
				case err == nil:
					held[name] = append(held[name], place)
					used[name]++
					total++
				case before < int64(size):
					t.Fatalf("no place with %d of %d taken: %v", before, size, err)
				case share > 0 && share < 1 && used[name] < fair:
					for other, n := range used {
						if other != name && n > fair {
							t.Fatalf("%s was refused with %d places, %s has %d: %v", name, used[name], other, n, err)
						}
					}
				}
			},
			"leave": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
				if len(held[name]) > 0 {
					leave(name, rapid.IntRange(0, len(held[name])-1).Draw(t, "place"))
				}
			},
			"": func(t *rapid.T) {
				if n := pool.Used(); n != total || n > int64(size) {
					t.Fatalf("%d places taken of %d, want %d", n, size, total)
				}
			},
		})
	})
}
