package graphclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

const report = "Report Refresh Date,User Principal Name\n2026-11-20,a@contoso.example\n"

func usage() graph.Request {
	return graph.Request{API: graph.APIUsage, Path: "/copilot/reports/x(period='D7')"}
}

func readReport(t *testing.T, d *graphclient.Download) string {
	t.Helper()
	defer d.Body.Close()
	content, err := io.ReadAll(d.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestADownloadWithoutARedirectIsStreamed(t *testing.T) {
	t.Parallel()
	long := report + strings.Repeat("2026-11-20,b@contoso.example\n", 20000)
	for name, c := range map[string]struct {
		body        string
		headers     []string
		want        string
		contentType string
	}{
		"CSV":             {report, []string{"Content-Type", "application/octet-stream"}, report, graphclient.ContentCSV},
		"long":            {long, nil, long, graphclient.ContentCSV},
		"byte order mark": {"\ufeff" + report, nil, "\ufeff" + report, graphclient.ContentCSV},
		"compressed":      {compressed(t, long), []string{"Content-Encoding", "gzip"}, long, graphclient.ContentCSV},
		"JSON as CSV":     {` {"value":[{}]}`, []string{"Content-Type", "text/csv"}, ` {"value":[{}]}`, graphclient.ContentJSON},
		"JSON list":       {`[{}]`, nil, `[{}]`, graphclient.ContentJSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := fakeClient(t, func(*http.Request) (*http.Response, error) {
				return answer(200, c.body, append(c.headers, "request-id", "r1")...), nil
			})
			d, err := client.Download(t.Context(), usage())
			if err != nil {
				t.Fatal(err)
			}
			if got := readReport(t, d); got != c.want || d.ContentType != c.contentType || d.RequestID != "r1" || d.Requests != 1 {
				t.Errorf("%d bytes of %s, %+v", len(got), d.ContentType, d)
			}
		})
	}
}

func TestDownloadRefusesWhatIsNoReport(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status   int
		body     string
		kind     graph.Kind
		requests int
	}{
		"empty":            {200, "", graph.KindMalformed, 2},
		"blanks":           {200, strings.Repeat(" \n", 5000), graph.KindMalformed, 2},
		"web page":         {200, "\r\n<!DOCTYPE html>", graph.KindMalformed, 2},
		"error in a 200":   {200, `{"error":{"code":"Forbidden","message":"x"}}`, graph.KindRefused, 1},
		"cut JSON":         {200, `{"error":{"code":`, graph.KindMalformed, 2},
		"403":              {403, `{"error":{"code":"S2SUnauthorized"}}`, graph.KindForbidden, 1},
		"400":              {400, `{"error":{"code":"BadRequest","message":"Resource not found for the segment"}}`, graph.KindBadRequest, 1},
		"304":              {304, ``, graph.KindUnexpected, 1},
		"no such location": {302, ``, graph.KindLinkRefused, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := fakeClient(t, func(*http.Request) (*http.Response, error) {
				return answer(c.status, c.body, "request-id", "r1"), nil
			}, quick)
			_, err := client.Download(t.Context(), usage())
			if e := wantError(t, err, c.kind); e.RequestID != "r1" || e.Requests != c.requests {
				t.Errorf("%#v, %d requests", e, e.Requests)
			}
		})
	}
}

func TestRedirectCarriesNothingOfOurs(t *testing.T) {
	t.Parallel()
	const tail = "/data/download/abc?token=e%2Bf+g%3d&x='y'"
	var mu sync.Mutex
	var at http.Header
	var uri string
	target := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		at, uri = r.Header.Clone(), r.RequestURI
		_, _ = w.Write([]byte(report))
	}))
	fake := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			t.Error("Graph got no token")
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("Location", target.URL+tail)
		w.Header().Set("request-id", "r1")
		w.WriteHeader(http.StatusFound)
	}))
	client := serverClient(t, fake, withCredential(&tokens{}))
	request := usage()
	request.Prefer = []string{"x"}
	d, err := client.Download(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if got := readReport(t, d); got != report || d.RequestID != "r1" || d.Requests != 1 {
		t.Errorf("report %q, %+v", got, d)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(at) != 0 {
		t.Errorf("headers at the target: %v", at)
	}
	if uri != tail {
		t.Errorf("target %s, want %s", uri, tail)
	}
}

func TestRedirectTargets(t *testing.T) {
	t.Parallel()
	hosts := []string{"reports*.office.com", "files.example.org"}
	for location, allowed := range map[string]bool{
		"https://reports.office.com/data/x":              true,
		"https://REPORTSweu.office.com:443/data/x":       true,
		"https://files.example.org/x":                    true,
		"http://reports.office.com/data/x":               false,
		"https://reports.office.com:8443/data/x":         false,
		"https://evil.example/x":                         false,
		"https://reports.evil.office.com/x":              false,
		"https://reports.office.com.evil.example/x":      false,
		"https://u@reports.office.com/x":                 false,
		"https://a.files.example.org/x":                  false,
		"https://127.0.0.1/x":                            false,
		"https://graph.microsoft.com/v1.0/x":             false,
		"/relative":                                      false,
		"":                                               false,
		"https://reports.office.com\\@evil.example/data": false,
	} {
		t.Run(location, func(t *testing.T) {
			t.Parallel()
			followed := false
			client := newClient(t, graphclient.Config{
				Credential: &tokens{}, ReportHosts: hosts,
				Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "graph.microsoft.com" && !followed && r.Header.Get("Authorization") != "" {
						return answer(302, "", "Location", location), nil
					}
					followed = true
					return answer(200, report), nil
				}),
			})
			d, err := client.Download(t.Context(), usage())
			switch {
			case !allowed:
				_ = wantError(t, err, graph.KindLinkRefused)
			case err != nil:
				t.Fatal(err)
			default:
				readReport(t, d)
			}
			if followed != allowed {
				t.Errorf("followed: %v", followed)
			}
		})
	}
}

