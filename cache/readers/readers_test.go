package readers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// TestADecoratedReaderAnswersAsTheReader runs the decorator through what every reader of events promises: the page of the very query and link,
// verbatim, whatever was asked before.
func TestADecoratedReaderAnswersAsTheReader(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	plain, decorated := &fakeGraph{pages: 3}, &fakeGraph{pages: 3}
	r := c.Events(decorated, scope("a"))
	base := settled("u")
	vary := map[string]func(*source.EventQuery){
		"same":         func(*source.EventQuery) {},
		"owner":        func(q *source.EventQuery) { q.Owner = "v" },
		"user":         func(q *source.EventQuery) { q.User = "v" },
		"moved":        func(q *source.EventQuery) { q.Owner, q.User = "u"+"v", "" },
		"conversation": func(q *source.EventQuery) { q.Conversation = "19:x" },
		"start":        func(q *source.EventQuery) { q.Start = q.Start.Add(1) },
		"end":          func(q *source.EventQuery) { q.End = q.End.Add(1) },
		"created":      func(q *source.EventQuery) { q.ByCreateTime = true },
		"descending":   func(q *source.EventQuery) { q.Descending = true },
		"apps":         func(q *source.EventQuery) { q.Clause.AppClasses = []string{"x"} },
		"two apps":     func(q *source.EventQuery) { q.Clause.AppClasses = []string{"x", "y"} },
		"users":        func(q *source.EventQuery) { q.Clause.UserIDs = []string{"x"} },
		"types":        func(q *source.EventQuery) { q.Clause.UserTypes = []string{"x"} },
		"applications": func(q *source.EventQuery) { q.Clause.ApplicationTypes = []string{"x"} },
		"any user":     func(q *source.EventQuery) { q.Clause.AnySender.UserIDs = []string{"x"} },
		"any type":     func(q *source.EventQuery) { q.Clause.AnySender.UserTypes = []string{"x"} },
		"any program":  func(q *source.EventQuery) { q.Clause.AnySender.ApplicationTypes = []string{"x"} },
		"system":       func(q *source.EventQuery) { q.Clause.SystemOnly = true },
		"no system":    func(q *source.EventQuery) { q.Clause.NoSystem = true },
		"participant":  func(q *source.EventQuery) { q.Clause.ParticipantID = "x" },
	}
	seen := map[string]string{}
	for name, change := range vary {
		q := base
		change(&q)
		link := ""
		for n := range 3 {
			want := read(t, t.Context(), plain, q, link)
			fresh := read(t, t.Context(), r, q, link)
			again := read(t, t.Context(), r, q, link)
			if fresh.FromCache || !again.FromCache {
				t.Fatalf("%s, page %d: from cache: %v, then %v", name, n, fresh.FromCache, again.FromCache)
			}
			if fresh.Next != want.Next || again.Next != want.Next {
				t.Fatalf("%s, page %d: links %q and %q, want %q", name, n, fresh.Next, again.Next, want.Next)
			}
			if fresh.Items[0].Key != again.Items[0].Key {
				t.Fatalf("%s, page %d: another page from the cache", name, n)
			}
			if other := seen[fresh.Items[0].Key]; other != "" {
				t.Fatalf("%s got the page of %s", name, other)
			}
			seen[fresh.Items[0].Key] = name
			link = fresh.Next
		}
	}
	if got, want := decorated.requests(), 3*len(vary); got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
}

func TestScopesStayApart(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	g := &fakeGraph{}
	scopes := []readers.Scope{
		scope("a"), scope("b"),
		{Tenant: "a", Identity: "other", Source: parleyv1.Source_SOURCE_CHAT},
		{Tenant: "a", Identity: "app", Source: parleyv1.Source_SOURCE_CALL},
		{Tenant: "aapp", Identity: "", Source: parleyv1.Source_SOURCE_CHAT},
	}
	for _, s := range scopes {
		if read(t, t.Context(), c.Events(g, s), settled("u"), "").FromCache {
			t.Errorf("%+v got another scope's page", s)
		}
	}
	for _, s := range scopes {
		if !read(t, t.Context(), c.Events(g, s), settled("u"), "").FromCache {
			t.Errorf("%+v lost its page", s)
		}
	}
}

