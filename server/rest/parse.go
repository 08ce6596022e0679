package rest

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/server/fault"
)

// asked is a parsed URL. It is shared by requests, and its message is never changed.
type asked struct {
	route   *route
	request proto.Message
	valid   atomic.Bool
}

// parse finds the route of a request and reads its message from path and query.
func (h *Handler) parse(r *http.Request) (*asked, error) {
	if known := h.known.find(r.RequestURI); known != nil {
		return known, nil
	}
	path, err := decodePath(r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	segments := strings.Split(path[1:], "/")
	for _, rt := range h.routes {
		value, ok := rt.match(segments)
		if !ok {
			continue
		}
		request, err := rt.read(r.URL.RawQuery, value)
		if err != nil {
			return nil, err
		}
		fresh := &asked{route: rt, request: request}
		h.known.keep(r.RequestURI, fresh)
		return fresh, nil
	}
	return nil, errPath()
}

// read makes the message of a request.
func (r *route) read(query, bound string) (proto.Message, error) {
	values, err := parseQuery(query)
	if err == nil {
		err = r.checkQuery(values)
	}
	if err != nil {
		return nil, err
	}
	request := r.request.New().Interface()
	if err := runtime.PopulateQueryParameters(request, values, utilities.NewDoubleArray(nil)); err != nil {
		return nil, fault.Invalid("query", "a query parameter cannot be read")
	}
	if r.bound != "" {
		if err := runtime.PopulateFieldFromPath(request, string(r.bound), bound); err != nil {
			return nil, fault.Invalid(string(r.bound), "cannot be read from the path")
		}
	}
	return request, nil
}

const (
	maxKnown    = 512     // URLs in each of two generations
	maxKnownURL = 2 << 10 // bytes of a URL that is remembered
)

// memory remembers what URLs mean: the newest ones, and those asked for since. It holds no answers, and it takes at most a
// few megabytes. It is safe for concurrent use.
type memory struct {
	mu          sync.RWMutex
	young, aged map[string]*asked
}

func (m *memory) find(url string) *asked {
	m.mu.RLock()
	found, fresh := m.young[url]
	if !fresh {
		found = m.aged[url]
	}
	m.mu.RUnlock()
	if found != nil && !fresh {
		m.keep(url, found)
	}
	return found
}

func (m *memory) keep(url string, what *asked) {
	if url == "" || len(url) > maxKnownURL {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || len(m.young) >= maxKnown {
		m.young, m.aged = make(map[string]*asked), m.young
	}
	m.young[url] = what
}
