package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/internal/lru"
)

const (
	discoveryTime = time.Hour // how long a document is kept
	maxDocuments  = 16        // of one tenant there are two
)

// discovery lets the logins of many users share what the library asks of the
// authority before each first login of a credential: where its endpoints are.
// A thousand users are one such request. Logins themselves pass.
type discovery struct {
	next    policy.Transporter
	fetches coalesce.Group[string, *document] // by URL

	mu        sync.Mutex
	documents *lru.Cache[string, *document] // by URL
}

// document is an answer of the authority. It never changes.
type document struct {
	read   time.Time
	status int
	header http.Header
	body   []byte
}

var _ policy.Transporter = (*discovery)(nil)

func newDiscovery(next policy.Transporter) *discovery {
	return &discovery{next: next, documents: lru.New[string, *document](maxDocuments, nil)}
}

// Close ends the requests under way and waits for them.
func (d *discovery) Close() { d.fetches.Close() }

// Do answers a request for a discovery document from the last hour's answer,
// and sends every other request. Callers who want the same document at the same
// time share a request; its failure is the answer only to the caller who began it.
func (d *discovery) Do(req *http.Request) (*http.Response, error) {
	if !isDiscovery(req) {
		return d.next.Do(req)
	}
	ctx, url := req.Context(), req.URL.String()
	for {
		if known := d.known(url); known != nil {
			return known.answer(req), nil
		}
		got, joined, err := d.fetches.Do(ctx, url, coalesce.Options{}, func(ctx context.Context) (*document, error) {
			return d.fetch(req.Clone(ctx), url)
		})
		if failed := err != nil || !got.usable(); failed && joined && ctx.Err() == nil && !errors.Is(err, coalesce.ErrClosed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return got.answer(req), nil
	}
}

// isDiscovery reports whether a request asks where the authority's endpoints are.
func isDiscovery(req *http.Request) bool {
	path := strings.ToLower(req.URL.Path)
	return req.Method == http.MethodGet &&
		(strings.HasSuffix(path, "/.well-known/openid-configuration") || strings.HasSuffix(path, "/discovery/instance"))
}

// known returns the document of a URL that was read within the last hour; nil = there is none.
func (d *discovery) known(url string) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	known, _ := d.documents.Get(url)
	if known == nil || time.Since(known.read) >= discoveryTime {
		return nil
	}
	return known
}

// fetch asks for a document and keeps it if it is usable.
func (d *discovery) fetch(req *http.Request, url string) (*document, error) {
	resp, err := d.next.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read to its end, or given up
	if err != nil {
		return nil, err
	}
	got := &document{read: time.Now(), status: resp.StatusCode, header: resp.Header, body: bytes.Clone(body)}
	if got.usable() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.documents.Put(url, got)
	}
	return got, nil
}

func (d *document) usable() bool { return d.status == http.StatusOK }

// answer is the document as an answer to a request.
func (d *document) answer(req *http.Request) *http.Response {
	return &http.Response{
		Status: http.StatusText(d.status), StatusCode: d.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: d.header.Clone(), Body: io.NopCloser(bytes.NewReader(d.body)), ContentLength: int64(len(d.body)), Request: req,
	}
}