func TestRedirectToThisMachine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		base, location string
		allowed        bool
	}{
		"https to https": {"https://127.0.0.1:8443", "https://localhost:9999/x", true},
		"http to http":   {"http://127.0.0.1:8080", "http://[::1]:9999/x", true},
		"https to http":  {"https://127.0.0.1:8443", "http://127.0.0.1:9999/x", false},
		"elsewhere":      {"https://127.0.0.1:8443", "https://192.0.2.1:9999/x", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, graphclient.Config{BaseURL: c.base, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				if strings.Contains(r.URL.Host, "9999") {
					return answer(200, report), nil
				}
				return answer(302, "", "Location", c.location), nil
			})})
			d, err := client.Download(t.Context(), usage())
			if !c.allowed {
				_ = wantError(t, err, graph.KindLinkRefused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			readReport(t, d)
		})
	}
}

func TestStaleReportAddressIsAskedForAgainOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 410, 404, 500, 302} {
		var fake, files atomic.Int32
		heal := int32(1)
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Opaque, "/v1.0/") {
				fake.Add(1)
				return answer(302, "", "Location", "https://127.0.0.1:8443/file"), nil
			}
			if files.Add(1) <= heal {
				return answer(status, "", "Location", "https://127.0.0.1:8443/v1.0/x"), nil
			}
			return answer(200, report), nil
		}, func(cfg *graphclient.Config) { cfg.Retry = graphclient.RetryConfig{Tries: 4, Base: 1, Max: 1} })
		d, err := client.Download(t.Context(), usage())
		if err != nil || d.Requests != 2 {
			t.Fatalf("%d: %+v, %v", status, d, err)
		}
		readReport(t, d)
		heal = 100
		_, err = client.Download(t.Context(), usage())
		if e := wantError(t, err, graph.KindUnavailable); e.Requests != 2 || e.Status != status {
			t.Errorf("%d: %#v, %d requests", status, e, e.Requests)
		}
	}
}

func TestADownloadThatBreaksIsAnError(t *testing.T) {
	t.Parallel()
	server := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100_000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	d, err := serverClient(t, server).Download(t.Context(), usage())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Body.Close()
	n, err := io.Copy(io.Discard, d.Body)
	_ = wantError(t, err, graph.KindUnavailable)
	if n == 0 {
		t.Error("nothing was streamed")
	}
}

// A report is recognized from its first visible byte, however it arrives.
func TestADownloadIsRecognizedByteByByte(t *testing.T) {
	t.Parallel()
	for text, contentType := range map[string]string{
		report:                             graphclient.ContentCSV,
		"\ufeff" + report:                  graphclient.ContentCSV,
		"\ufeff\r\n [{}]":                  graphclient.ContentJSON,
		"x":                                graphclient.ContentCSV,
		strings.Repeat(" ", 4000) + "[{}]": graphclient.ContentJSON,
	} {
		client := fakeClient(t, func(*http.Request) (*http.Response, error) {
			r := answer(200, "")
			r.Body = io.NopCloser(iotest.OneByteReader(strings.NewReader(text)))
			r.ContentLength = -1
			return r, nil
		})
		d, err := client.Download(t.Context(), usage())
		if err != nil {
			t.Fatal(err)
		}
		if got := readReport(t, d); got != text || d.ContentType != contentType {
			t.Errorf("%q: got %q as %s", text, got, d.ContentType)
		}
	}
}

func TestADownloadHasALimit(t *testing.T) {
	t.Parallel()
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		return answer(200, strings.Repeat("x", 1001)), nil
	}, func(cfg *graphclient.Config) { cfg.MaxDownload = 1000 })
	d, err := client.Download(t.Context(), usage())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Body.Close()
	_, err = io.Copy(io.Discard, d.Body)
	_ = wantError(t, err, graph.KindTooLarge)
}

func TestCancelEndsADownload(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(report))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}))
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	d, err := serverClient(t, server, func(cfg *graphclient.Config) { cfg.Retry.Tries = 1 }).Download(ctx, usage())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Body.Close()
	if _, err := io.ReadFull(d.Body, make([]byte, len(report))); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.Copy(io.Discard, d.Body)
	_ = wantError(t, err, graph.KindCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
