package graphsim_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

func serveOnce(b *testing.B, s *graphsim.Sim, path string) {
	b.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, http.NoBody))
	if w.Code != http.StatusOK {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
}

func benchSim(b *testing.B, messages int) *graphsim.Sim {
	b.Helper()
	s, err := graphsim.New(graphsim.Config{Plain: true, Messages: messages, Interactions: messages / 10, Now: func() time.Time { return testNow }})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		benchSim(b, 0)
	}
}

func BenchmarkPages(b *testing.B) {
	day := "?$top=50&" + filter("lastModifiedDateTime gt 2026-11-11T00:00:00Z and lastModifiedDateTime lt 2026-11-12T00:00:00Z")
	year := "?$top=50&" + filter("lastModifiedDateTime gt 2026-01-01T00:00:00Z and lastModifiedDateTime lt 2026-11-01T00:00:00Z")
	for name, messages := range map[string]int{"default": 0, "5M": 5_000_000} {
		s := benchSim(b, messages)
		u := "/v1.0/users/" + s.DemoUser().ID
		for what, path := range map[string]string{
			"day": u + "/chats/getAllMessages" + day, "year": u + "/chats/getAllMessages" + year, "chats": u + "/chats?$expand=members,lastMessagePreview&$top=50",
			"calls":   "/v1.0/communications/callRecords?" + filter("startDateTime gt 2026-11-01T00:00:00Z and startDateTime lt 2026-11-12T00:00:00Z"),
			"copilot": "/v1.0/copilot/users/" + s.DemoUser().ID + "/interactionHistory/getAllEnterpriseInteractions?$top=50",
		} {
			b.Run(what+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					serveOnce(b, s, path)
				}
			})
		}
	}
}

// BenchmarkColdDay reads a different day of five million messages each time.
func BenchmarkColdDay(b *testing.B) {
	s := benchSim(b, 5_000_000)
	u, at := "/v1.0/users/"+s.DemoUser().ID+"/chats/getAllMessages?$top=50&", testNow.AddDate(0, 0, -170)
	n := 0
	for b.Loop() {
		from := at.Add(time.Duration(n%160) * 24 * time.Hour).Add(time.Duration(n) * time.Millisecond)
		n++
		serveOnce(b, s, u+filter("lastModifiedDateTime gt %s and lastModifiedDateTime lt %s", stamp(from), stamp(from.Add(24*time.Hour))))
	}
}
