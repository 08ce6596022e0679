package httpmw

import (
	"net/http"

	"github.com/parley-gateway/parley/server/requestid"
)

// RequestID gives every answer of a handler, whatever it is, the id of its request in x-request-id: the client's where it is
// a plain word, else a new one. The context of the request carries it.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestid.Of(r.Header["X-Request-Id"])
		w.Header()["X-Request-Id"] = []string{id}
		next.ServeHTTP(w, r.WithContext(requestid.NewContext(r.Context(), id)))
	})
}
