package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// TestQuestions asks the questions of docs/questions.md, each of a gateway that has nothing cached, and counts the requests of Graph.
func TestQuestions(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "questions.md"))
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`(?m)^curl "\$H(\S+)"$`)
	count := regexp.MustCompile(`(?m)^Graph requests: (\d+), the fewest possible: (\d+)\.`)
	questions := strings.Split(string(page), "\n## ")[1:]
	if len(questions) == 0 {
		t.Fatal("the page has no question")
	}
	for _, question := range questions {
		title, text, _ := strings.Cut(question, "\n")
		if strings.Contains(text, "\nGraph requests: at most ") || strings.Contains(text, "\nGraph requests for each user: ") {
			continue // TestConversationQuestions or TestTenantQuestion asks it
		}
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			calls, said := call.FindAllStringSubmatch(text, -1), count.FindStringSubmatch(text)
			if len(calls) == 0 || said == nil {
				t.Fatal("the question has no call, or does not say what it takes")
			}
			g := serve(t, graphsim.Config{Seed: 11, Users: 40, NewlyLicensed: 2}, nil)
			for _, found := range calls {
				path := strings.NewReplacer("$U", g.sim.DemoUser().ID, "$DAY", time.Now().UTC().AddDate(0, 0, -30).Format(time.DateOnly)).Replace(found[1])
				expected := g.sim.DemoUser().ID
				if !strings.Contains(found[1], "$U") {
					expected = `"complete":true`
				}
				if status, body := g.get(t, path, nil); status != http.StatusOK || !strings.Contains(string(body), expected) {
					t.Errorf("%s: HTTP %d %.300s", path, status, body)
				}
			}
			requests := 0
			for _, request := range g.sim.Requests() {
				if request.Source != "token" && request.Source != "" {
					requests++
				}
			}
			if want, _ := strconv.Atoi(said[1]); requests != want || requests == 0 {
				t.Errorf("%d requests of Graph, and the page says %d: %v", requests, want, g.sim.Requests())
			}
		})
	}
}

// TestTenantQuestion asks the question about all users of docs/questions.md, and compares the answer with what the night of the tenant holds.
func TestTenantQuestion(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "questions.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n## What did all users and Copilot say about a file?\n")
	text, _, _ = strings.Cut(text, "\n## ")
	command, said := curlLine.FindStringSubmatch(text), regexp.MustCompile(`(?m)^Graph requests for each user: at most (\d+), the fewest possible: (\d+)\.`).FindStringSubmatch(text)
	if !found || command == nil || said == nil {
		t.Fatal("the page does not ask the question, or does not say what it takes")
	}
	values := url.Values{}
	for _, field := range append(curlData.FindAllStringSubmatch(command[2], -1), curlEncoded.FindAllStringSubmatch(command[2], -1)...) {
		name, value, _ := strings.Cut(field[1], "=")
		values.Set(name, strings.NewReplacer("$SINCE", day(28), "$UNTIL", day(0)).Replace(value))
	}
	n := newNight(t)
	ask := func(values url.Values) []*parleyv1.Event {
		run := n.frames(t, http.MethodGet, command[1]+"?"+values.Encode(), "application/x-ndjson", nil)
		if !run.summary.GetComplete() {
			t.Errorf("%v", run.summary)
		}
		return run.events
	}
	for _, name := range []string{"startTime", "endTime"} {
		plain, err := url.QueryUnescape(values.Get(name))
		if err != nil {
			t.Fatal(err)
		}
		values.Set(name, plain)
	}
	got := eventNames(ask(values))
	most, _ := strconv.Atoi(said[1])
	fewest, _ := strconv.Atoi(said[2])
	users := len(licensed(t, n.sim))
	if requests := n.sim.RequestCounts()[graphsim.SourceCopilot]; requests < fewest*users || requests > most*users {
		t.Errorf("%d requests of Graph for %d users, and the page says %s to %s for each", requests, users, said[2], said[1])
	}
	values.Del("filter")
	var want []string
	for _, event := range ask(values) {
		if isAbout(event, ".docx") {
			want = append(want, event.GetName())
		}
	}
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" || len(want) == 0 {
		t.Errorf("%d events:\n%s", len(want), diff)
	}
}
