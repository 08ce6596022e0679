// Package explorer serves the explorer, a page that reads the REST API of its own gateway and shows what it answers. The page is built
// from web/explorer.
package explorer

import (
	"io/fs"
	"net/http"
)

// csp is the Content-Security-Policy of the page. It allows what the page consists of and nothing else, so that no content of a
// conversation can run or load anything.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// New returns the handler of /explorer and all paths below it, over the built files.
func New(site fs.FS) http.Handler {
	files := http.FileServerFS(site)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", csp)
		header.Set("Cache-Control", "no-cache")
		switch r.URL.Path {
		case "/explorer", "/explorer/":
			http.ServeFileFS(w, r, site, "index.html")
		default:
			http.StripPrefix("/explorer/", files).ServeHTTP(w, r)
		}
	})
}
