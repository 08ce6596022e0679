package graphclient_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/graphclient/graph"
)

func picture() graph.Request {
	return graph.Request{API: graph.APIChat, Path: "/users/u/chats/c/messages/1/hostedContents/h/$value", User: "u", Resource: "c"}
}

func TestContentIsStreamedAsItIs(t *testing.T) {
	t.Parallel()
	long := "\x89PNG" + strings.Repeat("\x00\xff", 100_000)
	for name, c := range map[string]struct{ body, want, mediaType string }{
		"picture":        {long, long, "image/png"},
		"nothing":        {"", "", "image/png"},
		"a page":         {"<html>", "<html>", "text/html"},
		"JSON":           {`{"a":1}`, `{"a":1}`, "application/json"},
		"without a type": {"x", "x", ""},
	} {
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			if got := r.Header.Get("Accept"); got != "*/*" {
				t.Errorf("Accept: %q", got)
			}
			return answer(http.StatusOK, c.body, "Content-Type", c.mediaType, "request-id", "r1"), nil
		})
		content, err := client.Content(t.Context(), picture())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(content.Body)
		if err := errors.Join(err, content.Body.Close()); err != nil || string(got) != c.want || content.MediaType != c.mediaType || content.RequestID != "r1" || content.Requests != 1 {
			t.Errorf("%s: %d bytes, %+v, %v", name, len(got), content, err)
		}
	}
}

// TestFailedContentIsAnErrorOfItsKind holds that refusals, redirects and an error in place of the content are errors of their kind.
func TestFailedContentIsAnErrorOfItsKind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		headers []string
		kind    graph.Kind
	}{
		"not found":         {http.StatusNotFound, `{"error":{"code":"NotFound","message":"no"}}`, nil, graph.KindNotFound},
		"refused":           {http.StatusForbidden, `{"error":{"code":"Forbidden","message":"Missing role permissions on the request. API requires one of 'Chat.Read.All'. Roles on the request ''."}}`, nil, graph.KindForbidden},
		"an error of a 200": {http.StatusOK, `{"error":{"code":"NotFound","message":"no"}}`, []string{"Content-Type", "application/json; charset=utf-8"}, graph.KindNotFound},
		"no service":        {http.StatusServiceUnavailable, "", nil, graph.KindUnavailable},
	} {
		client := fakeClient(t, func(*http.Request) (*http.Response, error) { return answer(c.status, c.body, c.headers...), nil })
		_, err := client.Content(t.Context(), picture())
		if e, ok := errors.AsType[*graph.Error](err); !ok || e.Kind != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	asked := 0
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		asked++
		return answer(http.StatusFound, "", "Location", "https://elsewhere.example/picture"), nil
	})
	if _, err := client.Content(t.Context(), picture()); err == nil || asked != 1 {
		t.Errorf("a redirect: %v after %d requests", err, asked)
	}
}
