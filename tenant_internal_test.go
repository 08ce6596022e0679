package parley

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// TestOrderOfTheSourceChain asserts that the cache stands above the memory of refusals, and that above the source: a page that is kept
// is served to a user whom Graph refuses by now, and the refusal keeps further windows from Graph.
func TestOrderOfTheSourceChain(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	var asked atomic.Int64
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if refuse.Load() {
			w.WriteHeader(http.StatusPaymentRequired)
			_, _ = io.WriteString(w, `{"error":{"code":"PaymentRequired","message":"The user does not have a valid license."}}`) // the client left
			return
		}
		_, _ = io.WriteString(w, `{"value":[]}`) // as above
	}))
	t.Cleanup(fake.Close)
	pages, err := cache.New(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pages.Close)
	cfg := Config{Logger: slog.New(slog.DiscardHandler)}
	own := Tenant{BaseURL: fake.URL, Credential: "none"}
	client, err := newGraph(&cfg, &own, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.close)
	copilot := newTenant(&cfg, &own, client, readers.New(pages, readers.Config{})).Sources.Events[parleyv1.Source_SOURCE_COPILOT]
	read := func(day int) error {
		start := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
		_, err := copilot.Events(t.Context(), source.EventQuery{Owner: "u", User: "u", Start: start, End: start.AddDate(0, 0, 1)}, "")
		return err
	}
	for _, step := range []struct {
		what    string
		day     int
		refuse  bool
		refused bool
		asked   int64
	}{
		{"a first window", 1, false, false, 1},
		{"another, refused", 2, true, true, 2},
		{"the first again, from the cache", 1, true, false, 2},
		{"a third, by the remembered refusal", 3, true, true, 2},
	} {
		refuse.Store(step.refuse)
		err := read(step.day)
		if refused := err != nil; refused != step.refused || asked.Load() != step.asked {
			t.Errorf("%s: %v after %d requests, want a refusal %v after %d", step.what, err, asked.Load(), step.refused, step.asked)
		}
		if err != nil && !strings.Contains(err.Error(), "license") && !strings.Contains(err.Error(), "licence") {
			t.Errorf("%s: %v", step.what, err)
		}
	}
}
