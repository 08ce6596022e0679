package source_test

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
)

var simNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func startSim(t *testing.T, cfg graphsim.Config) (*graphsim.Sim, *graphclient.Client) {
	t.Helper()
	cfg.Plain, cfg.Now, cfg.Seed = true, func() time.Time { return simNow }, 7
	sim, err := graphsim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	client, err := graphclient.New(graphclient.Config{BaseURL: sim.URL(), Limits: ratelimit.LimitTable{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return sim, client
}

// walk reads all pages of a query.
func walk(t *testing.T, reader source.EventReader, q source.EventQuery) (items []source.Item, first *source.Page[source.Item]) {
	t.Helper()
	link := ""
	for range 10_000 {
		page, err := reader.Events(t.Context(), q, link)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = page
		}
		items = append(items, page.Items...)
		if link = page.Next; link == "" {
			return items, first
		}
	}
	t.Fatal("no end")
	return nil, nil
}

// fact is what the simulator's data and the events must agree about.
type fact struct {
	Container, ID string
	Time, Created time.Time
	System        bool
}

func factsOf(t *testing.T, items []source.Item, start, end time.Time) []fact {
	t.Helper()
	var all []fact
	for _, item := range items {
		if item.Time.Before(start) || !item.Time.Before(end) {
			continue // the bounds that Graph is asked with are wider
		}
		event := eventOf(t, item)
		container := event.GetSource().GetChatId()
		switch event.GetSource().GetSource() {
		case parleyv1.Source_SOURCE_COPILOT:
			container = event.GetCopilot().GetSessionId()
		case parleyv1.Source_SOURCE_CALL:
			container = event.GetCall().GetJoinThreadId()
		default:
		}
		all = append(all, fact{
			Container: container, ID: event.GetSource().GetId(), Time: item.Time, Created: event.GetCreateTime().AsTime(),
			System: event.GetKind() == parleyv1.EventKind_EVENT_KIND_SYSTEM,
		})
	}
	return sorted(all)
}

// sorted orders facts and drops rows that Graph repeats.
func sorted(all []fact) []fact {
	slices.SortFunc(all, func(a, b fact) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Container+a.ID, b.Container+b.ID)
	})
	return slices.Compact(all)
}

func truth(records func(func(graphsim.Record) bool)) []fact {
	var all []fact
	for r := range records {
		all = append(all, fact{Container: r.Container, ID: r.ID, Time: r.Time, Created: r.Created, System: r.System})
	}
	return sorted(all)
}

func TestAgainstSimulator(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{})
	oracle, user := sim.Oracle(""), sim.DemoUser()
	from, to := simNow.AddDate(0, 0, -20), simNow.AddDate(0, 0, -1)
	for _, version := range []string{graph.V1, graph.Beta} {
		opt := source.Options{Tenant: sim.TenantID(), Version: version}
		q := source.EventQuery{Owner: user.ID, User: user.ID, Start: from, End: to}
		tenant := source.EventQuery{Owner: resource.AnyUser, Start: from, End: to}
		for _, tc := range []struct {
			name   string
			reader source.EventReader
			query  source.EventQuery
			want   []fact
		}{
			{"copilot", source.NewCopilot(client, opt), q, truth(oracle.Records(graphsim.SourceCopilot, user.ID, from, to))},
			{"chat", source.NewChat(client, opt), q, truth(oracle.Records(graphsim.SourceChat, user.ID, from, to))},
			{"call", source.NewCall(client, opt), q, truth(oracle.Records(graphsim.SourceCall, user.ID, from, to))},
			{"calls of the tenant", source.NewCall(client, opt), tenant, truth(oracle.Records(graphsim.SourceCall, "", from, to))},
		} {
			t.Run(tc.name+" "+version, func(t *testing.T) {
				t.Parallel()
				items, first := walk(t, tc.reader, tc.query)
				if len(tc.want) < 5 {
					t.Fatalf("the simulator has %d records only", len(tc.want))
				}
				if diff := cmp.Diff(tc.want, factsOf(t, items, from, to)); diff != "" {
					t.Errorf("records (-simulator +events):\n%.4000s", diff)
				}
				if first.Unfiltered || first.Unbounded {
					t.Errorf("flags of %+v", first)
				}
			})
		}
	}
}

