package readers_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/source"
)

// phonebook knows the names that begin with a; what others get is its error.
type phonebook struct {
	directory

	fail error
}

func (p *phonebook) UserID(ctx context.Context, upn string) (string, error) {
	id, err := p.directory.UserID(ctx, upn)
	if p.fail != nil && !strings.HasPrefix(upn, "a") {
		return "", p.fail
	}
	return id, err
}

// TestLookUpsAreCachedAlike: what is answered from memory is answered faster, so that a name which nobody has must be kept just as
// long as one that somebody has; whether Graph is asked would tell them apart.
func TestLookUpsAreCachedAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nobody := &graph.Error{Kind: graph.KindNotFound, Status: 404, Code: "Request_ResourceNotFound", RequestID: "r", Requests: 1}
		d := &phonebook{fail: nobody}
		people := open(t, cache.Config{}).Users(d, scope("a"))
		ask := func(upn string) bool {
			t.Helper()
			before := d.asked["id"]
			id, err := people.UserID(t.Context(), upn)
			asked := d.asked["id"] > before
			graphErr, refused := errors.AsType[*graph.Error](err)
			if known := strings.HasPrefix(upn, "a"); known && (err != nil || id == "") ||
				!known && (!refused || graphErr.Kind != graph.KindNotFound || graphErr.Code != nobody.Code || graphErr.Requests > 0 != asked) {
				t.Errorf("%s: %q, %v", upn, id, err)
			}
			return asked
		}
		for range 3 {
			for _, upn := range []string{"ada@contoso.example", "bob@contoso.example"} {
				if !ask(upn) || ask(upn) {
					t.Errorf("%s is not asked once", upn)
				}
			}
			time.Sleep(4 * time.Minute)
			if ask("ada@contoso.example") || ask("bob@contoso.example") {
				t.Error("asked again within four minutes")
			}
			time.Sleep(2 * time.Minute)
		}
		// What is no answer about the name is not kept.
		for _, fail := range []error{
			&graph.Error{Kind: graph.KindForbidden, Status: 403}, &graph.Error{Kind: graph.KindThrottled, Status: 429},
			&graph.Error{Kind: graph.KindNotFound}, context.Canceled,
		} {
			d.fail = fail
			for range 2 {
				before := d.asked["id"]
				if _, err := people.UserID(t.Context(), "carl@contoso.example"); err == nil || d.asked["id"] != before+1 {
					t.Errorf("%v: kept", fail)
				}
			}
		}
	})
}

// daily is a reader whose callers have a day and turns of their own; one of them is refused.
type daily struct {
	mu    sync.Mutex
	asked []string
	gate  chan struct{}
	lacks graph.Error // what the one is told
}

func (d *daily) Events(ctx context.Context, _ source.EventQuery, _ string) (*source.Page[source.Item], error) {
	caller := ratelimit.CallerOf(ctx)
	d.mu.Lock()
	d.asked = append(d.asked, caller)
	d.mu.Unlock()
	<-d.gate
	if strings.HasPrefix(caller, "used-up") {
		lacks := d.lacks
		return nil, &lacks
	}
	return &source.Page[source.Item]{Items: []source.Item{{Key: caller}}, ReadAt: time.Now(), Requests: 1}, nil
}

// TestAUsedUpDayFailsItsOwnerAlone: a shared request fails those who joined it by what is the matter with whoever began it.
func TestAUsedUpDayFailsItsOwnerAlone(t *testing.T) {
	t.Parallel()
	for _, lacks := range []graph.Error{
		{Kind: graph.KindCallerLimit, RetryAfter: time.Hour},
		{Kind: graph.KindThrottled, OwnBudget: true, RetryAfter: time.Minute}, // too many of their own wait before it
	} {
		synctest.Test(t, func(t *testing.T) { usedUp(t, lacks) })
	}
}

func usedUp(t *testing.T, lacks graph.Error) {
	t.Helper()
	d := &daily{gate: make(chan struct{}), lacks: lacks}
	r := open(t, cache.Config{}).Events(d, scope("a"))
	var group sync.WaitGroup
	ask := func(caller string, served bool) {
		group.Go(func() {
			page, err := r.Events(ratelimit.WithCaller(t.Context(), caller), settled("u"), "")
			graphErr, limited := errors.AsType[*graph.Error](err)
			if served && (err != nil || len(page.Items) != 1) || !served && (!limited || graphErr.Kind != lacks.Kind) {
				t.Errorf("%s: %v, %v", caller, page, err)
			}
		})
		synctest.Wait() // the next one joins
	}
	ask("used-up 1", false)
	ask("fine 1", true)
	ask("fine 2", true)
	close(d.gate)
	group.Wait()
	if n := len(d.asked); n != 2 || d.asked[0] != "used-up 1" {
		t.Errorf("asked as %q", d.asked)
	}
}