func TestAPageIsCachedForItsLife(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cfg    cache.Config
		lives  readers.Config
		source parleyv1.Source
		open   bool
		fresh  time.Duration // still served
		stale  time.Duration // not served any more
	}{
		{"open window", cache.Config{}, readers.Config{}, parleyv1.Source_SOURCE_CHAT, true, 50 * time.Second, time.Minute},
		{"settled chat", cache.Config{}, readers.Config{}, parleyv1.Source_SOURCE_CHAT, false, 50 * time.Minute, time.Hour},
		{"settled call", cache.Config{}, readers.Config{}, parleyv1.Source_SOURCE_CALL, false, 50 * time.Minute, time.Hour},
		{"settled copilot", cache.Config{}, readers.Config{}, parleyv1.Source_SOURCE_COPILOT, false, 21 * time.Hour, 24 * time.Hour},
		{"cap", cache.Config{MaxAge: 10 * time.Minute}, readers.Config{}, parleyv1.Source_SOURCE_COPILOT, false, 8 * time.Minute, 10 * time.Minute},
		{"setting", cache.Config{}, readers.Config{Chat: 10 * time.Hour}, parleyv1.Source_SOURCE_CHAT, false, 8 * time.Hour, 10 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := openWith(t, test.cfg, test.lives).Events(&fakeGraph{}, readers.Scope{Source: test.source})
				q := settled("u")
				if test.open {
					q.Start, q.End = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
				}
				start := time.Now()
				read(t, t.Context(), r, q, "")
				time.Sleep(test.fresh)
				if !read(t, t.Context(), r, q, "").FromCache {
					t.Errorf("asked again after %v", time.Since(start))
				}
				time.Sleep(test.stale - test.fresh)
				if read(t, t.Context(), r, q, "").FromCache {
					t.Errorf("still served after %v", time.Since(start))
				}
			})
		})
	}
}

func TestCacheControlIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &fakeGraph{}
		r := open(t, cache.Config{}).Events(g, scope("a"))
		only := cache.WithControl(t.Context(), cache.Control{OnlyIfCached: true})
		if _, err := r.Events(only, settled("u"), ""); !errors.Is(err, cache.ErrNotCached) {
			t.Fatalf("only-if-cached on an empty cache: %v", err)
		}
		if g.requests() != 0 {
			t.Fatal("only-if-cached asked Graph")
		}
		read(t, t.Context(), r, settled("u"), "")
		read(t, only, r, settled("u"), "")

		// no-cache: at most once per ten seconds.
		fresh := cache.WithControl(t.Context(), cache.Control{NoCache: true})
		time.Sleep(9 * time.Second)
		if !read(t, fresh, r, settled("u"), "").FromCache {
			t.Error("no-cache asked again within ten seconds")
		}
		time.Sleep(time.Second)
		if read(t, fresh, r, settled("u"), "").FromCache {
			t.Error("no-cache served a page of ten seconds")
		}
		if !read(t, fresh, r, settled("u"), "").FromCache {
			t.Error("no-cache asked twice at once")
		}

		time.Sleep(30 * time.Second)
		for _, test := range []struct {
			age  time.Duration
			kept bool
		}{{time.Minute, true}, {30 * time.Second, true}, {29 * time.Second, false}, {0, true}} {
			ctx := cache.WithControl(t.Context(), cache.Control{MaxAge: &test.age})
			if got := read(t, ctx, r, settled("u"), "").FromCache; got != test.kept {
				t.Errorf("max-age %v: from cache %v, want %v", test.age, got, test.kept)
			}
		}
		if _, err := r.Events(cache.WithControl(t.Context(), cache.Control{OnlyIfCached: true, MaxAge: new(time.Duration)}), settled("v"), ""); !errors.Is(err, cache.ErrNotCached) {
			t.Errorf("only-if-cached for another query: %v", err)
		}
	})
}

func TestARecorderSumsUpTheLookUpsOfACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := open(t, cache.Config{}).Events(&fakeGraph{}, scope("a"))
		status := func(users ...string) (string, time.Duration) {
			ctx, recorder := recorded(t.Context())
			for _, user := range users {
				read(t, ctx, r, settled(user), "")
			}
			return recorder.Status(), recorder.Age()
		}
		steps := []struct {
			users  []string
			status string
			age    time.Duration
		}{
			{nil, "", 0},
			{[]string{"u"}, "parley; fwd=miss", 0},
			{[]string{"u"}, "parley; hit", 7 * time.Second},
			{[]string{"u", "v"}, "parley; fwd=partial; detail=1-of-2-pages-kept", 14 * time.Second},
		}
		for _, step := range steps {
			got, age := status(step.users...)
			if got != step.status || age != step.age {
				t.Errorf("%v: %q, age %v, want %q, %v", step.users, got, age, step.status, step.age)
			}
			if len(step.users) > 0 {
				time.Sleep(7 * time.Second)
			}
		}
	})
}

func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	g := &fakeGraph{err: errors.New("503")}
	r := c.Events(g, scope("a"))
	for range 3 {
		if _, err := r.Events(t.Context(), settled("u"), ""); err == nil {
			t.Fatal("no error")
		}
	}
	g.err = nil
	if read(t, t.Context(), r, settled("u"), "").FromCache {
		t.Error("an error was kept")
	}
	if g.requests() != 4 {
		t.Errorf("%d requests, want 4", g.requests())
	}
}

