package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-gateway/parley/internal/config"
)

// reader is the user whose data a fixture holds.
const reader = "4db02e4b-d144-400e-b194-53253a34c5be"

// fixture is a Graph whose records a test writes itself.
type fixture struct {
	// rows are the records of the three sources that are read by interval, by the path they are listed under.
	rows map[string][]string
	// fixed are bodies by request URI without the version; {origin} in them is the fixture's own address.
	fixed map[string]string

	mu    sync.Mutex
	asked map[string]int                          // by request URI
	tops  map[string][]map[string]json.RawMessage // the properties of rows, by their path; each row is decoded once
}

// count is how often a request URI was asked.
func (f *fixture) count(uri string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[uri]
}

const (
	interactionsPath = "/copilot/users/" + reader + "/interactionHistory/getAllEnterpriseInteractions"
	messagesPath     = "/users/" + reader + "/chats/getAllMessages"
	callsPath        = "/communications/callRecords"
)

// askedInterval finds the two bounds in a $filter.
var askedInterval = regexp.MustCompile(`(\w+DateTime) g[te] (\S+) and \w+DateTime l[te] ([^ )]+)`)

func (f *fixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	origin := "http://" + r.Host
	_, uri, _ := strings.Cut(r.RequestURI[1:], "/")
	f.mu.Lock()
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.asked["/"+uri]++
	f.mu.Unlock()
	if body, ok := f.fixed["/"+uri]; ok {
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "{origin}", origin)) // the gateway is gone if this fails
		return
	}
	_, path, _ := strings.Cut(r.URL.Path[1:], "/")
	rows, ok := f.rows["/"+path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"code":"NotFound","message":"No such thing."}}`) // as above
		return
	}
	var kept []string
	tops := f.properties("/"+path, rows)
	for i, row := range rows {
		if inside(tops[i], r.URL.Query().Get("$filter")) {
			kept = append(kept, strings.ReplaceAll(row, "{origin}", origin))
		}
	}
	_, _ = io.WriteString(w, `{"value":[`+strings.Join(kept, ",")+`]}`) // as above
}

// properties are those of each row; nil where a row is no JSON.
func (f *fixture) properties(path string, rows []string) []map[string]json.RawMessage {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.tops[path]; len(known) == len(rows) {
		return known
	}
	tops := make([]map[string]json.RawMessage, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row), &tops[i]); err != nil {
			tops[i] = nil
		}
	}
	if f.tops == nil {
		f.tops = map[string][]map[string]json.RawMessage{}
	}
	f.tops[path] = tops
	return tops
}

// inside reports whether a record's time lies between the bounds of a filter; without bounds every record does.
func inside(record map[string]json.RawMessage, filter string) bool {
	bounds := askedInterval.FindStringSubmatch(filter)
	if bounds == nil || record == nil {
		return true
	}
	at, err := time.Parse(time.RFC3339, strings.Trim(string(record[bounds[1]]), `"`))
	from, fromErr := time.Parse(time.RFC3339, bounds[2])
	to, toErr := time.Parse(time.RFC3339, bounds[3])
	return err != nil || fromErr != nil || toErr != nil || !at.Before(from) && at.Before(to)
}

// overFixture starts a gateway that reads from the fixture without signing in.
func overFixture(t *testing.T, f *fixture, change func(*config.Settings)) *tenantUnderTest {
	t.Helper()
	graph := httptest.NewServer(f)
	t.Cleanup(graph.Close)
	settings := defaults(t)
	settings.GraphURL, settings.GraphCredential = graph.URL, "none"
	if change != nil {
		change(&settings)
	}
	return over(t, nil, settings)
}

// ago is a time some hours ago, as Graph writes it.
func ago(hours int) string {
	return time.Now().UTC().Truncate(time.Hour).Add(-time.Duration(hours) * time.Hour).Format("2006-01-02T15:04:05Z")
}

// daysAgo is the time that many days ago.
func daysAgo(days int) time.Time { return time.Now().UTC().AddDate(0, 0, -days) }
