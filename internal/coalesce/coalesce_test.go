package coalesce_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/internal/coalesce"
)

type answer struct {
	value  int
	joined bool
	err    error
}

// bench counts the calls of a group. Each makes its number, after a time.
type bench struct {
	coalesce.Group[string, int]

	took time.Duration

	mu    sync.Mutex
	calls []context.Context
	ended []error // what calls that were cancelled saw
}

func newBench(t *testing.T, took time.Duration) *bench {
	t.Helper()
	b := &bench{took: took}
	t.Cleanup(b.Close)
	return b
}

func (b *bench) call(ctx context.Context) (int, error) {
	b.mu.Lock()
	b.calls = append(b.calls, ctx)
	n := len(b.calls)
	b.mu.Unlock()
	select {
	case <-time.After(b.took):
		return n, nil
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended = append(b.ended, ctx.Err())
		return 0, ctx.Err()
	}
}

// ask has a caller take part, who waits when ask returns.
func (b *bench) ask(ctx context.Context, opts coalesce.Options) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		value, joined, err := b.Do(ctx, "key", opts, b.call)
		answers <- answer{value, joined, err}
	}()
	synctest.Wait()
	return answers
}

func expect(t *testing.T, who string, got, want answer) {
	t.Helper()
	if got.value != want.value || got.joined != want.joined || !errors.Is(got.err, want.err) {
		t.Errorf("%s: %+v, want %+v", who, got, want)
	}
}

func TestCallersShareACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute)
		first, second := b.ask(t.Context(), coalesce.Options{}), b.ask(t.Context(), coalesce.Options{})
		other, _, err := b.Do(t.Context(), "other", coalesce.Options{}, b.call)
		expect(t, "first", <-first, answer{value: 1})
		expect(t, "second", <-second, answer{value: 1, joined: true})
		expect(t, "another key", answer{value: other, err: err}, answer{value: 2})
		expect(t, "who comes later", <-b.ask(t.Context(), coalesce.Options{}), answer{value: 3})
	})
}

func TestTheLastCallerEndsACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute)
		ctx, leave := context.WithCancel(t.Context())
		first, second := b.ask(ctx, coalesce.Options{}), b.ask(t.Context(), coalesce.Options{})
		leave()
		expect(t, "who left", <-first, answer{err: context.Canceled})
		expect(t, "who stayed", <-second, answer{value: 1, joined: true})

		ctx, leave = context.WithCancel(t.Context())
		lonely := b.ask(ctx, coalesce.Options{})
		leave()
		expect(t, "the last", <-lonely, answer{err: context.Canceled})
		synctest.Wait()
		if len(b.ended) != 1 || !errors.Is(b.ended[0], context.Canceled) {
			t.Errorf("a call without callers ended with %v", b.ended)
		}
		expect(t, "who comes later", <-b.ask(t.Context(), coalesce.Options{}), answer{value: 3})
		expect(t, "who came too late", <-b.ask(ctx, coalesce.Options{}), answer{err: context.Canceled})
	})
}

func TestACallHasTheLatestDeadlineOfItsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		b := newBench(t, time.Hour)
		first, cancelFirst := context.WithTimeout(context.WithValue(t.Context(), key{}, "first"), 5*time.Second)
		defer cancelFirst()
		second, cancelSecond := context.WithTimeout(context.WithValue(t.Context(), key{}, "second"), time.Minute)
		defer cancelSecond()
		for n, c := range []struct {
			ctx  context.Context
			want time.Duration // 0 = no deadline
		}{{first, 5 * time.Second}, {second, time.Minute}, {t.Context(), 0}} {
			b.ask(c.ctx, coalesce.Options{})
			call := b.calls[0]
			if deadline, ok := call.Deadline(); ok != (c.want > 0) || ok && time.Until(deadline) != c.want {
				t.Errorf("%d callers: deadline in %v, %v, want %v", n+1, time.Until(deadline), ok, c.want)
			}
			if waiting := coalesce.Waiters(call); len(waiting) != n+1 {
				t.Errorf("%d of %d callers wait", len(waiting), n+1)
			}
			if call.Value(key{}) != "first" {
				t.Errorf("the call has the value of the %v caller", call.Value(key{}))
			}
		}
		if coalesce.Waiters(first) != nil || coalesce.Urgent(first) != nil {
			t.Error("the context of a caller is taken for that of a call")
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if waiting := coalesce.Waiters(b.calls[0]); len(waiting) != 2 {
			t.Errorf("%d callers wait after the first one's deadline", len(waiting))
		}
	})
}

func TestAnOldCallIsNotJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute)
		began := time.Now()
		first := b.ask(t.Context(), coalesce.Options{})
		time.Sleep(time.Second)
		same := b.ask(t.Context(), coalesce.Options{Since: began})
		fresh := b.ask(t.Context(), coalesce.Options{Since: began.Add(1)})
		lax := b.ask(t.Context(), coalesce.Options{})
		if !b.UnderWay("key", began.Add(time.Second)) || b.UnderWay("key", began.Add(2*time.Second)) || b.UnderWay("other", time.Time{}) {
			t.Error("what is under way is not the newest call")
		}
		expect(t, "first", <-first, answer{value: 1})
		expect(t, "since its beginning", <-same, answer{value: 1, joined: true})
		expect(t, "since later", <-fresh, answer{value: 2})
		expect(t, "who wants any", <-lax, answer{value: 2, joined: true})
	})
}

func TestJoinBeginsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute)
		if _, err := b.Join(t.Context(), "key", coalesce.Options{}); !errors.Is(err, coalesce.ErrNoCall) {
			t.Errorf("nothing is under way: %v", err)
		}
		first := b.ask(t.Context(), coalesce.Options{})
		value, err := b.Join(t.Context(), "key", coalesce.Options{})
		expect(t, "who joins", answer{value: value, err: err}, answer{value: 1})
		expect(t, "first", <-first, answer{value: 1})
	})
}

func TestACallLearnsThatItsValueIsUrgent(t *testing.T) {
	t.Parallel()
	isUrgent := func(b *bench) bool {
		synctest.Wait()
		select {
		case <-coalesce.Urgent(b.calls[len(b.calls)-1]):
			return true
		default:
			return false
		}
	}
	for name, hurry := range map[string]func(b *bench, urgent chan struct{}){
		"its caller says so": func(_ *bench, urgent chan struct{}) { close(urgent) },
		"somebody joins": func(b *bench, _ chan struct{}) {
			b.ask(context.Background(), coalesce.Options{Urgent: make(chan struct{})})
		},
		"somebody begins to wait": func(b *bench, _ chan struct{}) { b.Start("key", b.call) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, time.Minute)
				urgent := make(chan struct{})
				first := b.ask(t.Context(), coalesce.Options{Urgent: urgent})
				if isUrgent(b) {
					t.Error("urgent from the beginning")
				}
				hurry(b, urgent)
				if !isUrgent(b) {
					t.Error("not urgent")
				}
				expect(t, "first", <-first, answer{value: 1})
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute)
		b.ask(t.Context(), coalesce.Options{})
		if !isUrgent(b) {
			t.Error("a caller needs the value at once")
		}
	})
}

// TestACallLingersForItsNextCaller: a call whose last caller's time is up goes on for whoever comes next; one whose callers were cancelled, or that does
// not linger, ends at once.
func TestACallLingersForItsNextCaller(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		linger    time.Duration
		cancelled bool
		back      time.Duration // when the next caller comes, after the first one left
		want      answer
	}{
		"in time":                 {linger: time.Minute, back: 50 * time.Second, want: answer{value: 1, joined: true}},
		"too late":                {linger: time.Minute, back: 61 * time.Second, want: answer{value: 2}},
		"does not linger":         {back: time.Second, want: answer{value: 2}},
		"cancelled":               {linger: time.Minute, cancelled: true, back: time.Second, want: answer{value: 2}},
		"ends while nobody waits": {linger: 10 * time.Minute, back: 2 * time.Minute, want: answer{value: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 100*time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				first := b.ask(ctx, coalesce.Options{Linger: func() time.Duration { return c.linger }})
				if c.cancelled {
					cancel()
				}
				if a := <-first; a.err == nil {
					t.Fatalf("the first caller has an answer: %+v", a)
				}
				time.Sleep(c.back)
				expect(t, "the next caller", <-b.ask(t.Context(), coalesce.Options{}), c.want)
			})
		})
	}
}

func TestAStartedCallNeedsNoCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute)
		call := b.Start("key", b.call)
		if again := b.Start("key", b.call); again != call {
			t.Error("a second call is begun beside the first")
		}
		if _, ok := b.deadline(); ok {
			t.Error("a call that needs nobody has a deadline")
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := call.Wait(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who does not wait: %v", err)
		}
		expect(t, "who joined and left", <-b.ask(impatient, coalesce.Options{}), answer{err: context.DeadlineExceeded})
		leaving, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		expect(t, "the last", <-b.ask(leaving, coalesce.Options{}), answer{joined: true, err: context.DeadlineExceeded})
		value, err := call.Wait(t.Context())
		expect(t, "who waits", answer{value: value, err: err}, answer{value: 1})
		if len(b.ended) != 0 {
			t.Errorf("the call was cancelled: %v", b.ended)
		}

		// A call of somebody's own goes on as well once it is started.
		ctx, leave := context.WithCancel(t.Context())
		own := b.ask(ctx, coalesce.Options{})
		call = b.Start("key", b.call)
		leave()
		expect(t, "who began it", <-own, answer{err: context.Canceled})
		value, err = call.Wait(t.Context())
		expect(t, "who waits", answer{value: value, err: err}, answer{value: 2})
	})
}

// deadline is that of the newest call, once it runs.
func (b *bench) deadline() (time.Time, bool) {
	synctest.Wait()
	return b.calls[len(b.calls)-1].Deadline()
}

func TestCloseEndsAllCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Hour)
		began := time.Now()
		old := b.ask(t.Context(), coalesce.Options{})
		time.Sleep(time.Second)
		newer := b.ask(t.Context(), coalesce.Options{Since: began.Add(1)})
		b.Start("other", b.call)
		b.Close()
		if len(b.ended) != 3 {
			t.Errorf("%d of 3 calls have ended", len(b.ended))
		}
		expect(t, "of an old call", <-old, answer{err: context.Canceled})
		expect(t, "of a newer call", <-newer, answer{err: context.Canceled})
		expect(t, "after Close", <-b.ask(t.Context(), coalesce.Options{}), answer{err: coalesce.ErrClosed})
		expect(t, "after Close", <-b.ask(t.Context(), coalesce.Options{}), answer{err: context.Canceled})
		if _, err := b.Start("key", b.call).Wait(t.Context()); !errors.Is(err, coalesce.ErrClosed) {
			t.Errorf("started after Close: %v", err)
		}
	})
}
