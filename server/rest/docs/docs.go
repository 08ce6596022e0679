// Package docs is the reference page of the REST API: a static page that needs no internet, draws itself from the OpenAPI
// document of the same gateway, and lets people try the methods.
package docs

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

//go:embed site
var site embed.FS

// csp is the Content-Security-Policy of the page. It allows what the page consists of and nothing else; answers shown on it cannot
// run anything.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Config has the facts about the gateway that the page shows.
type Config struct {
	// Version of the gateway.
	Version string
	// GRPCAddr is asked at each view, since a port may be chosen late.
	GRPCAddr func() string
	// Reflection says that the gRPC listener serves reflection; without it grpcurl needs the descriptor set.
	Reflection bool
	// Explorer says that /explorer is served; the page links to it then.
	Explorer bool
	// User is the user that examples name; empty = none in particular.
	User string
	// Tokens says that callers may have to send an access token: the page then asks for one.
	Tokens bool
}

// view has the values of the page's template.
type view struct {
	Version, GRPCAddr, URL, User, Start string
	TLS, Tokens, Reflection, Explorer   bool
}

// newView describes the gateway as a request has reached it. Start is a month ago, which every source keeps.
func newView(cfg *Config, r *http.Request) view {
	v := view{
		Version: cfg.Version, GRPCAddr: cfg.GRPCAddr(), URL: "http://" + r.Host, User: cfg.User, TLS: r.TLS != nil,
		Start:  time.Now().UTC().AddDate(0, 0, -29).Format("2006-01-02T00:00:00Z"),
		Tokens: cfg.Tokens, Reflection: cfg.Reflection, Explorer: cfg.Explorer,
	}
	if v.TLS {
		v.URL = "https://" + r.Host
	}
	return v
}

// New returns the handler of /docs and all paths below it.
func New(cfg Config) (http.Handler, error) {
	files, err := fs.Sub(site, "site")
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	page, err := template.ParseFS(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	assets := http.StripPrefix("/docs/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", csp)
		header.Set("Cache-Control", "no-cache")
		switch r.URL.Path {
		case "/docs", "/docs/", "/docs/index.html":
			var buf bytes.Buffer
			if err := page.Execute(&buf, newView(&cfg, r)); err != nil {
				http.Error(w, "the page could not be made", http.StatusInternalServerError)
				return
			}
			header.Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(buf.Bytes()) // the client is gone if this fails
		default:
			assets.ServeHTTP(w, r)
		}
	}), nil
}
