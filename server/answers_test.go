package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/timeline/failure"
)

// TestRequestIDs: every REST answer carries the caller's request id, whatever it is; without a plain one a new id. The log
// has the same.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *server.Config) { c.CORSOrigins = []string{"https://app.example"} })
	h.listEvents = func(context.Context) (*parleyv1.ListEventsResponse, error) {
		return &parleyv1.ListEventsResponse{Complete: true}, nil
	}
	events := "/v1/" + anna + "/events"
	tag := h.get(t, events).Header.Get("Etag")
	for _, tt := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{"GET", events, nil, 200},
		{"GET", events, []string{"If-None-Match", tag}, 304},
		{"HEAD", events, nil, 200},
		{"GET", streamPath, nil, 200},
		{"GET", streamPath, []string{"Accept", sse}, 200},
		{"HEAD", streamPath, nil, 405},
		{"GET", "/v1/copilotUsage:download?period=D7", nil, 200},
		{"GET", events + "?pageSize=x", nil, 400},
		{"GET", events + "?nothing=1", nil, 400},
		{"GET", events + "?a=%zz", nil, 400},
		{"GET", events, []string{"Grpc-Timeout", "soon"}, 400},
		{"GET", events, []string{"Parley-Tenant", "other"}, 400},
		{"GET", "/v1/users/a%2Fb/events", nil, 400},
		{"GET", "/v1/nothing", nil, 404},
		{"GET", "/v1/users/no@contoso.example/events", nil, 404},
		{"POST", events, nil, 405},
		{"GET", "/", nil, 302},
		{"GET", "/docs", nil, 200},
		{"GET", "/healthz", nil, 200},
		{"HEAD", "/openapi.json", nil, 200},
		{"GET", "/nothing", nil, 404},
		{"PUT", "/docs", nil, 405},
		{"OPTIONS", events, []string{"Origin", "https://app.example", "Access-Control-Request-Method", "GET"}, 204},
		{"OPTIONS", events, []string{"Origin", "https://other.example", "Access-Control-Request-Method", "GET"}, 403},
	} {
		for _, id := range []string{"mine.1_-", "", "two words", strings.Repeat("x", 129)} {
			resp := h.send(t, t.Context(), tt.method, tt.path, append([]string{"X-Request-Id", id}, tt.headers...)...)
			_ = body(t, resp)
			got := resp.Header.Values("X-Request-Id")
			if resp.StatusCode != tt.status || len(got) != 1 || (got[0] == id) != (id == "mine.1_-") || len(got[0]) < 8 {
				t.Errorf("%s %s with %q: %d with %q, want %d", tt.method, tt.path, id, resp.StatusCode, got, tt.status)
			}
		}
	}
	resp := h.get(t, events)
	if id := resp.Header.Get("X-Request-Id"); !strings.Contains(h.log.String(), `"request_id":"`+id+`"`) {
		t.Errorf("%s is not in the log", id)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.base+events, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	wrong, err := h.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	wrong.Body.Close()
	if wrong.StatusCode != http.StatusForbidden || wrong.Header.Get("X-Request-Id") == "" {
		t.Errorf("another host: %d with %q", wrong.StatusCode, wrong.Header.Get("X-Request-Id"))
	}
}

