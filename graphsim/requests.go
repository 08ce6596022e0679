package graphsim

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Request is one recorded request. No header value and no body is kept.
type Request struct {
	// Time is when it was answered, by the simulator's clock.
	Time time.Time `json:"time"`
	// Listener is "graph" (Graph and tokens) or "report".
	Listener string `json:"listener"`
	Method   string `json:"method"`
	// Path is as it came, escaped; Query is raw.
	Path  string `json:"path"`
	Query string `json:"query,omitempty"`
	// Source is the kind of data asked for, "token" or "download"; empty for an unknown path.
	Source string `json:"source,omitempty"`
	// Tenant is the tenant of the token, empty when it was refused.
	Tenant string `json:"tenant,omitempty"`
	// User is the object id of a delegated token's user, empty for applications.
	User string `json:"user,omitempty"`
	// Authorization says that the request had that header; Headers are the names of all headers, sorted.
	Authorization bool     `json:"authorization"`
	Headers       []string `json:"headers"`
	// Status is the status of the answer; 0 = the connection was closed.
	Status int `json:"status"`
	// RequestID is Graph's request-id of the answer.
	RequestID string `json:"requestId,omitempty"`
}

const keptRequests = 4096

// requestLog is a ring of the newest requests and counters over all.
type requestLog struct {
	mu       sync.Mutex
	ring     []Request
	total    uint64
	bySource map[string]int
	ids      uint64
}

func newRequestLog() *requestLog {
	return &requestLog{bySource: map[string]int{}, ids: uint64(time.Now().UnixNano())}
}

// next returns a number for a request id that no other request has.
func (l *requestLog) next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids += 2 // a GUID takes two numbers
	return l.ids
}

// add records an answered request. Admin pages are not recorded. A download through the Graph listener is recorded once, by serveReport.
func (l *requestLog) add(x *exchange, listener string) {
	const reports = "/_report"
	download := listener == "graph" && strings.HasPrefix(x.r.URL.Path, reports) && len(x.r.URL.Path) > len(reports)
	if x.source == "admin" || download {
		return
	}
	q := Request{
		Time: time.UnixMilli(x.clock).UTC(), Listener: listener, Method: x.r.Method, Path: x.r.URL.EscapedPath(), Query: x.r.URL.RawQuery, Source: x.source,
		Authorization: x.r.Header.Get("Authorization") != "", Headers: slices.Sorted(maps.Keys(x.r.Header)), Status: x.status, RequestID: x.requestID,
	}
	if x.world != nil {
		q.Tenant = x.world.ID
		if x.delegated {
			q.User = x.world.People.ID(x.view.Viewer)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < keptRequests {
		l.ring = append(l.ring, q)
	} else {
		l.ring[l.total%keptRequests] = q
	}
	l.total++
	l.bySource[x.source]++
}

// Requests are the newest requests, oldest first, at most 4096. Admin pages are not recorded.
func (s *Sim) Requests() []Request {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total <= uint64(len(l.ring)) {
		return slices.Clone(l.ring)
	}
	at := l.total % keptRequests
	return append(slices.Clone(l.ring[at:]), l.ring[:at]...)
}

// RequestCounts counts all requests since the start or the last reset, by source.
func (s *Sim) RequestCounts() map[string]int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return maps.Clone(s.log.bySource)
}

// ResetRequests forgets all recorded requests.
func (s *Sim) ResetRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.ring, s.log.total = nil, 0
	clear(s.log.bySource)
}
