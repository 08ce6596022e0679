package graphclient

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/log"

	"github.com/parley-gateway/parley/graphclient/graph"
)

func TestThePoliciesHaveTheirOrder(t *testing.T) {
	t.Parallel()
	policies := (&Client{}).policies()
	names := make([]string, 0, len(policies))
	for _, p := range policies {
		_, name, _ := strings.Cut(fmt.Sprintf("%T", p), ".")
		names = append(names, name)
	}
	if got, want := strings.Join(names, " "), "identify authorize limit observe"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }

// The library logs paths when asked to; it never sees ours.
func TestLibraryLogsHoldNoPath(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	log.SetListener(func(event log.Event, text string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, string(event)+" "+text)
	})
	defer log.SetListener(nil)

	const address = "https://127.0.0.1:8443"
	client, err := New(Config{BaseURL: address, Transport: refusing{}, Retry: RetryConfig{Tries: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Page(t.Context(), graph.Request{
		API: graph.APIChat, Path: "/users/alice%40contoso.example/chats", Query: []graph.Param{{Name: "$filter", Value: "topic eq 'merger'"}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	mu.Lock()
	defer mu.Unlock()
	text := strings.Join(lines, "\n")
	if !strings.Contains(text, address+"/chat") {
		t.Errorf("the library logged nothing: %s", text)
	}
	for _, private := range []string{"alice", "merger", "users"} {
		if strings.Contains(text, private) {
			t.Errorf("%q in %s", private, text)
		}
	}
}

func BenchmarkParseEnvelope(b *testing.B) {
	record := `{"id":"1616964509832","createdDateTime":"2026-11-20T10:00:00.123Z","body":{"contentType":"html","content":"` + strings.Repeat("text ", 200) + `"},"mentions":[],"attachments":[]}`
	body := []byte(`{"@odata.context":"c","value":[` + strings.Repeat(record+",", 99) + record + `],"@odata.nextLink":"n"}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if env, err := parseEnvelope(body); err != nil || len(env.records) != 100 {
			b.Fatal(err)
		}
	}
}