func TestGetsAgainstSimulator(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{ParticipantPageSize: 2, SessionPageSize: 2})
	oracle, user := sim.Oracle(""), sim.DemoUser()
	opt := source.Options{Tenant: sim.TenantID()}
	from := simNow.AddDate(0, 0, -20)
	q := source.EventQuery{Owner: user.ID, User: user.ID, Start: from, End: simNow}
	outsider := func(members []string) string { // somebody who is none of them
		for p := range oracle.Users() {
			if !slices.Contains(members, p.Name) && oracle.Licensed(p.ID) {
				return p.ID
			}
		}
		return ""
	}
	for name, src := range map[string]interface {
		source.EventReader
		source.EventGetter
	}{
		"copilot": source.NewCopilot(client, opt), "chat": source.NewChat(client, opt), "call": source.NewCall(client, opt),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outsiders := 0
			items, _ := walk(t, src, q)
			for _, item := range items[:min(len(items), 12)] {
				owner, ref, err := resource.ParseEvent(eventOf(t, item).GetName())
				if err != nil || owner != user.ID {
					t.Fatalf("name of owner %q: %v", owner, err)
				}
				event, err := src.Event(t.Context(), user.ID, user.ID, ref)
				if err != nil {
					t.Fatalf("%s: %v", eventOf(t, item).GetName(), err)
				}
				if event.GetUid() != eventOf(t, item).GetUid() || event.GetName() != eventOf(t, item).GetName() || event.GetVersion() != eventOf(t, item).GetVersion() {
					t.Errorf("listed %s as %s", eventOf(t, item).GetName(), event.GetName())
				}
				taking := make([]string, 0, 200)
				switch name {
				case "chat":
					taking = append(taking, oracle.Members(ref.Chat)...)
				case "copilot":
					taking = append(taking, user.Name)
				default:
					if event.GetCall().GetPartial() || len(event.GetCall().GetParticipants()) == 0 || len(event.GetCall().GetSessions()) == 0 {
						t.Errorf("call %v is not whole", event.GetName())
					}
					for _, p := range event.GetCall().GetParticipants() {
						taking = append(taking, p.GetIdentity().GetUser().GetDisplayName())
					}
					taking = append(taking, event.GetActor().GetUser().GetDisplayName())
				}
				stranger := outsider(taking)
				if stranger == "" {
					continue
				}
				outsiders++
				if _, err = src.Event(t.Context(), stranger, stranger, ref); kindOf(t, err) != "not found" {
					t.Errorf("%s: an outsider got %v", eventOf(t, item).GetName(), err)
				}
			}
			if outsiders == 0 {
				t.Error("no outsider asked")
			}
		})
	}
}

func TestChatsAgainstSimulator(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{})
	oracle, user := sim.Oracle(""), sim.DemoUser()
	for _, version := range []string{graph.V1, graph.Beta} {
		opt := source.Options{Tenant: sim.TenantID(), Version: version}
		chats := source.NewConversations(client, opt)
		var ids []string
		link := ""
		for {
			page, err := chats.Conversations(t.Context(), source.ConversationQuery{Owner: user.ID, User: user.ID, ByLastMessage: true}, link)
			if err != nil {
				t.Fatal(err)
			}
			if page.Unordered || page.Unfiltered {
				t.Errorf("flags of %+v", page)
			}
			for _, chat := range page.Items {
				ids = append(ids, chat.GetChatId())
				if len(chat.GetMembers()) == 0 || chat.GetName() == "" || chat.GetUid() == "" || chat.GetKind() == 0 {
					t.Errorf("chat %v", chat)
				}
			}
			if link = page.Next; link == "" {
				break
			}
		}
		want := slices.Collect(oracle.Chats(user.ID))
		slices.Sort(want)
		slices.Sort(ids)
		if diff := cmp.Diff(want, slices.Compact(ids)); diff != "" {
			t.Errorf("chats (-simulator +read):\n%s", diff)
		}
		for _, id := range want[:3] {
			chat, err := chats.Conversation(t.Context(), user.ID, user.UPN, id)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(chat.GetMembers()); got < len(oracle.Members(id)) {
				t.Errorf("%d members of %d", got, len(oracle.Members(id)))
			}
			from := simNow.AddDate(0, 0, -90)
			q := source.EventQuery{Owner: user.ID, User: user.ID, Conversation: id, Start: from, End: simNow}
			items, _ := walk(t, source.NewChat(client, opt), q)
			if diff := cmp.Diff(truth(oracle.ChatMessages(id, from, simNow)), factsOf(t, items, from, simNow)); diff != "" {
				t.Errorf("messages (-simulator +events):\n%.3000s", diff)
			}
		}
		for p := range oracle.Users() {
			if slices.Contains(oracle.Members(want[0]), p.Name) {
				continue
			}
			if _, err := chats.Conversation(t.Context(), p.ID, p.ID, want[0]); kindOf(t, err) != "not found" {
				t.Errorf("an outsider got %v", err)
			}
			break
		}
	}
}

