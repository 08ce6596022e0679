package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/parley-gateway/parley/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAdmissionCountsWhatMayStillBeTaken: promised memory. An account that holds nothing yet keeps its floor.
func TestAdmissionCountsWhatMayStillBeTaken(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Config{Limit: 100, Each: 60, Floor: 30})
	ended, end := context.WithCancel(t.Context())
	end()
	a, b := l.Admit(t.Context()), l.Admit(t.Context())
	if a.LedgerScarce() {
		t.Errorf("%d committed of 100: a quarter is left for new calls", l.Committed())
	}
	c := l.Admit(ended)
	if a == nil || b == nil || c == nil || l.Admit(ended) != nil || l.Committed() != 90 || !a.LedgerScarce() {
		t.Fatalf("%d committed", l.Committed())
	}
	for _, account := range []*ledger.Account{a, b, c} {
		if !account.TryAcquire(30) {
			t.Error("a floor was not there")
		}
	}
	if a.TryAcquire(1) || !b.Full() {
		t.Errorf("%d committed of 100: half is for calls that come", l.Committed())
	}
	a.Add(10)
	b.Add(50)
	if !a.LedgerScarce() || l.Committed() != 150 || b.Held() != 80 {
		t.Errorf("%d committed, %d held", l.Committed(), b.Held())
	}
	b.Add(-80)
	b.Close()
	b.Close()
	a.Add(-40)
	a.Close()
	c.Add(-30)
	c.Close()
	if n := l.Committed(); n != 0 {
		t.Errorf("%d committed in the end", n)
	}
}

// TestSharedPiecesCountOnce: one copy. Many hold a window, and one of them after another leaves.
func TestSharedPiecesCountOnce(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Config{Limit: 1000, Each: 100})
	var window ledger.Shared
	accounts := make([]*ledger.Account, 500)
	for i := range accounts {
		accounts[i] = l.Open(0)
		accounts[i].Hold(&window, 80)
		accounts[i].Hold(&window, 80) // the same again
	}
	if n := l.Committed(); n != 80 {
		t.Errorf("%d committed for one window of 80", n)
	}
	if accounts[0].TryAcquire(21) {
		t.Error("a shared piece does not count for the account")
	}
	for i, a := range accounts {
		if i%2 == 0 {
			a.Drop(&window)
			a.Drop(&window)
			a.Drop(&window) // once too often
		}
		a.Close()
		a.Hold(&window, 80) // too late
		want := int64(80)
		if i == len(accounts)-1 {
			want = 0
		}
		if n := l.Committed(); n != want {
			t.Fatalf("%d committed after %d have left", n, i+1)
		}
	}
}

// TestAcquireWaitsInTurn for room in its turn; who is urgent overdraws, and who gives up takes nothing.
func TestAcquireWaitsInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New(ledger.Config{Limit: 200, Each: 100})
		a, b := l.Open(0), l.Open(0)
		if err := a.Acquire(t.Context(), 100, nil); err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 9)
		acquire := func(ctx context.Context, name string, account *ledger.Account, n int64, urgent <-chan struct{}) {
			go func() {
				if err := account.Acquire(ctx, n, urgent); err != nil {
					name += " " + err.Error()
				}
				got <- name
			}()
			synctest.Wait()
		}
		urgent := make(chan struct{})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		acquire(t.Context(), "urgent", b, 70, urgent)
		acquire(t.Context(), "second", b, 20, nil)
		acquire(short, "short", a, 10, nil)
		acquire(t.Context(), "third", a, 30, nil)
		if len(got) != 0 {
			t.Fatal("nobody waits")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if name := <-got; name != "short "+context.DeadlineExceeded.Error() || len(got) != 0 {
			t.Errorf("%s", name)
		}
		close(urgent)
		synctest.Wait()
		if name := <-got; name != "urgent" || l.Committed() != 170 || len(got) != 0 {
			t.Errorf("%s, %d committed", name, l.Committed())
		}
		a.Add(-100)
		synctest.Wait()
		if name := <-got; name != "second" && name != "third" || len(got) > 0 {
			t.Errorf("%s was served, %d more", name, len(got))
		}
		b.Add(-70)
		synctest.Wait()
		if len(got) != 1 || l.Committed() != 50 {
			t.Errorf("%d more were served, %d committed", len(got), l.Committed())
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := a.Acquire(ended, 1, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("an ended call takes: %v", err)
		}
		if err := a.Acquire(t.Context(), 1000, urgent); err != nil {
			t.Error(err)
		}
	})
}

// TestWhoComesGoesFirst: a call that waits to be admitted gets the next room, before anybody reads ahead.
func TestWhoComesGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := ledger.New(ledger.Config{Limit: 100, Floor: 40})
		a := l.Admit(t.Context())
		a.Add(80)
		admitted := make(chan *ledger.Account, 1)
		come := func(wait time.Duration) {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				defer cancel()
				admitted <- l.Admit(ctx)
			}()
			synctest.Wait()
		}
		come(time.Second)
		ahead := make(chan error, 1)
		go func() { ahead <- a.Acquire(t.Context(), 1, nil) }()
		synctest.Wait()
		if a.TryAcquire(1) || len(ahead) > 0 || len(admitted) > 0 {
			t.Error("read ahead while another call waits")
		}
		a.Add(-20)
		synctest.Wait()
		if len(admitted) != 1 || len(ahead) > 0 || l.Committed() != 100 {
			t.Fatalf("%d committed", l.Committed())
		}
		b := <-admitted
		come(time.Second)
		time.Sleep(time.Second)
		if c := <-admitted; c != nil {
			t.Error("admitted without room")
		}
		b.Close()
		a.Add(-60)
		if err := <-ahead; err != nil {
			t.Error(err)
		}
	})
}

