package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// question is a section of the handbook's questions.
type question struct {
	title            string
	path             string   // of the command, without the address, its variables not replaced
	encoded          []string // parameters that the command encodes, as name=value
	requests, fewest int
}

var (
	curlLine    = regexp.MustCompile(`(?m)^curl -sG? "\$H(/[^"]*)"(.*)$`)
	curlData    = regexp.MustCompile(` -d (\S+)`)
	curlEncoded = regexp.MustCompile(` --data-urlencode (?:'([^']*)'|"([^"]*)")`)
	requestsRow = regexp.MustCompile(`(?m)^Graph requests: at most (\d+), the fewest possible: (\d+)\.`)
)

// questions reads the questions about conversations of docs/questions.md.
func questions(t *testing.T) []question {
	t.Helper()
	page, err := os.ReadFile("../../docs/questions.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []question
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		title, _, _ := strings.Cut(section, "\n")
		if !strings.Contains(section, "\nGraph requests: at most ") {
			continue // asked by TestQuestions
		}
		command, row := curlLine.FindStringSubmatch(section), requestsRow.FindStringSubmatch(section)
		if command == nil || row == nil {
			t.Fatalf("%q has no command or no numbers", title)
		}
		q := question{title: title, path: command[1]}
		var data []string
		for _, field := range curlData.FindAllStringSubmatch(command[2], -1) {
			data = append(data, field[1])
		}
		if len(data) > 0 {
			q.path += "?" + strings.Join(data, "&")
		}
		for _, field := range curlEncoded.FindAllStringSubmatch(command[2], -1) {
			q.encoded = append(q.encoded, field[1]+field[2])
		}
		var errs [2]error
		q.requests, errs[0] = strconv.Atoi(row[1])
		if q.fewest, errs[1] = strconv.Atoi(row[2]); errs != [2]error{} || q.fewest > q.requests {
			t.Fatalf("%q says %s and %s requests", title, row[1], row[2])
		}
		all = append(all, q)
	}
	return all
}

// isAbout reports whether a text, an attachment or a link of an event has a word.
func isAbout(e *parleyv1.Event, word string) bool {
	return strings.Contains(strings.ToLower(e.GetBody().GetPlainText()), word) ||
		slices.ContainsFunc(e.GetAttachments(), func(a *parleyv1.Attachment) bool { return strings.Contains(strings.ToLower(a.GetName()), word) }) ||
		slices.ContainsFunc(e.GetLinks(), func(l *parleyv1.Link) bool { return strings.Contains(strings.ToLower(l.GetUrl()), word) })
}

func eventNames(events []*parleyv1.Event) []string {
	names := make([]string, 0, len(events))
	for _, e := range events {
		names = append(names, e.GetName())
	}
	return names
}