// TestAChainIsOfOneReading checks that a page behind a link is not served when its carrier was read anew since.
func TestAChainIsOfOneReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := open(t, cache.Config{}).Events(&fakeGraph{pages: 3}, scope("a"))
		chain := func(ctx context.Context) []bool {
			var kept []bool
			link := ""
			for {
				page := read(t, ctx, r, settled("u"), link)
				kept = append(kept, page.FromCache)
				if link = page.Next; link == "" {
					return kept
				}
				time.Sleep(time.Second)
			}
		}
		if diff := cmp.Diff([]bool{false, false, false}, chain(t.Context())); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]bool{true, true, true}, chain(t.Context())); diff != "" {
			t.Error(diff)
		}
		time.Sleep(6 * time.Second) // the first page is now older than ten seconds, the last one is not
		first := read(t, cache.WithControl(t.Context(), cache.Control{NoCache: true}), r, settled("u"), "")
		if first.FromCache {
			t.Fatal("no-cache served an old page")
		}
		if diff := cmp.Diff([]bool{true, false, false}, chain(t.Context())); diff != "" {
			t.Errorf("a chain was mixed from two readings: %s", diff)
		}
	})
}

// TestAPageJustFetchedIsAHit checks the next reader's hit, which ristretto alone does not promise, under a burst far above its size.
func TestAPageJustFetchedIsAHit(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{MaxBytes: 1 << 20})
	g := &fakeGraph{body: strings.Repeat("x", 10<<10)}
	r := c.Events(g, scope("a"))
	for i := range 500 {
		user := fmt.Sprint("u", i)
		read(t, t.Context(), r, settled(user), "")
		if !read(t, t.Context(), r, settled(user), "").FromCache {
			t.Fatalf("page %d was lost at once", i)
		}
	}
	if got := c.Bytes(); got > 1<<20+1<<17 {
		t.Errorf("%d bytes kept, limit %d", got, 1<<20)
	}
}

func TestPagesThatAreTooLargeAreNotCached(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]cache.Config{"too large": {MaxBytes: 20 << 10}, "off": {MaxBytes: -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := &counter{}
			cfg.Observer = results
			c := open(t, cfg)
			g := &fakeGraph{body: strings.Repeat("x", 100<<10)}
			r := c.Events(g, scope("a"))
			for range 3 {
				if page := read(t, t.Context(), r, settled("u"), ""); page.FromCache || len(page.Items) != 1 {
					t.Error("a page that cannot be kept came from the cache")
				}
			}
			if g.requests() != 3 {
				t.Errorf("%d requests, want 3", g.requests())
			}
			if name == "too large" && results.get("chat refused") != 3 {
				t.Errorf("refusals are not counted: %v", results)
			}
		})
	}
}