// TestNoLedgerHasNoBounds: so are accounts that were never opened.
func TestNoLedgerHasNoBounds(t *testing.T) {
	t.Parallel()
	var none *ledger.Ledger
	a := none.Admit(t.Context())
	a.Add(1 << 50)
	a.Hold(&ledger.Shared{}, 1)
	a.Drop(&ledger.Shared{})
	if err := a.Acquire(t.Context(), 1<<50, nil); err != nil || !a.TryAcquire(1<<50) || a.Full() || a.LedgerScarce() || a.Held() != 0 || none.Committed() != 0 {
		t.Errorf("bounds without a ledger: %v", err)
	}
	a.Close()
	none.Open(1).Close()
	if a.Each() != 0 || ledger.New(ledger.Config{Each: 7}).Open(3).Each() != 3 || none.Config() != (ledger.Config{}) || ledger.From(t.Context()) != nil || ledger.From(ledger.With(t.Context(), a)) != a {
		t.Error("the account of a context is another one")
	}
	free := ledger.New(ledger.Config{}).Open(0)
	if !free.TryAcquire(1<<50) || free.LedgerScarce() {
		t.Error("a ledger without bounds has some")
	}
}

// TestTheLedgerAgreesWithAPlainSum does anything in any order: the ledger always says what a plain sum says, no acquisition breaks a bound, and when
// everybody has given back, nothing is committed and nobody waits.
func TestTheLedgerAgreesWithAPlainSum(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	rapid.Check(t, func(t *rapid.T) {
		cfg := ledger.Config{
			Limit: rapid.Int64Range(0, 200).Draw(t, "limit"), Each: rapid.Int64Range(0, 100).Draw(t, "each"), Floor: rapid.Int64Range(0, 40).Draw(t, "floor"),
		}
		l := ledger.New(cfg)
		type account struct {
			*ledger.Account

			floor, own int64
			holds      map[int]bool
		}
		var accounts []*account
		pieces := make([]ledger.Shared, 4)
		sum := func() (n int64) {
			held := map[int]bool{}
			for _, a := range accounts {
				n += max(a.floor, a.own)
				for i := range a.holds {
					held[i] = true
				}
			}
			return n + int64(10*len(held))
		}
		pick := func(t *rapid.T) *account {
			if len(accounts) == 0 {
				accounts = append(accounts, &account{l.Open(0), 0, 0, map[int]bool{}})
			}
			return accounts[rapid.IntRange(0, len(accounts)-1).Draw(t, "account")]
		}
		t.Repeat(map[string]func(*rapid.T){
			"admit": func(t *rapid.T) {
				before := sum()
				a := l.Admit(ended)
				if fits := cfg.Limit <= 0 || before+cfg.Floor <= cfg.Limit; (a != nil) != fits {
					t.Fatalf("admitted %t with %d committed", a != nil, before)
				}
				if a != nil {
					accounts = append(accounts, &account{a, cfg.Floor, 0, map[int]bool{}})
				}
			},
			"open": func(*rapid.T) { accounts = append(accounts, &account{l.Open(0), 0, 0, map[int]bool{}}) },
			"take": func(t *rapid.T) {
				a, n := pick(t), rapid.Int64Range(0, 60).Draw(t, "bytes")
				before := sum()
				held := a.own + int64(10*len(a.holds))
				if !a.TryAcquire(n) {
					return
				}
				a.own += n
				if after := sum(); cfg.Limit > 0 && after > cfg.Limit/2 && after > before || cfg.Each > 0 && held > 0 && held+n > cfg.Each {
					t.Fatalf("%d more bytes beside %d break a bound: %d committed", n, held, after)
				}
			},
			"overdraw": func(t *rapid.T) {
				a, n := pick(t), rapid.Int64Range(0, 60).Draw(t, "bytes")
				a.Add(n)
				a.own += n
			},
			"give": func(t *rapid.T) {
				a := pick(t)
				n := rapid.Int64Range(0, a.own).Draw(t, "bytes")
				a.Add(-n)
				a.own -= n
			},
			"hold": func(t *rapid.T) {
				a, i := pick(t), rapid.IntRange(0, len(pieces)-1).Draw(t, "piece")
				if !a.holds[i] {
					a.Hold(&pieces[i], 10)
					a.holds[i] = true
				}
			},
			"drop": func(t *rapid.T) {
				a := pick(t)
				for i := range a.holds {
					a.Drop(&pieces[i])
					delete(a.holds, i)
					return
				}
			},
			"close": func(t *rapid.T) {
				a := pick(t)
				a.Add(-a.own)
				a.Close()
				for i, other := range accounts {
					if other == a {
						accounts = append(accounts[:i:i], accounts[i+1:]...)
						break
					}
				}
			},
			"": func(t *rapid.T) {
				if n, want := l.Committed(), sum(); n != want {
					t.Fatalf("%d committed, want %d", n, want)
				}
			},
		})
		for _, a := range accounts {
			a.Add(-a.own)
			a.Close()
		}
		if n := l.Committed(); n != 0 {
			t.Fatalf("%d committed in the end", n)
		}
	})
}