// TestConversationQuestions asks each question about conversations of the handbook of a gateway that has read nothing, and compares its answer with what the user's whole
// timeline holds, and its requests to Graph with those that the handbook names.
func TestConversationQuestions(t *testing.T) { //nolint:tparallel // one after the other: the simulator counts the requests of all
	t.Parallel()
	sim := simulated(t, graphsim.Config{Messages: 6000})
	settings := settingsFor(t, sim.URL(), sim.CACertPEM())
	since, until := day(28), day(0)
	events, summary := over(t, sim, settings).stream(t, "/v1/users/"+demo(sim)+"/events:stream?startTime="+since+"&endTime="+until)
	if !summary.GetComplete() {
		t.Fatalf("the events are not complete: %v", summary)
	}
	messages := map[string]int{}
	for _, event := range events {
		if event.GetSource().GetSource() == parleyv1.Source_SOURCE_CHAT {
			messages[event.GetConversation()]++
		}
	}
	call, reply := events[0], events[0]
	sessions := map[string]bool{}
	for _, event := range events {
		switch {
		case event.GetCall() != nil:
			call = event
		case event.GetCopilot() != nil:
			sessions[event.GetConversation()] = true
		case event.GetReplyTo() != "" && slices.ContainsFunc(events, func(to *parleyv1.Event) bool {
			return to.GetConversation() == event.GetConversation() && to.GetSource().GetId() == event.GetReplyTo()
		}) && (reply.GetReplyTo() == "" || messages[event.GetConversation()] < messages[reply.GetConversation()]):
			reply = event // in the chat with the fewest messages: Graph gives a page a second
		}
	}
	meeting := busiestMeeting(events)
	inMeeting := 0
	for _, event := range events {
		if event.GetConversation() == meeting {
			inMeeting++
		}
	}
	list := func(g *tenantUnderTest, path string) []*parleyv1.Event {
		var page parleyv1.ListEventsResponse
		if status, body := g.get(t, path, &page); status != http.StatusOK || !page.GetComplete() {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		return page.GetEvents()
	}
	var written []string // messages of the reply's chat that were created in the interval
	for _, e := range list(over(t, sim, settings), "/v1/"+reply.GetConversation()+"/events?sources=SOURCE_CHAT&pageSize=1000&startTime="+since) {
		if on := e.GetCreateTime().AsTime().Format(time.DateOnly); on >= since[:len(on)] && on < until[:len(on)] { // both are midnights
			written = append(written, e.GetName())
		}
	}
	slices.Sort(written)
	answers := map[string]func(t *testing.T, g *tenantUnderTest, path string){
		"What happened in this meeting?": func(t *testing.T, g *tenantUnderTest, path string) {
			t.Helper()
			if got, want := len(list(g, path)), inMeeting; got != want || want == 0 {
				t.Errorf("%d events, want %d", got, want)
			}
		},
		"Who was in this call, and how good was the connection?": func(t *testing.T, g *tenantUnderTest, path string) {
			t.Helper()
			var whole parleyv1.Event
			if status, body := g.get(t, path, &whole); status != http.StatusOK || len(whole.GetCall().GetParticipants()) == 0 {
				t.Errorf("%d %s", status, body)
			}
			quality := whole.GetCall().GetQuality()
			rated := append(make([]*parleyv1.Quality, 0, 8), quality.GetOverall())
			for _, participant := range whole.GetCall().GetParticipants() {
				at := slices.IndexFunc(quality.GetParticipants(), func(p *parleyv1.ParticipantQuality) bool {
					return p.GetParticipantId() == participant.GetId()
				})
				if at < 0 {
					t.Fatalf("nothing is said of the line of %s", participant.GetId())
				}
				rated = append(rated, quality.GetParticipants()[at].GetQuality())
			}
			for _, q := range rated {
				if q.GetClassification() == parleyv1.QualityClassification_QUALITY_CLASSIFICATION_UNSPECIFIED || q.GetDuration().AsDuration() <= 0 {
					t.Errorf("the line: %v", q)
				}
			}
		},
		"Which Copilot sessions were there?": func(t *testing.T, g *tenantUnderTest, path string) {
			t.Helper()
			all, _ := g.listed(t, path)
			if len(all) != len(sessions) || len(all) == 0 {
				t.Errorf("%d sessions, want %d", len(all), len(sessions))
			}
		},
		"What does this reply answer?": func(t *testing.T, g *tenantUnderTest, path string) {
			t.Helper()
			all := list(g, path)
			if got, want := len(all), messages[reply.GetConversation()]; got != want || want < 2 {
				t.Errorf("%d messages, want %d", got, want)
			}
			if !slices.ContainsFunc(all, func(to *parleyv1.Event) bool { return to.GetSource().GetId() == reply.GetReplyTo() }) {
				t.Error("the origin of the reply is not among the messages")
			}
		},
		"What did this person and Copilot say about a file?": func(t *testing.T, g *tenantUnderTest, path string) {
			t.Helper()
			about := slices.DeleteFunc(slices.Clone(events), func(e *parleyv1.Event) bool { return e.GetCopilot() == nil || !isAbout(e, ".docx") })
			if diff := cmp.Diff(eventNames(about), eventNames(list(g, path))); diff != "" || len(about) == 0 {
				t.Errorf("%d events (-want +got):\n%s", len(about), diff)
			}
		},
		"Which messages of this chat were written in these weeks?": func(t *testing.T, g *tenantUnderTest, path string) {
			t.Helper()
			if diff := cmp.Diff(written, slices.Sorted(slices.Values(eventNames(list(g, path))))); diff != "" || len(written) == 0 {
				t.Errorf("%d messages (-want +got):\n%s", len(written), diff)
			}
		},
		"What stood around this message?": func(t *testing.T, g *tenantUnderTest, path string) {
			t.Helper()
			var page parleyv1.ListEventsResponse
			if status, body := g.get(t, path, &page); status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			names := eventNames(page.GetEvents())
			if at := slices.Index(names, reply.GetName()); at < 0 || at > 10 || len(names) > 20 {
				t.Errorf("the message is number %d of %d", at, len(names))
			}
		},
	}
	variables := strings.NewReplacer("$SINCE", since, "$UNTIL", until, "$MEETING", meeting, "$CALL", call.GetName(),
		"$REPLY", reply.GetConversation(), "$MESSAGE", reply.GetName(), "$U", url.PathEscape(demo(sim)))
	for _, q := range questions(t) {
		t.Run(q.title, func(t *testing.T) {
			answer := answers[q.title]
			if answer == nil {
				t.Fatal("nobody knows the answer")
			}
			g := over(t, sim, settings)
			sim.ResetRequests()
			parameters := []string{variables.Replace(q.path)}
			for _, field := range q.encoded {
				name, value, _ := strings.Cut(variables.Replace(field), "=")
				parameters = append(parameters, name+"="+url.QueryEscape(value))
			}
			answer(t, g, strings.Join(parameters, "&"))
			asked := 0
			for _, request := range sim.Requests() {
				if request.Source != "token" {
					asked++
				}
			}
			if t.Logf("%d requests, at most %d, fewest %d", asked, q.requests, q.fewest); asked > q.requests || asked == 0 {
				t.Errorf("%d requests to Graph, the handbook says %d", asked, q.requests)
			}
		})
	}
}
