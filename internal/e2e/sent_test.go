package e2e_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
)

// TestEventsOfEveryShapeAreCounted: events that are sent with selected fields or with names are counted as others are.
func TestEventsOfEveryShapeAreCounted(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{Users: 5, Messages: 200, Seed: 7}, nil)
	const metric = `parley_events_sent_total{source="chat",transport="rest"}`
	counted := func() int {
		count, err := strconv.Atoi(g.metric(t, metric))
		if err != nil {
			t.Fatal(err)
		}
		return count
	}
	query := "sources=SOURCE_CHAT&startTime=" + url.QueryEscape(time.Now().UTC().AddDate(0, 0, -20).Format(time.RFC3339))
	for path, fields := range map[string]string{"/events?pageSize=5&": "&fields=events.uid", "/events:stream?": "&fields=uid"} {
		for _, shape := range []string{"", "&enrich=NAMES", fields, "&enrich=NAMES" + fields} {
			before := counted()
			status, body := g.get(t, "/v1/users/"+url.PathEscape(g.sim.DemoUser().UPN)+path+query+shape, nil)
			sent := strings.Count(string(body), `"uid":`)
			if after := counted(); status != http.StatusOK || sent == 0 || after-before != sent {
				t.Errorf("%s%s: HTTP %d, %d events, counted %d: %.200s", path, shape, status, sent, after-before, body)
			}
		}
	}
}
