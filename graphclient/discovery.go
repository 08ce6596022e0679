package graphclient

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

const (
	discoveryTime = time.Hour // how long a document is kept
	maxDocuments  = 16        // of one tenant there are two
)

// discovery lets the logins of many users share what the library asks of the
// authority before each first login of a credential: where its endpoints are.
// A thousand users are one such request. Logins themselves pass.
type discovery struct {
	next policy.Transporter

	mu        sync.Mutex
	documents map[string]*document // by URL
}

// document is one answer, or its fetching. It is written by whoever made it,
// until done.
type document struct {
	done   chan struct{}
	read   time.Time
	status int
	header http.Header
	body   []byte // nil = not usable: the next one asks again
}

var _ policy.Transporter = (*discovery)(nil)

func newDiscovery(next policy.Transporter) *discovery {
	return &discovery{next: next, documents: make(map[string]*document)}
}

// Do answers a request for a discovery document from the last hour's answer,
// and sends every other request.
func (d *discovery) Do(req *http.Request) (*http.Response, error) {
	if !discovers(req) {
		return d.next.Do(req)
	}
	url := req.URL.String()
	for {
		own, mine := d.document(url)
		if mine {
			return d.fetch(req, url, own)
		}
		select {
		case <-own.done:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		if own.body != nil {
			return own.answer(req), nil
		}
	}
}

// discovers says whether a request asks where the authority's endpoints are.
func discovers(req *http.Request) bool {
	path := strings.ToLower(req.URL.Path)
	return req.Method == http.MethodGet &&
		(strings.HasSuffix(path, "/.well-known/openid-configuration") || strings.HasSuffix(path, "/discovery/instance"))
}

// document returns the answer of a URL; mine says that the caller has to fetch it.
func (d *discovery) document(url string) (own *document, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.documents[url]; known != nil {
		select {
		case <-known.done:
			if known.body != nil && time.Since(known.read) < discoveryTime {
				return known, false
			}
		default:
			return known, false
		}
	}
	if len(d.documents) >= maxDocuments {
		clear(d.documents)
	}
	own = &document{done: make(chan struct{})}
	d.documents[url] = own
	return own, true
}

// fetch asks for a document. A failure is the fetcher's own: those who wait ask themselves.
func (d *discovery) fetch(req *http.Request, url string, own *document) (*http.Response, error) {
	usable := false
	defer func() {
		if !usable {
			d.mu.Lock()
			if d.documents[url] == own {
				delete(d.documents, url)
			}
			d.mu.Unlock()
		}
		close(own.done)
	}()
	resp, err := d.next.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read to its end, or given up
	if err != nil {
		return nil, err
	}
	own.status, own.header, own.body, own.read = resp.StatusCode, resp.Header, append(make([]byte, 0, len(body)), body...), time.Now()
	usable = true
	return own.answer(req), nil
}

// answer is the document as an answer to a request.
func (d *document) answer(req *http.Request) *http.Response {
	return &http.Response{
		Status: http.StatusText(d.status), StatusCode: d.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: d.header.Clone(), Body: io.NopCloser(bytes.NewReader(d.body)), ContentLength: int64(len(d.body)), Request: req,
	}
}
