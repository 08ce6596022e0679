package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
)

const (
	deployedRows  = 34  // events of the page, which is then 71 KB long
	deployedPages = 500 // of each contender in a round
	usualPages    = 50  // of grpc-gateway as it comes, which takes milliseconds for each
)

// bearer adds the caller's token to each request.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// deployedBars measures bars 7 and 7b: a cached page of 71 KB over TLS 1.3 with a token, a policy and audit records.
func deployedBars(ctx context.Context, t *table, p *profiler, rounds int, graph string) error {
	at, stop, err := startChild(ctx, "-child", "deployed", "-graph", graph)
	if err != nil {
		return err
	}
	defer stop()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(at["ca"])) {
		return errors.New("the deployment has no certificate")
	}
	client := &http.Client{Transport: bearer{at["token"], &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}, MaxIdleConnsPerHost: 1, DisableCompression: true,
	}}}
	w := &warm{at: at, http1: &http.Client{}}
	w.profiler = &profiler{folder: p.folder, client: w.http1, server: "http://" + at["peers"]}
	path := restPath(short, "", deployedRows)
	var page []byte
	for range fills {
		if page, err = fetch(client, "https://"+at["https"]+path); err != nil {
			return err
		}
	}
	if err := w.post("/set", page); err != nil {
		return err
	}
	room := make([]byte, 32<<10)
	side := func(name, server, path string, pages int) *contender {
		return w.side(name, func() (int, error) {
			for range pages {
				if _, err := drain(client, "https://"+at[server]+path, room); err != nil {
					return 0, err
				}
			}
			return pages, nil
		})
	}
	own := side("REST page, deployed", "https", path, deployedPages)
	guarded := side("guarded bytes, deployed", "guarded", "/", deployedPages)
	usual := side("grpc-gateway, deployed", "usual", path, usualPages)
	if err := race(w.profiler, rounds, own, guarded, usual); err != nil {
		return err
	}
	less, share := usual.other/own.other, guarded.other/own.other
	t.row("7", "as deployed: REST cached page vs grpc-gateway's marshaler", times(less)+" less", atLeast(less, 10, "≥ 10×"), atLeast(less, 14, "≥ 14×"))
	t.row("7b", "that page vs the same bytes behind the same token check and audit", percent(share), atLeast(share, .6, "≥ 60 %"), atLeast(share, .8, "≥ 80 %"))
	t.notef("  deployed: TLS 1.3, RS256 token, policy, audit records in a file; a page of %d events, %s", deployedRows, fmt.Sprintf("%.0f KB", float64(len(page))/1e3))
	sides(t, own, guarded, usual)
	return nil
}
