package httpmw

import (
	"net"
	"net/http"
	"strings"
)

// LocalHosts answers only requests that name this machine: a listener that asks nobody who they are trusts whoever
// reaches it over loopback, and a web page can be made to reach it under a name of its own that resolves to 127.0.0.1
// (DNS rebinding). Refused is called for others.
func LocalHosts(next http.Handler, refused http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local(r.Host) {
			refused(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// local reports whether a Host header names loopback.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
