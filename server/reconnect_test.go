package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
)

// messages is a source with one message an hour ago.
type messages struct{ item source.Item }

func newMessages(t *testing.T) messages {
	t.Helper()
	at := time.Now().UTC().Add(-time.Hour)
	item, err := source.NewItem(&parleyv1.Event{Name: "users/" + annaID + "/events/chat," + chatID + ",1", Uid: "1"})
	if err != nil {
		t.Fatal(err)
	}
	item.Time, item.Created, item.Key = at, at, "1"
	return messages{item}
}

// Events implements source.EventReader.
func (m messages) Events(_ context.Context, q source.EventQuery, _ string) (*source.Page[source.Item], error) {
	page := &source.Page[source.Item]{Requests: 1, ReadAt: time.Now()}
	if !m.item.Time.Before(q.Start) && m.item.Time.Before(q.End) {
		page.Items, page.Rows = []source.Item{m.item}, 1
	}
	return page, nil
}

// Usage implements source.UsageReader.
func (messages) Usage(context.Context, source.UsageQuery, string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	return &source.Page[*parleyv1.CopilotUsageRow]{}, nil
}

// UsageCounts implements source.UsageReader.
func (messages) UsageCounts(context.Context, source.UsageQuery, string) (*source.Page[*parleyv1.CopilotUsageCounts], error) {
	return &source.Page[*parleyv1.CopilotUsageCounts]{}, nil
}

// idsOf are the ids of server-sent events, and the last one's name.
func idsOf(text string) (ids []string, last string) {
	for line := range strings.Lines(text) {
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			ids = append(ids, strings.TrimSpace(id))
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			last = strings.TrimSpace(name)
		}
	}
	return ids, last
}

// TestAnEndedEventSourceIsToldToStayAway: an EventSource that comes back after the end is told to stay away, by an id that is the summary's of this
// very request and caller, and by nothing else.
func TestAnEndedEventSourceIsToldToStayAway(t *testing.T) {
	t.Parallel()
	engine, err := timeline.New(timeline.Config{})
	if err != nil {
		t.Fatal(err)
	}
	g := startGuarded(t, func(c *server.Config) {
		c.Engine = engine
		rows := newMessages(t)
		sources := &c.Tenants["contoso"].Sources
		sources.Events = map[parleyv1.Source]source.EventReader{parleyv1.Source_SOURCE_CHAT: rows}
		sources.Usage = rows
	})
	for _, tt := range []struct{ path, other, caller, stranger string }{
		{
			"/v1/users/" + annaID + "/events:stream?sources=SOURCE_CHAT", "/v1/users/" + annaID + "/events:stream?sources=SOURCE_CHAT&view=EVENT_VIEW_METADATA",
			"owner", "officer",
		},
		{
			"/v1/users/" + annaID + "/conversations:stream?", "/v1/users/" + annaID + "/conversations:stream?orderBy=last_message_time%20desc",
			"owner", "officer",
		},
		{"/v1/copilotUsage:stream?period=D7", "/v1/copilotUsage:stream?period=D30", "adoption", ""},
	} {
		ask := func(path, caller, id string, headers ...string) (int, string) {
			if caller != "" {
				headers = append(headers, "Authorization", "Bearer "+caller)
			}
			if id != "" {
				headers = append(headers, "Last-Event-ID", id)
			}
			resp := g.get(t, path, headers...)
			if resp.Header.Get("X-Request-Id") == "" || resp.StatusCode == http.StatusNoContent && len(resp.Header["Content-Type"]) > 0 {
				t.Errorf("%s: headers %v", path, resp.Header)
			}
			return resp.StatusCode, body(t, resp)
		}
		status, text := ask(tt.path, tt.caller, "", "Accept", sse)
		ids, last := idsOf(text)
		if status != http.StatusOK || last != "summary" || len(ids) == 0 {
			t.Fatalf("%s: %d %s", tt.path, status, text)
		}
		summary := ids[len(ids)-1]
		g.records.take(t)
		if status, text := ask(tt.path, tt.caller, summary, "Accept", sse); status != http.StatusNoContent || text != "" {
			t.Errorf("%s: after the end: %d %q", tt.path, status, text)
		}
		if records := g.records.take(t); len(records) != 2 || records[1].Outcome.Code != "OK" || records[1].Outcome.Events != 0 {
			t.Errorf("%s: records %+v", tt.path, records)
		}
		if status, _ := ask(tt.path, tt.caller, summary, "Accept", sse, "Accept-Encoding", "gzip"); status != http.StatusNoContent {
			t.Errorf("%s: after the end, compressed: %d", tt.path, status)
		}
		for _, id := range ids[:len(ids)-1] {
			status, text := ask(tt.path, tt.caller, id, "Accept", sse)
			if _, last := idsOf(text); status != http.StatusOK || last != "summary" {
				t.Errorf("%s: behind a checkpoint: %d %s", tt.path, status, text)
			}
		}
		refused := []struct{ path, id string }{{tt.path, "whatever."}, {tt.path, "."}, {tt.path, summary + "."}, {tt.path, summary[1:]}, {tt.other, summary}}
		for _, id := range ids {
			refused = append(refused, struct{ path, id string }{tt.path, id + "."})
		}
		for _, r := range refused {
			status, text := ask(r.path, tt.caller, r.id, "Accept", sse)
			if e := parseError(t, text); status != http.StatusBadRequest || e.reason() != "TOKEN_REFUSED" {
				t.Errorf("%s with %q: %d %s", r.path, r.id, status, text)
			}
		}
		if tt.stranger != "" {
			if status, text := ask(tt.path, tt.stranger, summary, "Accept", sse); status != http.StatusBadRequest {
				t.Errorf("%s: another caller's id: %d %s", tt.path, status, text)
			}
		}
		if status, _ := ask(tt.path, "", summary, "Accept", sse); status != http.StatusUnauthorized {
			t.Errorf("%s: nobody: %d", tt.path, status)
		}
		if status, _ := ask(tt.path, "stranger", "whatever.", "Accept", sse); status != http.StatusForbidden {
			t.Errorf("%s: somebody without a rule: %d", tt.path, status)
		}
		// Asked for in so many words, the same token goes on.
		if status, text := ask(tt.path+"&resumeToken="+summary, tt.caller, ""); status != http.StatusOK || !strings.Contains(text, `{"summary":`) {
			t.Errorf("%s: going on: %d %s", tt.path, status, text)
		}
		// Lines have no ids, so the header means nothing there.
		if status, text := ask(tt.path, tt.caller, "whatever."); status != http.StatusOK || !strings.Contains(text, `{"summary":`) {
			t.Errorf("%s: lines: %d %s", tt.path, status, text)
		}
	}
}
