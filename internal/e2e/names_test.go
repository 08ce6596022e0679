package e2e_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// TestUsersAreReadByIDNameAndFilter reads single users by id and name, and users by filter; what the simulator does not evaluate is evaluated here.
func TestUsersAreReadByIDNameAndFilter(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{Seed: 11, Users: 40}, nil)
	oracle, demo := g.sim.Oracle(""), g.sim.DemoUser()
	var licensed, all []string
	named := map[string]string{}
	for person := range oracle.Users() {
		all, named[person.ID] = append(all, person.ID), person.Name
		if oracle.Licensed(person.ID) {
			licensed = append(licensed, person.ID)
		}
	}
	for _, name := range []string{demo.ID, strings.ToUpper(demo.UPN)} {
		var user parleyv1.User
		if status, body := g.get(t, "/v1/users/"+url.PathEscape(name), &user); status != http.StatusOK {
			t.Fatalf("HTTP %d %s", status, body)
		}
		if user.GetId() != demo.ID || user.GetDisplayName() != demo.Name || user.GetUserType() != "Member" || user.GetDepartment() == "" ||
			!user.GetCopilot().GetLicensed() || user.GetCopilot().GetSince() == nil || user.AccountEnabled == nil {
			t.Errorf("%s: %v", name, &user)
		}
	}
	var user parleyv1.User
	if status, body := g.get(t, "/v1/users/"+demo.ID+"?view=EVENT_VIEW_METADATA", &user); status != http.StatusOK || user.GetDepartment() == "" || user.GetCountry() == "" ||
		user.GetDisplayName()+user.GetUserPrincipalName()+user.GetJobTitle()+user.GetUserType() != "" || user.GetCopilot() != nil || user.AccountEnabled != nil {
		t.Errorf("HTTP %d %s", status, body)
	}
	for path, want := range map[string]int{
		"/v1/users/11111111-aaaa-4aaa-8aaa-111111111111": http.StatusNotFound, "/v1/users/nobody@lindenhall.example": http.StatusNotFound,
		"/v1/users/-": http.StatusBadRequest, "/v1/users/" + demo.ID + "?filter=id%3D1": http.StatusBadRequest,
		"/v1/users?filter=" + url.QueryEscape("job_title = Analyst"): http.StatusBadRequest, "/v1/users?filter=" + url.QueryEscape("copilot.licensed = perhaps"): http.StatusBadRequest,
		"/v1/users?view=EVENT_VIEW_METADATA&filter=" + url.QueryEscape("display_name = Ada"): http.StatusBadRequest,
	} {
		if status, body := g.get(t, path, nil); status != want {
			t.Errorf("%s: HTTP %d %s", path, status, body)
		}
	}
	prefix := demo.Name[:2]
	for filter, want := range map[string]struct {
		matches func(id string) bool
		graph   []string // fields that Graph evaluates
	}{
		`id = "` + demo.ID + `"`:                            {func(id string) bool { return id == demo.ID }, []string{"id"}},
		`id = "` + all[3] + `" OR id = "` + all[5] + `"`:    {func(id string) bool { return id == all[3] || id == all[5] }, []string{"id"}},
		`id = "nobody"`:                                     {func(string) bool { return false }, nil},
		`user_principal_name = "` + demo.UPN + `"`:          {func(id string) bool { return id == demo.ID }, []string{"user_principal_name"}},
		`user_principal_name = "*@*"`:                       {func(string) bool { return true }, nil},
		`display_name = "` + demo.Name + `"`:                {func(id string) bool { return named[id] == demo.Name }, []string{"display_name"}},
		`display_name = "` + strings.ToUpper(prefix) + `*"`: {func(id string) bool { return strings.HasPrefix(named[id], prefix) }, []string{"display_name"}},
		`NOT display_name = "` + prefix + `*"`:              {func(id string) bool { return !strings.HasPrefix(named[id], prefix) }, nil},
		`copilot.licensed = true`:                           {func(id string) bool { return slices.Contains(licensed, id) }, nil},
		`copilot.licensed != true AND display_name = "*a*"`: {func(id string) bool {
			return !slices.Contains(licensed, id) && strings.Contains(strings.ToLower(named[id]), "a")
		}, nil},
	} {
		var found, expected []string
		for _, id := range all {
			if want.matches(id) {
				expected = append(expected, id)
			}
		}
		for token := "begin"; token != ""; {
			path := "/v1/users?pageSize=7&filter=" + url.QueryEscape(filter)
			if token != "begin" {
				path += "&pageToken=" + url.QueryEscape(token)
			}
			var page parleyv1.ListUsersResponse
			if status, body := g.get(t, path, &page); status != http.StatusOK {
				t.Fatalf("%s: HTTP %d %s", filter, status, body)
			}
			for _, user := range page.GetUsers() {
				found = append(found, user.GetId())
			}
			report := page.GetSources()[0]
			if token = page.GetNextPageToken(); token == "" && !page.GetComplete() || len(report.GetCoverageGaps()) != 0 || !slices.Equal(report.GetFilteredByGraph(), want.graph) {
				t.Errorf("%s: %v", filter, &page)
			}
		}
		if diff := cmp.Diff(expected, found); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
}

