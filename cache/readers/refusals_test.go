package readers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// moody answers with an error, and counts.
type moody struct {
	err   error
	asked int
}

func (m *moody) Events(context.Context, source.EventQuery, string) (*source.Page[source.Item], error) {
	m.asked++
	return &source.Page[source.Item]{}, m.err
}

func TestARefusedUserIsNotAskedAboutAgain(t *testing.T) {
	t.Parallel()
	unlicensed := &graph.Error{Kind: graph.KindUserNotLicensed, Status: 403, Code: "Forbidden", Requests: 1}
	for name, c := range map[string]struct {
		err        error
		remembered bool
	}{
		"no licence":      {unlicensed, true},
		"unknown user":    {&graph.Error{Kind: graph.KindNotFound, Status: 404}, true},
		"says nothing":    {&graph.Error{Kind: graph.KindUserRefused, Status: 403}, true},
		"the tenant's":    {&graph.Error{Kind: graph.KindTenantNotLicensed, Status: 402}, false},
		"request denied":  {&graph.Error{Kind: graph.KindForbidden, Status: 403}, false},
		"own link":        {&graph.Error{Kind: graph.KindLinkNotFound, Status: 404}, false},
		"missing role":    {&graph.Error{Kind: graph.KindForbidden, Status: 403, Roles: []string{"Chat.Read.All"}}, false},
		"throttled":       {&graph.Error{Kind: graph.KindThrottled, Status: 429}, false},
		"down":            {&graph.Error{Kind: graph.KindUnavailable, Status: 503}, false},
		"payment":         {&graph.Error{Kind: graph.KindPaymentRequired, Status: 402}, false},
		"credential":      {&graph.Error{Kind: graph.KindCredential, Status: 401}, false},
		"canceled":        {context.Canceled, false},
		"an answer":       {nil, false},
		"refused unasked": {&graph.Error{Kind: graph.KindUserNotLicensed}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := &moody{err: c.err}
			reader := readers.NewRefusals(0, nil).Events(next, readers.Scope{Tenant: "t", Source: parleyv1.Source_SOURCE_COPILOT})
			for range 3 {
				if _, err := reader.Events(t.Context(), source.EventQuery{User: "u"}, ""); !errors.Is(err, c.err) && err.Error() != c.err.Error() {
					t.Errorf("%v, want %v", err, c.err)
				}
			}
			want := 3
			if c.remembered {
				want = 1
			}
			if next.asked != want {
				t.Errorf("asked %d times, want %d", next.asked, want)
			}
		})
	}
}

func TestARefusalIsOfOneUserAndSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := &moody{err: &graph.Error{Kind: graph.KindUserRefused, Status: 403, Requests: 1}}
		known := readers.NewRefusals(0, nil)
		of := func(tenant string, src parleyv1.Source) source.EventReader {
			return known.Events(next, readers.Scope{Tenant: tenant, Source: src})
		}
		one := of("t", parleyv1.Source_SOURCE_COPILOT)
		ask := func(ctx context.Context, r source.EventReader, q source.EventQuery) (asked int) {
			before := next.asked
			_, err := r.Events(ctx, q, "")
			var graphErr *graph.Error
			if errors.As(err, &graphErr) && graphErr.Requests != next.asked-before {
				t.Errorf("%d requests reported, %d made", graphErr.Requests, next.asked-before)
			}
			return next.asked - before
		}
		u := source.EventQuery{User: "u"}
		fresh := cache.WithControl(t.Context(), cache.Control{NoCache: true})
		minute := time.Minute
		young := cache.WithControl(t.Context(), cache.Control{MaxAge: &minute})
		expect := func(step string, want, got int) {
			t.Helper()
			if want != got {
				t.Errorf("%s: asked %d times, want %d", step, got, want)
			}
		}
		expect("first", 1, ask(t.Context(), one, u))
		expect("again", 0, ask(t.Context(), one, u))
		expect("other user", 1, ask(t.Context(), one, source.EventQuery{User: "v"}))
		expect("other source", 1, ask(t.Context(), of("t", parleyv1.Source_SOURCE_CHAT), u))
		expect("other tenant", 1, ask(t.Context(), of("s", parleyv1.Source_SOURCE_COPILOT), u))
		expect("a chat", 1, ask(t.Context(), one, source.EventQuery{User: "u", Conversation: "c"}))
		expect("the tenant", 1, ask(t.Context(), one, source.EventQuery{}))
		expect("no-cache at once", 0, ask(fresh, one, u))
		time.Sleep(10 * time.Second)
		expect("no-cache after 10 s", 1, ask(fresh, one, u))
		expect("no-cache once more", 0, ask(fresh, one, u))
		time.Sleep(2 * time.Minute)
		expect("kept", 0, ask(t.Context(), one, u))
		expect("max-age", 1, ask(young, one, u))
		time.Sleep(5 * time.Minute)
		expect("expired", 1, ask(t.Context(), one, u))
		next.err = nil
		time.Sleep(time.Second)
		expect("licensed", 1, ask(cache.WithControl(t.Context(), cache.Control{MaxAge: new(time.Duration)}), one, u))
		next.err = &graph.Error{Kind: graph.KindUnavailable, Status: 503, Requests: 1}
		expect("forgotten", 1, ask(t.Context(), one, u))
	})
}
