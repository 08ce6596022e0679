package pooltest

import (
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// hour is a time that no test takes.
const hour = time.Hour

// Contract holds a Pool to its contract. open returns two processes' views of one pool; each part uses budgets of its own.
func Contract(t *testing.T, open func(t *testing.T) (one, other Pools)) {
	t.Helper()
	for name, part := range map[string]func(*process, *process){
		"slots follow each other":                pace,
		"a burst":                                burst,
		"what is left to others":                 keep,
		"what comes too late takes nothing":      maxWait,
		"a limit that counts":                    counted,
		"gates":                                  gates,
		"a suspicion":                            suspicion,
		"a narrow budget holds no wide one up":   narrow,
		"slots of all budgets are one":           together,
		"a budget without a number grants":       unlimited,
		"gates of a budget that has sent lately": gateAfterSlots,
		"a caller's day":                         day,
	} {
		t.Run(name, func(t *testing.T) {
			one, other := open(t)
			begin := time.Now()
			part(&process{t, one, begin}, &process{t, other, begin})
		})
	}
}

// process is one process's view of a pool.
type process struct {
	t     *testing.T
	pool  Pools
	begin time.Time
}

// asks holds the answer to a request to an outcome and a wait since the beginning.
func (p *process) asks(ask ratelimit.PoolRequest, outcome ratelimit.Outcome, wait time.Duration) {
	p.t.Helper()
	if ask.MaxWait == 0 {
		ask.MaxWait = 24 * hour
	}
	grant, err := p.pool.Reserve(p.t.Context(), ask)
	if err != nil {
		p.t.Fatal(err)
	}
	passed := time.Since(p.begin) + time.Millisecond
	if grant.Outcome != outcome || grant.Wait > wait || grant.Wait < wait-passed {
		p.t.Errorf("outcome %d after %v, want %d after %v, of which %v have passed", grant.Outcome, grant.Wait, outcome, wait, passed)
	}
}

func (p *process) granted(wait time.Duration, budgets ...ratelimit.PoolBudget) {
	p.t.Helper()
	p.asks(ratelimit.PoolRequest{Budgets: budgets}, ratelimit.Granted, wait)
}

func (p *process) tells(gates ...ratelimit.Gate) {
	p.t.Helper()
	if err := p.pool.SetGates(p.t.Context(), gates); err != nil {
		p.t.Fatal(err)
	}
}

func pace(one, other *process) {
	b := ratelimit.PoolBudget{Name: "pace", Every: hour, Burst: 3, Cold: true}
	one.granted(0, b)
	other.granted(hour, b)
	one.granted(2*hour, b)
	other.granted(3*hour, b)
	one.granted(0, ratelimit.PoolBudget{Name: "pace 2", Every: hour, Burst: 1})
}

func burst(one, other *process) {
	b := ratelimit.PoolBudget{Name: "burst", Every: hour, Burst: 3}
	one.granted(0, b)
	other.granted(0, b)
	one.granted(0, b)
	other.granted(hour, b)
}

func keep(one, other *process) {
	b := ratelimit.PoolBudget{Name: "keep", Every: hour, Burst: 3}
	less := b
	less.Headroom = 1
	one.granted(0, less)
	other.granted(0, less)
	one.granted(hour, less)
	other.granted(hour, b)
}

func maxWait(one, other *process) {
	b := ratelimit.PoolBudget{Name: "max wait", Every: hour, Burst: 1}
	one.granted(0, b)
	other.asks(ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{b}, MaxWait: hour / 2}, ratelimit.TooLate, hour)
	other.granted(hour, b)
	count := ratelimit.PoolBudget{Name: "max wait, counted", Most: 1, Span: hour}
	one.granted(0, count)
	other.asks(ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{count}, MaxWait: hour / 2}, ratelimit.TooLate, hour)
	other.granted(hour, count)
}

func counted(one, other *process) {
	b := ratelimit.PoolBudget{Name: "counted", Burst: 1, Most: 3, Span: hour, Cold: true}
	less := b
	less.Headroom = 1
	one.granted(0, b)
	other.granted(0, less)
	other.granted(hour, less)
	one.granted(hour, b)
	other.granted(hour, b)
	one.granted(2*hour, b)
}

func gates(one, other *process) {
	b := ratelimit.PoolBudget{Name: "gate", Every: hour, Burst: 9}
	narrow := ratelimit.PoolBudget{Name: "narrow gate", Every: hour, Burst: 9}
	both := ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{narrow, b}}
	one.tells(ratelimit.Gate{Name: "gate", Wait: 2 * hour}, ratelimit.Gate{Name: "narrow gate", Wait: hour})
	other.asks(both, ratelimit.Closed, 2*hour)
	other.tells(ratelimit.Gate{Name: "gate", Wait: hour}, ratelimit.Gate{Name: "gate", Suspected: true}, ratelimit.Gate{Name: "gate"})
	one.asks(both, ratelimit.Closed, 2*hour)
	one.asks(ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{narrow, {Name: "another", Burst: 1}}}, ratelimit.Closed, hour)
}