// nameless counts the people of events that have no name, and those whose name is marked, by its source.
func nameless(events []*parleyv1.Event) (without int, by map[parleyv1.NameSource]int) {
	by = map[parleyv1.NameSource]int{}
	see := func(identity *parleyv1.Identity) {
		switch {
		case identity == nil || len(identity.GetId()) != 36:
		case identity.GetDisplayName() == "":
			without++
		default:
			by[identity.GetNameSource()]++
		}
	}
	for _, e := range events {
		see(e.GetActor().GetUser())
		see(e.GetSystem().GetInitiator().GetUser())
		for _, member := range e.GetSystem().GetMembers() {
			see(member)
		}
		for _, reaction := range e.GetChat().GetReactions() {
			see(reaction.GetUser().GetUser())
		}
	}
	return without, by
}

// withNames lists events with names until the names that were asked for have all come: a busy directory may not answer in the five
// seconds that an answer waits for it. It returns how often it asked.
func (g *tenantUnderTest) withNames(t *testing.T, path string, into *parleyv1.ListEventsResponse) (asked int) {
	t.Helper()
	for {
		asked++
		into.Reset()
		if status, body := g.get(t, path, into); status != http.StatusOK {
			t.Fatalf("HTTP %d %s", status, body)
		}
		late := slices.ContainsFunc(into.GetNotices(), func(n *parleyv1.Notice) bool { return n.GetCode() == "NAMES_INCOMPLETE" })
		if !late || asked == 10 {
			return asked
		}
	}
}

// TestNamesOfPeople asks for names: nothing else changes, they come in few requests, and once only.
func TestNamesOfPeople(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{Seed: 11}, nil)
	user := g.sim.DemoUser().ID
	path := "/v1/users/" + user + "/events?sources=SOURCE_CHAT&sources=SOURCE_COPILOT&startTime=" + day(20) + "&endTime=" + day(1)
	var plain, named parleyv1.ListEventsResponse
	if status, body := g.get(t, path+"&pageSize=400", &plain); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	without, _ := nameless(plain.GetEvents())
	g.sim.ResetRequests()
	asked := g.withNames(t, path+"&pageSize=400&enrich=NAMES", &named)
	rest, by := nameless(named.GetEvents())
	if without < 20 || rest*10 > without || by[parleyv1.NameSource_NAME_SOURCE_DIRECTORY] < 20 {
		t.Errorf("%d of %d without a name, %v", rest, without, by)
	}
	lookUps := 0
	for _, request := range g.sim.Requests() {
		if request.Source == graphsim.SourceUsers {
			lookUps++
		}
	}
	if lookUps == 0 || lookUps > 20*asked {
		t.Errorf("%d requests for names", lookUps)
	}
	notes := 0
	if len(named.GetEvents()) != len(plain.GetEvents()) {
		t.Fatalf("%d events with names, %d without", len(named.GetEvents()), len(plain.GetEvents()))
	}
	for i, e := range named.GetEvents() {
		before := plain.GetEvents()[i]
		if e.GetUid() != before.GetUid() || e.GetVersion() != before.GetVersion() || e.GetBody().GetContent() != before.GetBody().GetContent() {
			t.Fatalf("the event is another one: %v, %v", e, before)
		}
		if e.GetSystem().GetInitiator().GetUser().GetDisplayName() != "" && strings.HasPrefix(e.GetSummary().GetText(), e.GetSystem().GetInitiator().GetUser().GetDisplayName()) {
			notes++
		}
	}
	if notes == 0 {
		t.Error("no summary has a name")
	}
	g.sim.ResetRequests()
	if status, body := g.get(t, path+"&pageSize=400&enrich=ENRICHMENT_NAMES", nil); status != http.StatusOK {
		t.Errorf("HTTP %d %.200s", status, body)
	}
	for _, request := range g.sim.Requests() {
		if request.Source == graphsim.SourceUsers {
			t.Errorf("a name is asked for again: %v", request)
		}
	}
	stream := string(g.read(t, strings.Replace(path, "/events?", "/events:stream?", 1)+"&enrich=NAMES", "application/x-ndjson"))
	if strings.Count(stream, "NAME_SOURCE_DIRECTORY") < 20 || !strings.Contains(stream, `"complete":true`) {
		t.Errorf("a stream of %d bytes without names", len(stream))
	}
	for _, e := range plain.GetEvents() {
		if e.GetSystem() == nil || e.GetSystem().GetInitiator().GetUser() == nil {
			continue
		}
		var whole parleyv1.Event
		if status, body := g.get(t, "/v1/"+e.GetName()+"?enrich=NAMES", &whole); status != http.StatusOK || whole.GetSystem().GetInitiator().GetUser().GetNameSource() == 0 {
			t.Errorf("HTTP %d %s", status, body)
		}
		break
	}
	if status, body := g.get(t, path+"&enrich=FACES", nil); status != http.StatusBadRequest {
		t.Errorf("HTTP %d %s", status, body)
	}
}

