package server

import (
	"io"
	"net/http"
	"sync"

	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/server/rest/docs"
	"github.com/parley-gateway/parley/server/rest/explorer"
)

// pages serves the paths outside of the API: health for probes, the documents, and the files that generators need.
func (s *Server) pages() (http.Handler, error) {
	site, err := docs.New(docs.Config{Version: s.cfg.Version, GRPCAddr: s.GRPCAddr, Reflection: s.cfg.Reflection, Explorer: s.cfg.Explorer != nil, Tokens: s.cfg.mode.oidc, User: s.cfg.ExampleUser})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", alive)
	s.addProbes(mux)
	mux.Handle("GET /docs", site)
	mux.Handle("GET /docs/", site)
	if s.cfg.Explorer != nil {
		page := explorer.New(s.cfg.Explorer)
		mux.Handle("GET /explorer", page)
		mux.Handle("GET /explorer/", page)
	}
	mux.HandleFunc("GET /openapi.json", file("application/json", s.cfg.OpenAPI))
	mux.HandleFunc("GET /descriptor.binpb", file("application/x-protobuf", s.cfg.Descriptor))
	mux.HandleFunc("GET /descriptor-full.binpb", file("application/x-protobuf", s.cfg.FullDescriptor))
	mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusFound))
	mux.HandleFunc("/", rest.NotFound)
	return mux, nil
}

// addProbes adds the probes of orchestrators.
func (s *Server) addProbes(mux *http.ServeMux) {
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /readyz", s.readiness)
}

// alive answers that the process lives.
func alive(w http.ResponseWriter, _ *http.Request) { writeProbe(w, http.StatusOK, `{"status":"ok"}`) }

// readiness answers whether calls are served. A gateway that sheds memory is ready: without it the others would have more to do.
func (s *Server) readiness(w http.ResponseWriter, r *http.Request) {
	switch why := s.unready(); {
	case why != "":
		writeProbe(w, http.StatusServiceUnavailable, `{"status":"not ready","why":"`+why+`"}`)
	case s.cfg.Memory.Shedding():
		writeProbe(w, http.StatusOK, `{"status":"ok","shedding":true}`)
	default:
		alive(w, r)
	}
}

// unready returns why nobody can be served; empty = somebody can.
func (s *Server) unready() string {
	switch {
	case !s.ready.Load():
		return "the gateway starts or stops"
	case s.unrecorded.Load():
		return "audit records cannot be written"
	default:
		return ""
	}
}

// writeProbe writes the answer to a probe, a JSON object.
func writeProbe(w http.ResponseWriter, status int, object string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, object+"\n") // the prober is gone if this fails
}

// file serves one generated file, compressed on request; none if it was not built in.
func file(contentType string, data []byte) http.HandlerFunc {
	if len(data) == 0 {
		return rest.NotFound
	}
	compressed := sync.OnceValues(func() ([]byte, error) { return rest.Gzip(data) })
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Add("Vary", "Accept-Encoding")
		body := data
		if rest.AcceptsGzip(r.Header) {
			if small, err := compressed(); err == nil {
				body = small
				w.Header().Set("Content-Encoding", "gzip")
			}
		}
		_, _ = w.Write(body) // the client is gone if this fails
	}
}
