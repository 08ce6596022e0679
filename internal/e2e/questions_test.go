package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

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
		if strings.Contains(text, "\nGraph requests: at most ") {
			continue // TestConversationQuestions asks it
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
