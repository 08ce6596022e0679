package graphclient_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

func asError(t *testing.T, err error) *graph.Error {
	t.Helper()
	var e *graph.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *graph.Error", err, err)
	}
	return e
}

const secretText = "private words of somebody"

func TestAnErrorHasTheFactsOfTheAnswer(t *testing.T) {
	t.Parallel()
	const page = `<html><head><title>` + secretText + `</title></head></html>`
	cases := []struct {
		name      string
		status    int
		body      string
		headers   []string
		kind      graph.Kind
		code      string
		inner     string
		requestID string
		roles     []string
		message   string
	}{
		{"generic 400", 400, `{"error":{"code":"invalidRange","message":"x","innerError":{"request-id":"r1","date":"d"}}}`, nil, graph.KindBadRequest, "invalidRange", "", "r1", nil, "x"},
		{"lower-case innererror", 400, `{"error":{"code":"BadRequest","message":"x","innererror":{"code":"invalidFilter","request-id":"r2"}}}`, nil, graph.KindBadRequest, "BadRequest", "invalidFilter", "r2", nil, "x"},
		{"nested innerError", 400, `{"error":{"code":"a","innerError":{"code":"b","innerError":{"code":"c","request-id":"r3"}}}}`, nil, graph.KindBadRequest, "a", "c", "r3", nil, ""},
		{"header before body id", 400, `{"error":{"code":"a","innerError":{"request-id":"r4"}}}`, []string{"request-id", "h4"}, graph.KindBadRequest, "a", "", "h4", nil, ""},
		{"empty token", 401, `{"error":{"code":"InvalidAuthenticationToken","message":"Access token is empty.","innerError":{"date":"2026-08-13T13:03:10","request-id":"e6","client-request-id":"e7"}}}`, nil, graph.KindCredential, "InvalidAuthenticationToken", "", "e6", nil, "Access token is empty."},
		{"402", 402, `{"error":{"code":"PaymentRequired","message":"Evaluation capacity for the month has exceeded."}}`, nil, graph.KindPaymentRequired, "PaymentRequired", "", "", nil, "Evaluation capacity for the month has exceeded."},
		{"Copilot 403", 403, `{"error":{"code":"Forbidden","message":"UnknownError","innerError":{"request-id":"r5"}}}`, nil, graph.KindRefused, "Forbidden", "", "r5", nil, "UnknownError"},
		{"403 with an empty message", 403, `{"error":{"code":"UnknownError","message":"","innerError":{"request-id":"r6"}}}`, nil, graph.KindRefused, "UnknownError", "", "r6", nil, ""},
		{"403 naming scopes", 403, `{"error":{"code":"Forbidden","message":"Missing scope permissions on the request. API requires one of 'Chat.ReadBasic, Chat.Read, Chat.ReadWrite'. Scopes on the request 'User.Read'"}}`, nil, graph.KindForbidden, "Forbidden", "", "", []string{"Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"}, "Missing scope permissions on the request. API requires one of 'Chat.ReadBasic, Chat.Read, Chat.ReadWrite'. Scopes on the request 'User.Read'"},
		{"403 naming roles", 403, `{"error":{"code":"Forbidden","message":"Missing role permissions on the request. API requires one of 'Chat.Read.All'. Roles on the request ''"}}`, nil, graph.KindForbidden, "Forbidden", "", "", []string{"Chat.Read.All"}, "Missing role permissions on the request. API requires one of 'Chat.Read.All'. Roles on the request ''"},
		{"404", 404, `{"error":{"code":"NotFound","message":""}}`, nil, graph.KindNotFound, "NotFound", "", "", nil, ""},
		{"404 without a body", 404, ``, []string{"request-id", "h7"}, graph.KindNotFound, "", "", "h7", nil, ""},
		{"405", 405, page, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"406", 406, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"409", 409, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"410", 410, ``, nil, graph.KindGone, "", "", "", nil, ""},
		{"411", 411, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"412", 412, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"413", 413, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"415", 415, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"416", 416, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"422", 422, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"423", 423, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"429", 429, `{"error":{"code":"TooManyRequests","innerError":{"code":"429","message":"Please retry after","request-id":"r8","status":"429"},"message":"Please retry again later."}}`, []string{"Retry-After", "10"}, graph.KindThrottled, "TooManyRequests", "429", "r8", nil, "Please retry again later."},
		{"500", 500, `{"error":{"code":"InternalServerError","message":"Object reference not set to an instance of an object."}}`, nil, graph.KindUnavailable, "InternalServerError", "", "", nil, "Object reference not set to an instance of an object."},
		{"501", 501, ``, nil, graph.KindUnavailable, "", "", "", nil, ""},
		{"502 in HTML", 502, page, nil, graph.KindUnavailable, "", "", "", nil, ""},
		{"503", 503, ``, nil, graph.KindUnavailable, "", "", "", nil, ""},
		{"504", 504, ``, nil, graph.KindUnavailable, "", "", "", nil, ""},
		{"507", 507, ``, nil, graph.KindUnavailable, "", "", "", nil, ""},
		{"509", 509, ``, nil, graph.KindThrottled, "", "", "", nil, ""},
		{"a code that is text", 400, `{"error":{"code":"` + secretText + `","message":"m"}}`, nil, graph.KindBadRequest, "", "", "", nil, "m"},
		{"error that is a string", 400, `{"error":"` + secretText + `"}`, nil, graph.KindBadRequest, "", "", "", nil, ""},
		{"a list", 400, `[1]`, nil, graph.KindBadRequest, "", "", "", nil, ""},
		{"byte order mark", 400, "\ufeff" + `{"error":{"code":"a"}}`, nil, graph.KindBadRequest, "a", "", "", nil, ""},
		{"redirect", 302, ``, []string{"Location", "https://127.0.0.1:8443/elsewhere"}, graph.KindUnexpected, "", "", "", nil, ""},
		{"204", 204, ``, nil, graph.KindUnexpected, "", "", "", nil, ""},
		{"200 with an error", 200, `{"error":{"code":"Forbidden","message":"x","innerError":{"request-id":"r9"}}}`, nil, graph.KindRefused, "Forbidden", "", "r9", nil, "x"},
		{"200 with an unknown error", 200, `{"error":{"code":"Whatever"}}`, nil, graph.KindUnavailable, "Whatever", "", "", nil, ""},
		{"200 with an error without a code", 200, `{"error":{}}`, nil, graph.KindUnavailable, "", "", "", nil, ""},
		{"200 with a status for a code", 200, `{"error":{"code":"404"}}`, nil, graph.KindNotFound, "404", "", "", nil, ""},
		{"200 with a status inside", 200, `{"error":{"code":"x","innerError":{"status":"402"}}}`, nil, graph.KindPaymentRequired, "x", "", "", nil, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, ask := range []func(*graphclient.Client) error{
				func(client *graphclient.Client) error { _, err := client.Page(t.Context(), chats()); return err },
				func(client *graphclient.Client) error { _, err := client.Object(t.Context(), chats()); return err },
			} {
				// Each has its own client: a 429 would make the second one wait.
				client := fakeClient(t, func(*http.Request) (*http.Response, error) {
					return answer(c.status, c.body, c.headers...), nil
				}, func(cfg *graphclient.Config) { cfg.Retry.Tries = 1 })
				e := wantError(t, ask(client), c.kind)
				if e.Status != c.status || e.Code != c.code || e.InnerCode != c.inner || e.RequestID != c.requestID || e.Message() != c.message || !slices.Equal(e.Roles, c.roles) {
					t.Errorf("got %#v roles %q message %q", e, e.Roles, e.Message())
				}
				if e.Requests != 1 || e.ClientRequestID == "" {
					t.Errorf("requests %d, client request id %q", e.Requests, e.ClientRequestID)
				}
				if temporary := e.RetryAfter > 0; temporary != e.Kind.Temporary() {
					t.Errorf("RetryAfter = %v for %v", e.RetryAfter, e.Kind)
				}
			}
		})
	}
}

