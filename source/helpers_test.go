package source_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/source"
)

const (
	tenantID = "dc368399-474c-4d40-900c-6265431fd81f"
	userID   = "4db02e4b-d144-400e-b194-53253a34c5be"
	chatID   = "19:meeting_YjQ4NThlNzUtMjEyNC00MjFlLTk0ODMtZTc2M2Q5MDVlNTE4@thread.v2"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	start = time.Date(2024, 11, 20, 0, 0, 0, 0, time.UTC)
	end   = time.Date(2024, 11, 21, 0, 0, 0, 0, time.UTC)
)

// reply is what the upstream answers: a status (0 = 200), headers and a body in which {origin} is its own address.
type reply struct {
	status int
	header map[string]string
	body   string
}

// upstream is a Graph made of a function.
type upstream struct {
	*httptest.Server

	mu       sync.Mutex
	requests []*http.Request
}

// newUpstream starts an upstream; it hands out a client of it.
func newUpstream(t *testing.T, answer func(target string) reply) (*upstream, *graphclient.Client) {
	t.Helper()
	up := &upstream{}
	up.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up.mu.Lock()
		up.requests = append(up.requests, r)
		up.mu.Unlock()
		a := answer(r.RequestURI)
		for name, value := range a.header {
			w.Header().Set(name, strings.ReplaceAll(value, "{origin}", up.URL))
		}
		if a.status != 0 {
			w.WriteHeader(a.status)
		}
		if _, err := io.WriteString(w, strings.ReplaceAll(a.body, "{origin}", up.URL)); err != nil {
			t.Errorf("write: %v", err)
		}
	}))
	t.Cleanup(up.Close)
	client, err := graphclient.New(graphclient.Config{
		BaseURL: up.URL, Limits: ratelimit.LimitTable{}, Retry: graphclient.RetryConfig{Tries: 1, Base: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return up, client
}

// targets are the request targets that were asked, in order.
func (up *upstream) targets() []string {
	up.mu.Lock()
	defer up.mu.Unlock()
	all := make([]string, 0, len(up.requests))
	for _, r := range up.requests {
		all = append(all, r.RequestURI)
	}
	return all
}

func (up *upstream) prefer() []string {
	up.mu.Lock()
	defer up.mu.Unlock()
	all := make([]string, 0, len(up.requests))
	for _, r := range up.requests {
		all = append(all, strings.Join(r.Header.Values("Prefer"), " | "))
	}
	return all
}

// script answers the targets of a map, everything else with 404.
func script(replies map[string]reply) func(string) reply {
	return func(target string) reply {
		if a, ok := replies[target]; ok {
			return a
		}
		return reply{status: http.StatusNotFound, body: graphError("NotFound", "No such thing.")}
	}
}

func graphError(code, message string) string {
	return `{"error":{"code":"` + code + `","message":"` + message + `"}}`
}

func badRequest() reply {
	return reply{status: http.StatusBadRequest, body: graphError("BadRequest", "Invalid filter clause")}
}

func options(version string) source.Options {
	return source.Options{Tenant: tenantID, Version: version}
}

// kindOf is the kind of a Graph failure in words; "none" for no error.
func kindOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "none"
	}
	var e *graph.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *graph.Error", err)
	}
	return e.Kind.String()
}

// golden compares messages with testdata/golden/name.json, one JSON document per message.
func golden[M proto.Message](t *testing.T, name string, messages []M) {
	t.Helper()
	var got bytes.Buffer
	for _, m := range messages {
		raw, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&got, raw, "", "  "); err != nil { // protojson's own white space is random
			t.Fatal(err)
		}
		got.WriteByte('\n')
	}
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs from the golden file (run with -update and read the difference):\n%s", name, got.Bytes())
	}
}

// itemsOf returns all items of a page, a part at a time.
func itemsOf[T any](t *testing.T, page *source.Page[T]) []T {
	t.Helper()
	all := make([]T, 0, page.Len())
	for len(all) < page.Len() {
		items, from, err := page.Part(len(all))
		if err != nil || from != len(all) || len(items) == 0 {
			t.Fatalf("part of item %d: %d items from %d, %v", len(all), len(items), from, err)
		}
		all = append(all, items...)
	}
	return all
}

func seed(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "seeds", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// eventOf decodes the event of an item.
func eventOf(t *testing.T, item source.Item) *parleyv1.Event {
	t.Helper()
	event, err := item.Event()
	if err != nil {
		t.Fatal(err)
	}
	return event
}
