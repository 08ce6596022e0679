package httpmw_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/server/rest/httpmw"
)

const page = "https://chats.contoso.example"

func TestOrigins(t *testing.T) {
	t.Parallel()
	have, err := httpmw.Origins(" " + page + ", http://localhost:3000 ,loopback")
	if err != nil || strings.Join(have, " ") != page+" http://localhost:3000 loopback" {
		t.Errorf("%q, %v", have, err)
	}
	for _, list := range []string{
		"*", "https://*.contoso.example", "null", page + "/", page + "/path", "contoso.example", "file:///", "ftp://x",
		"https://user@contoso.example", "https://Contoso.example", page + "?x", "https://",
	} {
		if have, err := httpmw.Origins(list); err == nil {
			t.Errorf("%q: %q, want an error", list, have)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for name, c := range map[string]struct {
		method  string
		headers []string
		status  int
		allowed bool
	}{
		"no origin":                 {http.MethodGet, nil, http.StatusTeapot, false},
		"known origin":              {http.MethodGet, []string{"Origin", page}, http.StatusTeapot, true},
		"unknown origin":            {http.MethodGet, []string{"Origin", "https://evil.example"}, http.StatusTeapot, false},
		"origin that begins alike":  {http.MethodGet, []string{"Origin", page + ".evil.example"}, http.StatusTeapot, false},
		"null":                      {http.MethodGet, []string{"Origin", "null"}, http.StatusTeapot, false},
		"two origins":               {http.MethodGet, []string{"Origin", page, "Origin", "https://evil.example"}, http.StatusTeapot, false},
		"preflight":                 {http.MethodOptions, []string{"Origin", page, "Access-Control-Request-Method", "GET"}, http.StatusNoContent, true},
		"preflight of others":       {http.MethodOptions, []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, http.StatusForbidden, false},
		"options without preflight": {http.MethodOptions, []string{"Origin", page}, http.StatusTeapot, true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "/v1/users", http.NoBody)
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Add(c.headers[i], c.headers[i+1])
		}
		w := httptest.NewRecorder()
		httpmw.CORS([]string{page}, inner).ServeHTTP(w, r)
		header := w.Header()
		if w.Code != c.status || (header.Get("Access-Control-Allow-Origin") == page) != c.allowed || !strings.Contains(header.Get("Vary"), "Origin") {
			t.Errorf("%s: %d %v", name, w.Code, header)
		}
		exposed := header.Get("Access-Control-Expose-Headers")
		for _, one := range []string{"X-Request-Id", "Cache-Status", "Age", "ETag", "Retry-After"} {
			if strings.Contains(exposed, one) != c.allowed {
				t.Errorf("%s: exposes %q", name, exposed)
			}
		}
		if header.Get("Access-Control-Allow-Credentials") != "" || header.Get("Access-Control-Allow-Origin") == "*" {
			t.Errorf("%s: %v", name, header)
		}
	}
	// Pages of this machine, whatever their port.
	for origin, allowed := range map[string]bool{
		"http://localhost:5173": true, "http://localhost": true, "https://127.0.0.1:8443": true, "http://127.8.0.1:3000": true, "http://[::1]:8000": true, page: true,
		"http://localhost.evil.example": false, "http://evil.example": false, "http://10.0.0.1:3000": false, "http://0.0.0.0:3000": false, "null": false,
		"loopback": false, "http://localhost:5173/": false, "http://user@localhost": false, "file://localhost": false, "http://127.0.0.1.evil.example": false, "": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/v1/users", http.NoBody)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", http.MethodGet)
		w := httptest.NewRecorder()
		httpmw.CORS([]string{httpmw.LoopbackOrigins, page}, inner).ServeHTTP(w, r)
		got := w.Header().Get("Access-Control-Allow-Origin")
		if (got == origin && origin != "" && w.Code == http.StatusNoContent) != allowed || !allowed && got != "" {
			t.Errorf("%q: %d, allowed %q", origin, w.Code, got)
		}
	}
	w := httptest.NewRecorder()
	httpmw.CORS(nil, inner).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if len(w.Header()) != 0 {
		t.Errorf("without origins: %v", w.Header())
	}
}

func TestLocalHosts(t *testing.T) {
	t.Parallel()
	refused := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
	handler := httpmw.LocalHosts(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), refused)
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:8080": 200, "localhost": 200, "LOCALHOST:8080": 200, "[::1]:8080": 200, "[::1]": 200, "127.9.9.9:1": 200,
		"": 403, "evil.example": 403, "evil.example:8080": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "10.0.0.1:8080": 403,
		"0.0.0.0:8080": 403, "2130706433": 403,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestHSTS(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	httpmw.HSTS(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if w.Header().Get("Strict-Transport-Security") == "" || w.Code != http.StatusNotFound {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
