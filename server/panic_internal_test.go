package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/server/rest/httpmw"
	"github.com/parley-gateway/parley/server/service"
)

// TestPanicOfTheFront: a panic outside of a method cuts the connection. Its log line has the id of the request, and nothing of
// the value.
func TestPanicOfTheFront(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	s, err := New(Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Engine: newKept(t, 1, 0),
		Tenants: map[string]*service.Tenant{"contoso": {}}, Logger: slog.New(slog.NewJSONHandler(&logged, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	handler := httpmw.RequestID(s.recovered(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a secret") })))
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/users", http.NoBody)
	request.Header.Set("X-Request-Id", "mine")
	func() {
		defer func() {
			if p, ok := recover().(error); !ok || !errors.Is(p, http.ErrAbortHandler) {
				t.Errorf("the connection is not cut: %v", p)
			}
		}()
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}()
	if text := logged.String(); !strings.Contains(text, `"msg":"panic"`) || !strings.Contains(text, `"request_id":"mine"`) || strings.Contains(text, "secret") {
		t.Errorf("logged %s", text)
	}
}