// TestHeadAnswersLikeGetWithoutTheBody: HEAD answers like GET without the body, for what is one message and for pages; a stream has no HEAD.
func TestHeadAnswersLikeGetWithoutTheBody(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for _, path := range []string{
		"/v1/users", "/v1/" + anna + "/events", "/v1/" + anna + "/events/call,1", "/v1/nothing", "/v1/" + anna + "/events?pageSize=x",
		"/docs", "/openapi.json", "/healthz", "/", "/nothing",
	} {
		get, head := h.get(t, path), h.send(t, t.Context(), http.MethodHead, path)
		text := body(t, get)
		if head.StatusCode != get.StatusCode || body(t, head) != "" {
			t.Errorf("%s: %d, want %d", path, head.StatusCode, get.StatusCode)
		}
		for _, name := range []string{"Content-Type", "Etag", "Cache-Control", "Vary"} {
			if head.Header.Get(name) != get.Header.Get(name) {
				t.Errorf("%s: %s is %q, want %q", path, name, head.Header.Get(name), get.Header.Get(name))
			}
		}
		if head.ContentLength >= 0 && head.ContentLength != int64(len(text)) {
			t.Errorf("%s: length %d, want %d", path, head.ContentLength, len(text))
		}
	}
	for _, path := range []string{streamPath, "/v1/" + anna + "/conversations:stream", "/v1/copilotUsage:download?period=D7"} {
		resp := h.send(t, t.Context(), http.MethodHead, path)
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != http.MethodGet {
			t.Errorf("%s: %d, Allow %q", path, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	if requests, _, _ := h.take(); len(requests) != 4 {
		t.Errorf("the engine was asked %d times", len(requests))
	}
}

// TestFieldsAsSent: errors name a field of the request as the client spelled it, those of validation and services too.
func TestFieldsAsSent(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	events := "/v1/" + anna + "/events?"
	for query, want := range map[string]string{
		"pageSize=-1": "pageSize", "page_size=-1": "page_size", "pageSize=x": "pageSize",
		"orderBy=x": "orderBy", "order_by=x": "order_by",
		"sources=1&sources=1": "sources", "sources=SOURCE_CHAT&sources=2": "sources",
		"filter=" + strings.Repeat("x", 513): "filter",
	} {
		resp := h.get(t, events+query)
		e := parseError(t, body(t, resp))
		if resp.StatusCode != http.StatusBadRequest || len(e.fields()) == 0 || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: %d %+v", query, resp.StatusCode, e)
		}
		for _, field := range e.fields() {
			if name, _, _ := strings.Cut(field, "["); name != want {
				t.Errorf("%s: field %s, want %s", query, field, want)
			}
		}
	}
	// In a stream alike, and by the header where the token came from there.
	h.streamEvents = func(context.Context, func(*parleyv1.StreamEventsResponse) error) error {
		return &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED, Field: "resume_token", Message: "the token is not of this request"}
	}
	for _, tt := range []struct {
		path, want string
		headers    []string
	}{
		{streamPath + "?resumeToken=abc", "resumeToken", nil},
		{streamPath + "?resume_token=abc", "resume_token", nil},
		{streamPath + "?resumeToken=abc", "last-event-id", []string{"Accept", sse, "Last-Event-ID", "whatever."}},
	} {
		resp := h.get(t, tt.path, tt.headers...)
		text := body(t, resp)
		e := parseError(t, text)
		if resp.StatusCode != http.StatusBadRequest || !slices.Equal(e.fields(), []string{tt.want}) || e.reason() != "TOKEN_REFUSED" {
			t.Errorf("%s: %d %s", tt.path, resp.StatusCode, text)
		}
		// What somebody made up is not handed back as a token of ours.
		if strings.Contains(text, "abc") || e.meta("resume_token") != "" {
			t.Errorf("%s: the token is in %s", tt.path, text)
		}
	}
}

// oddHeader is a header that cannot be carried as it was meant.
type oddHeader struct {
	name   string
	values []string
}

// odd lists kinds of odd headers, each beside a good one where there can be two.
func odd() []oddHeader {
	return []oddHeader{
		{"authorization", []string{"Bearer own\u00e9r"}},
		{"authorization", []string{"Bearer\towner"}},
		{"authorization", []string{"Bearer owner", "Bearer stranger"}},
		{"authorization", []string{"Bearer owner", "Bearer own\xff"}},
		{"authorization", []string{""}},
		{"parley-tenant", []string{"contos\u00f6"}},
		{"parley-tenant", []string{"contoso", "fabrikam"}},
		{"parley-tenant", []string{"con\ttoso"}},
		{"parley-tenant", []string{""}},
		{"parley-reason", []string{"caf\u00e9"}},
		{"parley-reason", []string{"case\t7"}},
		{"parley-reason", []string{"case 7", "case 8"}},
		{"x-request-id", []string{"a", "b"}},
		{"x-request-id", []string{"\u00fc"}},
		{"traceparent", []string{"00\u00e9"}},
		{"cache-control", []string{"no-cache", "max-age\u00e9=1"}},
	}
}

// TestAnOddHeaderIsAnErrorByName: an odd header is refused by name over every transport, and never taken for an absent one: with a certificate
// beside it the call would run as somebody else.
func TestAnOddHeaderIsAnErrorByName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := startGuarded(t, func(c *server.Config) {
		c.AuthMode, c.TLS = "oidc,mtls", testTLS(t, dir, "clients")
	})
	clients, clientCA := authority(t)
	put(t, filepath.Join(dir, "clients"), clientCA)
	name, err := url.Parse("spiffe://contoso.example/archive")
	if err != nil {
		t.Fatal(err)
	}
	good := pairOf(t, clients, &x509.Certificate{URIs: []*url.URL{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	conf := &tls.Config{RootCAs: rootsOf(t, dir), MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*good}}
	secured := &http.Transport{TLSClientConfig: conf, Protocols: new(http.Protocols)}
	secured.Protocols.SetHTTP2(true)
	defer secured.CloseIdleConnections()
	plain := startGuarded(t, nil)
	unsecured := &http.Transport{Protocols: new(http.Protocols)}
	unsecured.Protocols.SetUnencryptedHTTP2(true)
	defer unsecured.CloseIdleConnections()

	for _, header := range append(odd(), oddHeader{}) {
		for name, ask := range map[string]func() (code codes.Code, text string){
			"gRPC, TLS": func() (codes.Code, string) { return rawGRPC(t, secured, "https://"+g.server.GRPCAddr(), header) },
			"REST, TLS": func() (codes.Code, string) { return rawREST(t, secured, "https://"+g.server.HTTPAddr(), header) },
			"gRPC":      func() (codes.Code, string) { return rawGRPC(t, unsecured, "http://"+plain.server.GRPCAddr(), header) },
			"REST":      func() (codes.Code, string) { return plainREST(t, plain.server.HTTPAddr(), header) },
		} {
			want := codes.InvalidArgument
			switch header.name {
			case "authorization":
				want = codes.Unauthenticated
			case "":
				want = codes.OK
			}
			code, text := ask()
			if code != want || header.name != "" && !strings.Contains(text, header.name+": the header ") {
				t.Errorf("%s: %s %q: %v %s, want %v", name, header.name, header.values, code, text, want)
			}
			for _, value := range header.values {
				if len(value) > 3 && strings.Contains(text, value) {
					t.Errorf("%s: %s: the value is in %s", name, header.name, text)
				}
			}
		}
	}
	for _, record := range append(g.records.take(t), plain.records.take(t)...) {
		if record.Outcome != nil && record.Outcome.Code != "OK" {
			t.Errorf("a refused call has the record %+v", record)
		}
	}
}

// request makes a request with an odd header, and with a token where none is in it and none is the certificate's work.
func (o oddHeader) request(t *testing.T, method, address string, token bool) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token {
		req.Header.Set("Authorization", "Bearer owner")
	}
	if o.name != "" {
		req.Header[http.CanonicalHeaderKey(o.name)] = o.values
	}
	return req
}

// rawGRPC makes a call by HTTP/2 itself, since the library's client sends no odd headers.
func rawGRPC(t *testing.T, transport http.RoundTripper, base string, header oddHeader) (codes.Code, string) {
	t.Helper()
	req := header.request(t, http.MethodPost, base+parleyv1.EventService_ListEvents_FullMethodName, strings.HasPrefix(base, "http:"))
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	parent := "users/" + annaID
	message := append([]byte{0, 0, 0, 0, byte(len(parent) + 2), 0x0a, byte(len(parent))}, parent...)
	req.Body = io.NopCloser(strings.NewReader(string(message)))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	var code codes.Code
	for _, part := range []http.Header{resp.Header, resp.Trailer} {
		if number := part.Get("Grpc-Status"); number != "" {
			if err := code.UnmarshalJSON([]byte(number)); err != nil {
				t.Fatal(err)
			}
			text, err := url.PathUnescape(part.Get("Grpc-Message"))
			if err != nil {
				t.Fatal(err)
			}
			return code, text
		}
	}
	t.Fatalf("no status: %d %v %v", resp.StatusCode, resp.Header, resp.Trailer)
	return 0, ""
}

func rawREST(t *testing.T, transport http.RoundTripper, base string, header oddHeader) (codes.Code, string) {
	t.Helper()
	resp, err := transport.RoundTrip(header.request(t, http.MethodGet, base+"/v1/users/"+annaID+"/events", false))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return codeOf(t, resp)
}

// plainREST writes a request of HTTP/1.1 by hand.
func plainREST(t *testing.T, address string, header oddHeader) (codes.Code, string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := []string{"GET /v1/users/" + annaID + "/events HTTP/1.1", "Host: 127.0.0.1", "Connection: close"}
	if header.name != "authorization" {
		lines = append(lines, "Authorization: Bearer owner")
	}
	for _, value := range header.values {
		lines = append(lines, header.name+": "+value)
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return codeOf(t, resp)
}

func codeOf(t *testing.T, resp *http.Response) (codes.Code, string) {
	t.Helper()
	text := body(t, resp)
	if resp.StatusCode == http.StatusOK {
		return codes.OK, text
	}
	e := parseError(t, text)
	return codes.Code(e.Code), e.Message
}
