package rest

import (
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"
)

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "deflate, gzip": true, "gzip;q=0": false, "gzip;q=0.001": true, "gzip; q=1.0": true,
		"*": true, "*;q=0": false, "*, gzip;q=0": false, "br": false, "identity": false, "gzip;q=0.5, identity": false, "identity;q=0.5, gzip": true,
		"identity;q=0, *": true, "gzip;q=x": false, "gzip;q=2": false, "gzip;q=NaN": false, "gzip;q=-1": false, ";,;": false, "gzip;level=1;q=0": false,
	} {
		if got := acceptsGzip([]string{accept}); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
	if acceptsGzip(nil) || !acceptsGzip([]string{"br", "gzip"}) {
		t.Error("several headers, or none")
	}
}

func TestParseTimeout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "3M": 3 * time.Minute, "20S": 20 * time.Second, "5m": 5 * time.Millisecond, "7u": 7 * time.Microsecond, "9n": 9,
		"00000001S": time.Second, "99999999H": math.MaxInt64, "0S": 0,
	} {
		if got, ok := parseTimeout(text); !ok || got != want {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "S", "1", "1s", "-1S", "1.5S", "123456789S", " 1S", "1S ", "١S", "+1S"} {
		if got, ok := parseTimeout(text); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestIncomingMetadata(t *testing.T) {
	t.Parallel()
	got := incomingMetadata(http.Header{
		"Authorization": {"Bearer a", "Bearer b"}, "Parley-Reason": {"caf\u00e9", "case 7", "a\x00b"}, "Parley-Tenant": {"\u00fc"}, "Cookie": {"x"},
		"Grpc-Metadata-Authorization": {"Bearer c"}, "X-Request-Id": {""},
	})
	want := metadata.MD{"authorization": {"Bearer a", "Bearer b"}, "parley-reason": {"case 7"}, "x-request-id": {""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if incomingMetadata(http.Header{"Accept": {"x"}}) != nil {
		t.Error("something arrived")
	}
}

func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	var m memory
	kept := &asked{}
	m.keep("kept", kept)
	m.keep("gone", &asked{})
	for i := range 3 * maxKnown {
		m.keep(strconv.Itoa(i), &asked{})
		if i%(maxKnown/2) == 0 && m.find("kept") != kept {
			t.Fatalf("a URL that is asked for again and again was forgotten after %d others", i)
		}
	}
	if m.find("gone") != nil || len(m.young)+len(m.aged) > 2*maxKnown {
		t.Errorf("%d URLs are remembered", len(m.young)+len(m.aged))
	}
	m.keep("", kept)
	m.keep(string(make([]byte, maxKnownURL+1)), kept)
	if m.find("") != nil || m.find(string(make([]byte, maxKnownURL+1))) != nil {
		t.Error("a URL that should not be remembered is")
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	r := &route{pattern: "/v1/{parent=users/*/conversations/*}/events:stream"}
	if err := r.compile(); err != nil {
		t.Fatal(err)
	}
	if value, ok := r.match([]string{"v1", "users", "u", "conversations", "c:x", "events:stream"}); !ok || value != "users/u/conversations/c:x" || r.bound != "parent" {
		t.Errorf("%q %t %q", value, ok, r.bound)
	}
	for _, path := range [][]string{
		nil,
		{"v1"},
		{"v1", "users", "u", "conversations", "c", "events"},
		{"v1", "users", "u", "chats", "c", "events:stream"},
		{"v1", "users", "u", "conversations", "c", "d", "events:stream"},
	} {
		if _, ok := r.match(path); ok {
			t.Errorf("%q is no such path", path)
		}
	}
	for _, pattern := range []string{"/v1/{a", "/v1/x{a}", "/v1/{a}x", "/v1/{a}/{b}", "/v1/{a=b/{c}}"} {
		if (&route{pattern: pattern}).compile() == nil {
			t.Errorf("%s was understood", pattern)
		}
	}
}