func TestErrorTextHoldsNothingPrivate(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	client := fakeClient(t, func(*http.Request) (*http.Response, error) {
		return answer(400, `{"error":{"code":"BadRequest","message":"`+secretText+`"}}`), nil
	}, func(cfg *graphclient.Config) {
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	_, err := client.Page(t.Context(), graph.Request{
		API: graph.APIChat, Path: "/users/alice%40contoso.example/chats",
		Query: []graph.Param{{Name: "$filter", Value: "topic eq 'merger'"}},
		User:  "oid-of-alice", Resource: "19:chat@thread.v2",
	})
	e := wantError(t, err, graph.KindBadRequest)
	if e.Message() != secretText {
		t.Errorf("Message() = %q", e.Message())
	}
	slog.New(slog.NewTextHandler(&log, nil)).Error("failed", "error", err)
	text := fmt.Sprintf("%v %+v %#v %s", err, err, err, &log)
	for _, private := range []string{secretText, "alice", "merger", "oid-of", "thread", "127.0.0.1", "chats"} {
		if strings.Contains(text, private) {
			t.Errorf("%q in %s", private, text)
		}
	}
	if !strings.Contains(log.String(), "client_request_id") {
		t.Errorf("nothing logged: %s", &log)
	}
}

func TestErrorTextNamesTheFacts(t *testing.T) {
	t.Parallel()
	e := &graph.Error{
		Kind: graph.KindThrottled, Status: 429, Code: "TooManyRequests", InnerCode: "429",
		RequestID: "abc", RetryAfter: 10 * time.Second, Err: errors.New(secretText),
	}
	const want = "graph: throttled (status 429, code TooManyRequests, inner code 429, request abc, retry after 10s)"
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := graph.Kind(99).String(); got != "kind 99" {
		t.Errorf("Kind(99) = %q", got)
	}
}
