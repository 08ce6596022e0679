package graphsim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphsim"
)

func oracleKeys(t *testing.T, s *graphsim.Sim, source, user string, from, to time.Time) []string {
	t.Helper()
	keys := map[string]bool{}
	for r := range s.Oracle("").Records(source, user, from, to) {
		k := r.Container + " " + r.ID + " " + r.Version
		if source == graphsim.SourceCall {
			k = r.ID + " " + r.Version
		}
		if keys[k] {
			t.Errorf("%s: %s comes twice", source, k)
		}
		keys[k] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

func pagedKeys(rows []row, key func(row) string) []string {
	keys := map[string]bool{}
	for _, r := range rows {
		keys[key(r)] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

func TestOracleEqualsPages(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	demo := s.DemoUser()
	windows := []struct {
		name     string
		from, to time.Time
	}{
		{"everything", time.Time{}, time.Time{}},
		{"half a year", testNow.AddDate(0, 0, -200), testNow.Add(time.Second)},
		{"a week", testNow.AddDate(0, 0, -9), testNow.AddDate(0, 0, -2)},
		{"the last hours", testNow.Add(-5 * time.Hour), testNow},
		{"nothing", testNow.AddDate(-3, 0, 0), testNow.AddDate(-2, 0, 0)},
	}
	other := ""
	for p := range s.Oracle("").Users() {
		if s.Oracle("").Licensed(p.ID) {
			other = p.ID
		}
	}
	for _, user := range []string{demo.ID, other} {
		for _, w := range windows {
			clause := func(field string) string {
				if w.from.IsZero() {
					return ""
				}
				return "&" + filter("%s gt %s and %s lt %s", field, stamp(w.from.Add(-time.Millisecond)), field, stamp(w.to))
			}
			rows, pages := c.all("/v1.0/users/" + user + "/chats/getAllMessages?$top=40" + clause("lastModifiedDateTime"))
			got := pagedKeys(rows, func(r row) string { return text(r, "chatId") + " " + text(r, "id") + " " + text(r, "etag") })
			if diff := cmp.Diff(oracleKeys(t, s, graphsim.SourceChat, user, w.from, w.to), got); diff != "" {
				t.Errorf("%s: messages: %s", w.name, diff)
			}
			t.Logf("%s: %d messages in %d pages", w.name, len(got), pages)

			rows, pages = c.all("/v1.0/copilot/users/" + user + "/interactionHistory/getAllEnterpriseInteractions?$top=100" + clause("createdDateTime"))
			got = pagedKeys(rows, func(r row) string { return text(r, "sessionId") + " " + text(r, "id") + " " + text(r, "etag") })
			if diff := cmp.Diff(oracleKeys(t, s, graphsim.SourceCopilot, user, w.from, w.to), got); diff != "" {
				t.Errorf("%s: interactions: %s", w.name, diff)
			}
			t.Logf("%s: %d interactions in %d pages", w.name, len(got), pages)

			callFilter := ""
			if !w.from.IsZero() {
				callFilter = fmt.Sprintf("startDateTime ge %s and startDateTime lt %s and ", stamp(w.from), stamp(w.to))
			}
			rows, pages = c.all("/v1.0/communications/callRecords?" + filter("%sparticipants_v2/any(p:p/id eq '%s')", callFilter, user))
			got = pagedKeys(rows, func(r row) string { return fmt.Sprintf("%s %v", r["id"], r["version"]) })
			if diff := cmp.Diff(oracleKeys(t, s, graphsim.SourceCall, user, w.from, w.to), got); diff != "" {
				t.Errorf("%s: calls: %s", w.name, diff)
			}
			t.Logf("%s: %d calls in %d pages", w.name, len(got), pages)
		}
	}
	rows, _ := c.all("/beta/communications/callRecords")
	got := pagedKeys(rows, func(r row) string { return fmt.Sprintf("%s %v", r["id"], r["version"]) })
	if diff := cmp.Diff(oracleKeys(t, s, graphsim.SourceCall, "", time.Time{}, time.Time{}), got); diff != "" {
		t.Errorf("tenant's calls: %s", diff)
	}
}

func TestTheOracleKnowsTheChats(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	demo := s.DemoUser()
	rows, pages := c.all("/v1.0/users/" + demo.ID + "/chats?$top=7&$expand=members")
	got := pagedKeys(rows, func(r row) string { return text(r, "id") })
	want := slices.Sorted(s.Oracle("").Chats(demo.UPN))
	if diff := cmp.Diff(want, got); diff != "" || pages < 2 || len(rows) != len(got) {
		t.Errorf("%d pages, %d rows: %s", pages, len(rows), diff)
	}
	for _, chat := range got[:3] {
		rows, _ := c.all("/v1.0/chats/" + chat + "/messages?$top=50")
		var want []string
		for r := range s.Oracle("").ChatMessages(chat, time.Time{}, time.Time{}) {
			want = append(want, r.ID)
		}
		ids := make([]string, 0, len(rows))
		for _, r := range rows {
			ids = append(ids, text(r, "id"))
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s: %s", chat, diff)
		}
	}
}

// TestDefaultSizesArePromised checks the promised sizes and the first user's share.
func TestDefaultSizesArePromised(t *testing.T) {
	t.Parallel()
	for _, now := range []time.Time{testNow, time.Date(2026, 11, 22, 3, 5, 0, 0, time.UTC), time.Date(2027, 1, 4, 0, 1, 0, 0, time.UTC)} {
		s := start(t, func(c *graphsim.Config) {
			c.Messages, c.Interactions, c.Calls = 0, 0, 0
			c.Now = func() time.Time { return now }
		})
		o := s.Oracle("")
		messages, interactions, chats, users := map[string]bool{}, 0, map[string]bool{}, 0
		var newest time.Time
		for p := range o.Users() {
			users++
			for r := range o.Records(graphsim.SourceChat, p.ID, time.Time{}, time.Time{}) {
				messages[r.Container+r.ID] = true
				if r.Created.After(newest) {
					newest = r.Created
				}
			}
			for range o.Records(graphsim.SourceCopilot, p.ID, time.Time{}, time.Time{}) {
				interactions++
			}
			for c := range o.Chats(p.ID) {
				chats[c] = true
			}
		}
		calls := len(slices.Collect(o.Records(graphsim.SourceCall, "", time.Time{}, time.Time{})))
		if users < 25 || len(chats) < 200 || len(messages) < 20_000 || interactions < 2_000 || calls < 500 {
			t.Errorf("%s: %d users, %d chats, %d messages, %d interactions, %d calls", now, users, len(chats), len(messages), interactions, calls)
		}
		if age := now.Sub(newest); age > 15*time.Minute || age < 0 {
			t.Errorf("%s: the newest message is %s old", now, age)
		}
		demo := s.DemoUser()
		if !strings.Contains(demo.UPN, "@") || demo.Name == "" {
			t.Errorf("demo user %+v", demo)
		}
		total := 0
		for _, source := range []string{graphsim.SourceChat, graphsim.SourceCopilot, graphsim.SourceCall} {
			n := len(slices.Collect(o.Records(source, demo.ID, now.AddDate(0, 0, -29), now)))
			if total += n; n < 10 {
				t.Errorf("%s: %d recent %s records", now, n, source)
			}
		}
		if n := len(slices.Collect(o.Chats(demo.ID))); n < 3 || total < 150 {
			t.Errorf("%s: %d chats, %d events", now, n, total)
		}
		t.Logf("%s: %d users, %d chats, %d messages, %d interactions, %d calls; demo user %d", now, users, len(chats), len(messages), interactions, calls, total)
	}
}

func TestEqualSeedsMakeEqualRecords(t *testing.T) {
	t.Parallel()
	demo := ""
	read := func(seed uint64, now time.Time) []string {
		s := start(t, func(c *graphsim.Config) { c.Seed, c.Now = seed, func() time.Time { return now } })
		c := newClient(t, s)
		demo = s.DemoUser().ID
		base := s.URL()
		out := make([]string, 0, 5)
		for _, path := range []string{
			"/beta/users/" + demo + "/chats?$expand=members,lastMessagePreview",
			"/v1.0/users/" + demo + "/chats/getAllMessages?$top=200&" + filter("lastModifiedDateTime gt 2026-10-01T00:00:00Z and lastModifiedDateTime lt 2026-11-01T00:00:00Z"),
			"/v1.0/copilot/users/" + demo + "/interactionHistory/getAllEnterpriseInteractions?$top=200&" + filter("createdDateTime gt 2026-10-01T00:00:00Z and createdDateTime lt 2026-11-01T00:00:00Z"),
			"/v1.0/communications/callRecords?" + filter("startDateTime gt 2026-11-01T00:00:00Z and startDateTime lt 2026-11-10T00:00:00Z"),
			"/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')",
		} {
			out = append(out, strings.ReplaceAll(string(c.get(path).body), base, ""))
		}
		return out
	}
	first := read(1, testNow)
	if diff := cmp.Diff(first, read(1, testNow)); diff != "" {
		t.Errorf("same seed: %s", diff)
	}
	// Later on the same day, old windows hold the same records.
	if diff := cmp.Diff(first[1:4], read(1, testNow.Add(6*time.Hour))[1:4]); diff != "" {
		t.Errorf("later that day: %s", diff)
	}
	for i, body := range read(2, testNow) {
		if body == first[i] {
			t.Errorf("answer %d does not depend on the seed", i)
		}
	}
}
