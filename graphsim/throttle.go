package graphsim

import (
	"net/http"
	"sync"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// throttle enforces the published limits in fixed windows, per app and tenant and per resource.
type throttle struct {
	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	from int64 // ms
	n    int
}

// limit is n requests in so many milliseconds.
type limit struct {
	key string
	n   int
	ms  int64
}

func newThrottle() *throttle { return &throttle{windows: map[string]*window{}} }

const (
	second    = 1_000
	callSpan  = 20_000
	usageSpan = 600_000
	maxKeys   = 10_000
)

// limitsOf are the limits of a route for one tenant.
func limitsOf(x *exchange, r *route) []limit {
	tenant := x.world.ID + " "
	user, chat, callID := x.params["user"], x.params["chat"], x.params["call"]
	switch {
	case r.source == SourceCopilot:
		return []limit{{tenant + "copilot", 30, second}}
	case r.source == SourceChat && chat == "":
		return []limit{{tenant + "export", 200, second}}
	case r.source == SourceChat && x.params["content"] != "":
		return []limit{{tenant + "contents", 60, second}, {tenant + "contents " + chat, 1, second}}
	case r.source == SourceChat:
		return []limit{{tenant + "messages", 20, second}, {tenant + "messages " + chat, 1, second}}
	case r.source == SourceChats && chat == "":
		return []limit{{tenant + "chats", 20, second}, {tenant + "chats " + user, 1, second}}
	case r.source == SourceChats:
		return []limit{{tenant + "chat", 200, second}, {tenant + "chat " + chat, 1, second}}
	case r.source == SourceCall && callID == "":
		return []limit{{tenant + "calls", 1_500, callSpan}, {tenant + "call list", 40, callSpan}}
	case r.source == SourceCall:
		return []limit{{tenant + "calls", 1_500, callSpan}, {tenant + "call " + callID, 40, callSpan}}
	case r.source == SourceUsage:
		return []limit{{tenant + r.segments[len(r.segments)-1], 100, usageSpan}} // of each report by itself
	default:
		return nil
	}
}

// admit counts a request. It returns nil within the limits, and else a refusal with the seconds until the window ends.
func (t *throttle) admit(x *exchange, r *route) *refusal.Error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.windows) > maxKeys {
		clear(t.windows)
	}
	var wait int64
	for _, l := range limitsOf(x, r) {
		w := t.windows[l.key]
		if w == nil || x.clock-w.from >= l.ms || x.clock < w.from {
			w = &window{from: x.clock}
			t.windows[l.key] = w
		}
		if w.n++; w.n > l.n {
			wait = max(wait, w.from+l.ms-x.clock)
		}
	}
	if wait == 0 {
		return nil
	}
	return &refusal.Error{
		Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Please retry again later.",
		Header: http.Header{"Retry-After": {itoa(int((wait + 999) / 1000))}},
		Inner:  data.Object{data.Member("code", "429"), data.Member("message", "Please retry after"), data.Member("status", "429")},
	}
}
