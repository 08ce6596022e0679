package server

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/parley-gateway/parley/server/admission"
)

type connectionKey struct{}

// admitConns counts the connections of the REST listener in the server's Connections, which close some when there are too many.
func (s *Server) admitConns(web *http.Server) {
	var all sync.Map // of *admission.Connection, by net.Conn
	web.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		below := conn
		if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
			below = over.NetConn() // TLS would write a closing alert, and wait for it
		}
		admitted := s.connections.Enter(conn.RemoteAddr(), func() { _ = below.Close() })
		all.Store(conn, admitted)
		return context.WithValue(ctx, connectionKey{}, admitted)
	}
	web.ConnState = func(conn net.Conn, state http.ConnState) {
		if state != http.StateClosed && state != http.StateHijacked {
			return
		}
		if admitted, ok := all.LoadAndDelete(conn); ok {
			admitted.(*admission.Connection).Leave() //nolint:forcetypeassert // it holds nothing else
		}
	}
}

// countRequests counts each request over REST on its connection, until its caller is accepted.
func countRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, _ := r.Context().Value(connectionKey{}).(*admission.Connection)
		request := admitted.Begin(r.Context(), 0)
		defer request.End()
		next.ServeHTTP(w, r.WithContext(request))
		if r.ProtoMajor > 1 && !request.Authenticated() {
			// HTTP/2 would write a short answer after this, and wait for its client where nobody counts it.
			_ = http.NewResponseController(w).Flush()
		}
	})
}