func TestPagesOfAllReadersAreCached(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	d := &directory{}
	s := scope("a")
	chats, report, people := c.Conversations(d, s), c.Usage(d, s), c.Users(d, s)
	for range 2 {
		if _, err := chats.Conversations(t.Context(), source.ConversationQuery{User: "u"}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := report.Usage(t.Context(), source.UsageQuery{Period: "D7"}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := people.Users(t.Context(), source.UserQuery{}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := people.Users(t.Context(), source.UserQuery{NamePrefix: "A"}, ""); err != nil {
			t.Fatal(err)
		}
		if user, err := people.User(t.Context(), "u"); err != nil || user.GetId() != "u" {
			t.Fatalf("%v, %v", user, err)
		}
		id, err := people.UserID(t.Context(), "ada@example.com")
		if err != nil || id != "id of ada@example.com" {
			t.Fatalf("%q, %v", id, err)
		}
		if _, err := chats.Conversation(t.Context(), "u", "u", "19:x"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{"chats": 1, "usage": 1, "users": 2, "user": 1, "id": 1, "chat": 1}, d.asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	// A page of one kind is never taken for one of another, even under equal scopes and links.
	if _, err := report.Usage(t.Context(), source.UsageQuery{Period: "D7", Version: "v2"}, ""); err != nil || d.asked["usage"] != 2 {
		t.Errorf("version is not part of the key: %v, %v", d.asked, err)
	}
	for i, of := range []source.UsageReport{source.SummaryReport, source.TrendsReport} {
		for range 2 {
			if _, err := report.UsageCounts(t.Context(), source.UsageQuery{Report: of, Period: "D7"}, ""); err != nil || d.asked["counts"] != i+1 {
				t.Errorf("report %d is not part of the key, or not cached: %v, %v", of, d.asked, err)
			}
		}
	}
}

// TestEachNameIsCachedByItself caches each name by itself, and that somebody has none; what could not be read is asked for again.
func TestEachNameIsCachedByItself(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	d := &directory{}
	people := c.Users(d, scope("a"))
	names, err := people.Names(t.Context(), []string{"a", "B", "nobody"})
	if diff := cmp.Diff(map[string]string{"a": "Name of a", "b": "Name of b"}, names); err != nil || diff != "" {
		t.Errorf("%v, names (-want +got):\n%s", err, diff)
	}
	names, err = people.Names(t.Context(), []string{"nobody", "a", "c", "broken", "never"})
	if diff := cmp.Diff(map[string]string{"a": "Name of a", "c": "Name of c"}, names); err == nil || diff != "" {
		t.Errorf("%v, names (-want +got):\n%s", err, diff)
	}
	offline := cache.WithControl(t.Context(), cache.Control{OnlyIfCached: true})
	names, err = people.Names(offline, []string{"b", "c", "broken"})
	if diff := cmp.Diff(map[string]string{"b": "Name of b", "c": "Name of c"}, names); !errors.Is(err, cache.ErrNotCached) || diff != "" {
		t.Errorf("%v, names (-want +got):\n%s", err, diff)
	}
	want := map[string]int{"name of a": 1, "name of b": 1, "name of c": 1, "name of nobody": 1, "name of broken": 1}
	if diff := cmp.Diff(want, d.asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// longReport has a report whose rows are made when they are wanted.
type longReport struct{ source.UsageReader }

func (longReport) Usage(context.Context, source.UsageQuery, string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	return &source.Page[*parleyv1.CopilotUsageRow]{Lazy: longReport{}, Rows: 1 << 20, ReadAt: time.Now()}, nil
}

func (longReport) Len() int { return 1 << 20 }

func (longReport) Cost() int64 { return 4 << 20 }

func (longReport) Part(int) ([]*parleyv1.CopilotUsageRow, int, error) {
	return nil, 0, errors.New("not asked")
}

// TestLazyRowsAreCachedAtTheirOwnCost holds that rows that are not made yet are kept at their own cost.
func TestLazyRowsAreCachedAtTheirOwnCost(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{})
	report := c.Usage(longReport{}, scope("a"))
	for i := range 2 {
		page, err := report.Usage(t.Context(), source.UsageQuery{Period: "D7"}, "")
		if err != nil || page.FromCache != (i == 1) || page.Len() != 1<<20 {
			t.Fatalf("%+v, %v", page, err)
		}
	}
	if n := c.Bytes(); n < 4<<20 {
		t.Errorf("the cache holds %d bytes", n)
	}
}

type directory struct{ asked map[string]int }

func (d *directory) count(what string) {
	if d.asked == nil {
		d.asked = map[string]int{}
	}
	d.asked[what]++
}

func (d *directory) Conversations(context.Context, source.ConversationQuery, string) (*source.Page[*parleyv1.Conversation], error) {
	d.count("chats")
	return &source.Page[*parleyv1.Conversation]{Items: []*parleyv1.Conversation{{Name: "c"}}, ReadAt: time.Now()}, nil
}

func (d *directory) Conversation(context.Context, string, string, string) (*parleyv1.Conversation, error) {
	d.count("chat")
	return &parleyv1.Conversation{}, nil
}

func (d *directory) Usage(context.Context, source.UsageQuery, string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	d.count("usage")
	return &source.Page[*parleyv1.CopilotUsageRow]{ReadAt: time.Now()}, nil
}

func (d *directory) UsageCounts(context.Context, source.UsageQuery, string) (*source.Page[*parleyv1.CopilotUsageCounts], error) {
	d.count("counts")
	return &source.Page[*parleyv1.CopilotUsageCounts]{ReadAt: time.Now()}, nil
}

func (d *directory) Users(context.Context, source.UserQuery, string) (*source.Page[*parleyv1.User], error) {
	d.count("users")
	return &source.Page[*parleyv1.User]{ReadAt: time.Now()}, nil
}

func (d *directory) User(_ context.Context, user string) (*parleyv1.User, error) {
	d.count("user")
	return &parleyv1.User{Id: user}, nil
}

// Names knows every name but that of "nobody", and fails after it has found the names before "broken".
func (d *directory) Names(_ context.Context, ids []string) (map[string]string, error) {
	names := map[string]string{}
	for _, id := range ids {
		d.count("name of " + id)
		switch id {
		case "nobody":
		case "broken":
			return names, errors.New("broken")
		default:
			names[id] = "Name of " + id
		}
	}
	return names, nil
}

func (d *directory) UserID(_ context.Context, upn string) (string, error) {
	d.count("id")
	return "id of " + upn, nil
}