func TestUsageAgainstSimulator(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{ReportPageSize: 7})
	counts := map[string]int{}
	for _, version := range []string{graph.V1, graph.Beta} {
		usage := source.NewUsage(client, source.Options{Version: version})
		link := ""
		for {
			page, err := usage.Usage(t.Context(), source.UsageQuery{Period: "D28"}, link)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range itemsOf(t, page) {
				counts[version]++
				if row.GetReportRefreshDate() == "" || row.GetReportPeriod() != 28 || row.GetIdentityConcealed() || len(row.GetUnmapped().GetFields()) > 0 {
					t.Errorf("row %v", row)
				}
			}
			if link = page.Next; link == "" {
				break
			}
		}
		body, contentType, err := usage.Download(t.Context(), source.UsageQuery{Period: "D7"})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(body)
		if err != nil || body.Close() != nil || contentType != "text/csv" || strings.Count(string(raw), "\n") <= counts[version] {
			t.Errorf("%s: %d bytes of %s, %v", version, len(raw), contentType, err)
		}
	}
	if counts[graph.V1] == 0 || counts[graph.V1] != counts[graph.Beta] {
		t.Errorf("rows %v", counts)
	}
	page, err := source.NewUsers(client, source.Options{}).Users(t.Context(), source.UserQuery{}, "")
	if err != nil {
		t.Fatal(err)
	}
	users := slices.Collect(sim.Oracle("").Users())
	if len(page.Items) != len(users) || page.Items[0].GetName() != "users/"+page.Items[0].GetId() {
		t.Errorf("%d users, want %d", len(page.Items), len(users))
	}
	if id, err := source.NewUsers(client, source.Options{}).UserID(t.Context(), users[3].UPN); err != nil || id != users[3].ID {
		t.Errorf("id %q, error %v", id, err)
	}
}

// TestCallsAreTheSameWhenTheCombinationIsRefused holds that a user's calls are the same when Graph refuses interval and participant together.
func TestCallsAreTheSameWhenTheCombinationIsRefused(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{RefuseCallFilterCombination: true})
	user, from := sim.DemoUser(), simNow.AddDate(0, 0, -10)
	items, first := walk(t, source.NewCall(client, source.Options{}), source.EventQuery{Owner: user.ID, User: user.ID, Start: from, End: simNow})
	if !first.Unbounded {
		t.Error("the page does not say that it is unbounded")
	}
	if diff := cmp.Diff(truth(sim.Oracle("").Records(graphsim.SourceCall, user.ID, from, simNow)), factsOf(t, items, from, simNow)); diff != "" {
		t.Errorf("calls (-simulator +events):\n%s", diff)
	}
}

// TestRepliesOfTheSimulator checks that replies and forwards in the demo's data lead somewhere: every answered message is one
// of the same chat, unless it is older than what was read, and every forward names a chat.
func TestRepliesOfTheSimulator(t *testing.T) {
	t.Parallel()
	sim, client := startSim(t, graphsim.Config{})
	user := sim.DemoUser().ID
	q := source.EventQuery{Owner: user, User: user, Start: simNow.AddDate(-1, 0, 0), End: simNow}
	items, _ := walk(t, source.NewChat(client, options(graph.V1)), q)
	known, oldest := map[string]bool{}, map[string]time.Time{}
	events := make([]*parleyv1.Event, len(items))
	for i, item := range items {
		event := eventOf(t, item)
		events[i] = event
		known[event.GetConversation()+" "+event.GetSource().GetId()] = true
		if at, ok := oldest[event.GetConversation()]; !ok || event.GetCreateTime().AsTime().Before(at) {
			oldest[event.GetConversation()] = event.GetCreateTime().AsTime()
		}
	}
	replies, quotes, forwards := 0, 0, 0
	for _, event := range events {
		refers := false
		for _, a := range event.GetAttachments() {
			refers = refers || strings.HasSuffix(strings.ToLower(a.GetContentType()), "messagereference")
		}
		quoted := strings.Contains(event.GetBody().GetContent(), "schema.skype.com/Reply")
		if refers != (event.GetReplyTo() != "" && !quoted) {
			t.Errorf("reply_to %q of a message with attachments %v", event.GetReplyTo(), event.GetAttachments())
		}
		switch {
		case event.GetReplyTo() == "":
			continue
		case event.GetReplyToConversation() != "":
			forwards++
			continue
		case quoted:
			quotes++
		}
		replies++
		ms, err := strconv.ParseInt(event.GetReplyTo(), 10, 64)
		if err != nil || !known[event.GetConversation()+" "+event.GetReplyTo()] && time.UnixMilli(ms).After(oldest[event.GetConversation()]) {
			t.Errorf("%s answers %q, which is not in its conversation", event.GetName(), event.GetReplyTo())
		}
	}
	if replies < 20 || quotes < 3 || forwards < 5 {
		t.Errorf("%d replies, %d of them quotes, and %d forwards in %d messages", replies, quotes, forwards, len(items))
	}
}