// TestNamesAreNotMetadata refuses names to who may read metadata alone, in every view, and gives them to who may read more.
func TestNamesAreNotMetadata(t *testing.T) {
	t.Parallel()
	g := guardedOwners(t, graphsim.Config{Seed: 11})
	user := g.sim.DemoUser().ID
	dashboard := g.token(t, graphsim.CallerToken{Roles: []string{"Conversations.Metadata.All"}})
	officer := g.token(t, graphsim.CallerToken{User: user, Roles: []string{"Conversations.Read.All"}})
	path := "/v1/users/" + user + "/events?sources=SOURCE_CHAT&view=EVENT_VIEW_METADATA&startTime=" + day(9) + "&endTime=" + day(1)
	var page parleyv1.ListEventsResponse
	if g.fetch(t, dashboard, path, &page); len(page.GetEvents()) == 0 {
		t.Fatalf("no events: %v", &page)
	}
	for _, e := range page.GetEvents() {
		if line := e.GetSummary(); line.GetText() != "" || slices.ContainsFunc(line.GetArguments(), func(a *parleyv1.EventSummaryArgument) bool { return len(a.GetTexts()) > 0 }) {
			t.Errorf("a summary tells %v", line)
		}
	}
	for _, path := range []string{path, strings.Replace(path, "/events?", "/events:stream?", 1), "/v1/" + page.GetEvents()[0].GetName() + "?view=EVENT_VIEW_METADATA"} {
		if status, reason, body := g.ask(t, dashboard, path+"&enrich=NAMES"); status != http.StatusForbidden || reason != "POLICY_DENIED" {
			t.Errorf("%s: %d %s %s", path, status, reason, body)
		}
	}
	g.fetch(t, officer, path+"&enrich=NAMES", &page)
	var person parleyv1.User
	g.fetch(t, dashboard, "/v1/users/"+user+"?view=EVENT_VIEW_METADATA", &person)
	if status, reason, body := g.ask(t, dashboard, "/v1/users/"+user); status != http.StatusForbidden || reason != "POLICY_DENIED" {
		t.Errorf("%d %s %s", status, reason, body)
	}
}