func gateAfterSlots(one, other *process) {
	b := ratelimit.PoolBudget{Name: "later gate", Every: hour, Burst: 2, Cold: true}
	one.granted(0, b)
	one.tells(ratelimit.Gate{Name: "later gate", Wait: time.Microsecond})
	other.tells(ratelimit.Gate{Name: "later gate", Wait: time.Microsecond, Suspected: true})
	ask := ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{b}}
	for {
		grant, err := other.pool.Reserve(other.t.Context(), ask)
		if err != nil {
			other.t.Fatal(err)
		}
		if grant.Outcome == ratelimit.TooLate { // since the first slot is not forgotten
			break
		}
		if grant.Outcome == ratelimit.Granted {
			other.t.Fatal("the gate made the budget forget its slots")
		}
	}
	other.granted(hour, b)
}

func suspicion(one, other *process) {
	b := ratelimit.PoolBudget{Name: "suspected", Every: hour, Burst: 9}
	ask := ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{b}}
	one.tells(ratelimit.Gate{Name: "suspected", Wait: hour, Suspected: true})
	other.asks(ask, ratelimit.Suspected, hour)
	other.tells(ratelimit.Gate{Name: "suspected", Suspected: true})
	one.granted(0, b)
	one.tells(ratelimit.Gate{Name: "suspected", Wait: hour, Suspected: true}, ratelimit.Gate{Name: "suspected", Wait: hour})
	other.asks(ask, ratelimit.Closed, hour)
}

func narrow(one, other *process) {
	chat := ratelimit.PoolBudget{Name: "chat", Every: hour, Burst: 1}
	tenant := ratelimit.PoolBudget{Name: "tenant", Most: 2, Span: 24 * hour}
	ask := ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{chat, tenant}}
	one.granted(0, chat, tenant)
	other.asks(ask, ratelimit.Later, hour)
	one.asks(ask, ratelimit.Later, 2*hour) // behind the other
	ask.Promised = true
	other.asks(ask, ratelimit.Later, hour)
	one.granted(0, ratelimit.PoolBudget{Name: "chat 2", Every: hour, Burst: 1}, tenant)
	one.asks(ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{tenant}, MaxWait: hour}, ratelimit.TooLate, 24*hour)
}

func together(one, other *process) {
	chat := ratelimit.PoolBudget{Name: "chat of two", Every: 2 * hour, Burst: 1}
	tenant := ratelimit.PoolBudget{Name: "tenant of two", Every: hour, Burst: 1}
	one.granted(0, tenant)
	one.granted(hour, tenant)
	other.granted(2*hour, chat, tenant) // the chat's next slot follows that of the tenant
	one.asks(ratelimit.PoolRequest{Budgets: []ratelimit.PoolBudget{chat, tenant}}, ratelimit.Later, 4*hour)
	one.granted(3*hour, tenant)
}

func unlimited(one, other *process) {
	b := ratelimit.PoolBudget{Name: "unlimited", Burst: 1, Cold: true}
	for range 3 {
		one.granted(0, b)
		other.granted(0, b)
	}
}

func day(one, other *process) {
	take := func(p *process, caller string) (remain int, wait time.Duration) {
		p.t.Helper()
		remain, wait, err := p.pool.TakeDay(p.t.Context(), caller, 2)
		if err != nil {
			p.t.Fatal(err)
		}
		return remain, wait
	}
	for range 2 { // a midnight may pass in between, but not twice
		begun := time.Now().UTC().Truncate(24 * hour)
		first, _ := take(one, "a")
		second, _ := take(other, "a")
		_, over := take(one, "a")
		another, _ := take(other, "b")
		if !time.Now().UTC().Truncate(24 * hour).Equal(begun) {
			continue
		}
		if first != 1 || second != 0 || another != 1 || over <= 0 || over > 24*hour {
			one.t.Errorf("%d and %d remain, then %v; %d of another", first, second, over, another)
		}
		if err := one.pool.GiveDayBack(one.t.Context(), "a"); err != nil {
			one.t.Fatal(err)
		}
		if remain, wait := take(other, "a"); remain != 0 || wait != 0 {
			one.t.Errorf("%d remain, then %v, after one was given back", remain, wait)
		}
		return
	}
}
