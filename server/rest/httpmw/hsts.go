package httpmw

import "net/http"

// HSTS tells browsers to use TLS alone from now on (RFC 6797). It is for listeners behind which every request came
// over TLS.
func HSTS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}