// TestFilterByAddedNames: with enrich=NAMES, a filter by the name of the actor finds the prompts that Graph sends without one.
func TestFilterByAddedNames(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{Seed: 11}, nil)
	demo := g.sim.DemoUser()
	path := "/v1/users/" + demo.ID + "/events?sources=SOURCE_COPILOT&pageSize=1000&startTime=" + day(28) + "&endTime=" + day(1) + "&filter="
	list := func(filter string) *parleyv1.ListEventsResponse {
		t.Helper()
		var page parleyv1.ListEventsResponse
		if status, body := g.get(t, path+filter, &page); status != http.StatusOK || !page.GetComplete() {
			t.Fatalf("HTTP %d %.500s", status, body)
		}
		return &page
	}
	prompts := list("kind%3DEVENT_KIND_PROMPT").GetEvents()
	if len(prompts) == 0 || prompts[0].GetActor().GetUser().GetDisplayName() != "" {
		t.Fatalf("%d prompts, %v", len(prompts), prompts)
	}
	byName := url.QueryEscape(`actor = "` + strings.ToUpper(demo.Name[:3]) + `*"`)
	if found := list(byName).GetEvents(); len(found) != 0 {
		t.Errorf("without names %d events", len(found))
	}
	var byNames parleyv1.ListEventsResponse
	g.withNames(t, path+byName+"&enrich=NAMES", &byNames)
	found := byNames.GetEvents()
	if len(found) != len(prompts) {
		t.Errorf("with names %d events, want the %d prompts", len(found), len(prompts))
	}
	for _, event := range found {
		if event.GetActor().GetUser().GetDisplayName() != demo.Name {
			t.Errorf("by %v", event.GetActor())
		}
	}
	if found := list(url.QueryEscape("NOT actor:*") + "&enrich=NAMES").GetEvents(); len(found) != 0 {
		t.Errorf("%d events have no name", len(found))
	}
	events, summary := g.stream(t, strings.NewReplacer("/events?", "/events:stream?", "&pageSize=1000", "").Replace(path)+byName+"&enrich=NAMES")
	if len(events) != len(prompts) || !summary.GetComplete() {
		t.Errorf("the stream has %d events: %v", len(events), summary)
	}
}

// TestCoverageGapsAreNamedPerSource names per source what it cannot hold, on last pages and in summaries alone; completeness is another matter.
func TestCoverageGapsAreNamedPerSource(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{Seed: 11, Users: 20}, nil)
	path := "/v1/users/" + g.sim.DemoUser().ID + "/events?pageSize=1000&startTime=" + day(3) + "&endTime=" + day(2)
	const channel, studio = parleyv1.CoverageGap_COVERAGE_GAP_CHANNEL_MESSAGES, parleyv1.CoverageGap_COVERAGE_GAP_STUDIO_AGENTS
	want := map[parleyv1.Source][]parleyv1.CoverageGap{
		parleyv1.Source_SOURCE_COPILOT: {studio, parleyv1.CoverageGap_COVERAGE_GAP_COPILOT_WITHOUT_LICENCE},
		parleyv1.Source_SOURCE_CHAT:    {channel, parleyv1.CoverageGap_COVERAGE_GAP_RETAINED_MESSAGES, parleyv1.CoverageGap_COVERAGE_GAP_DELETED_OVER_21_DAYS},
		parleyv1.Source_SOURCE_CALL:    {parleyv1.CoverageGap_COVERAGE_GAP_CALLS_OVER_30_DAYS},
	}
	var last parleyv1.ListEventsResponse
	if status, body := g.get(t, path, &last); status != http.StatusOK || last.GetNextPageToken() != "" || !last.GetComplete() {
		t.Fatalf("HTTP %d %s", status, body)
	}
	if diff := cmp.Diff(want, coverage(last.GetSources())); diff != "" {
		t.Errorf("last page (-want +got):\n%s", diff)
	}
	if len(last.GetEvents()) > 1 {
		var first parleyv1.ListEventsResponse
		if status, body := g.get(t, strings.Replace(path, "pageSize=1000", "pageSize=1", 1), &first); status != http.StatusOK || first.GetNextPageToken() == "" || len(coverage(first.GetSources())) != 0 {
			t.Errorf("first page: HTTP %d %s", status, body)
		}
	}
	var chats parleyv1.ListConversationsResponse
	if status, body := g.get(t, "/v1/users/"+g.sim.DemoUser().ID+"/conversations?pageSize=1000", &chats); status != http.StatusOK ||
		!cmp.Equal(coverage(chats.GetSources()), map[parleyv1.Source][]parleyv1.CoverageGap{parleyv1.Source_SOURCE_CONVERSATION: {channel}}) {
		t.Errorf("chats: HTTP %d %s", status, body)
	}
	stream := string(g.read(t, strings.Replace(path, "/events?pageSize=1000&", "/events:stream?", 1), "application/x-ndjson"))
	if strings.Count(stream, "COVERAGE_GAP_STUDIO_AGENTS") != 1 || !strings.Contains(stream, `"complete":true`) {
		t.Errorf("a stream: %.300s", stream)
	}
}

func coverage(reports []*parleyv1.SourceReport) map[parleyv1.Source][]parleyv1.CoverageGap {
	gaps := map[parleyv1.Source][]parleyv1.CoverageGap{}
	for _, report := range reports {
		if len(report.GetCoverageGaps()) > 0 {
			gaps[report.GetSource()] = report.GetCoverageGaps()
		}
	}
	return gaps
}
