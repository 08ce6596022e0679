package graphsim

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// answeredByFault meets the faults that strike before the request is looked at, and reports whether one of them has answered it. Faults that
// change the answer are put into x.faults.
func (x *exchange) answeredByFault() bool {
	for _, f := range x.engine.Strike(x) {
		switch f.Kind {
		case faults.Status, faults.RefusePage, faults.OneOfN, faults.ErrorIn200, faults.NestedError, faults.HTMLError, faults.EmptyError:
			x.refuse(&f)
			return true
		case faults.Reset:
			x.drop()
		case faults.Hang:
			x.silence(f.DelayMS)
		case faults.Slow:
			if !pause(x.r.Context(), time.Duration(f.DelayMS)*time.Millisecond) {
				x.status = 0
				return true
			}
		default:
			x.faults = append(x.faults, f)
		}
	}
	return false
}

// refuse answers with the error that a fault describes.
func (x *exchange) refuse(f *faults.Fault) {
	g := f.Refusal(x.clock)
	switch f.Kind {
	case faults.ErrorIn200:
		maps.Copy(x.w.Header(), g.Header)
		x.writeJSON(http.StatusOK, g.Body(x.requestID, x.clientID, time.UnixMilli(x.clock)))
	case faults.NestedError:
		maps.Copy(x.w.Header(), g.Header)
		x.writeJSON(g.Status, g.Nested(x.requestID))
	case faults.HTMLError:
		maps.Copy(x.w.Header(), g.Header)
		x.write(g.Status, "text/html", []byte("<html><head><title>Error</title></head><body><h2>Our services aren't available right now</h2></body></html>"))
	case faults.EmptyError:
		maps.Copy(x.w.Header(), g.Header)
		x.write(g.Status, "text/plain", nil)
	default:
		x.fail(g)
	}
}

// drop breaks the connection (HTTP/2: the stream) off.
func (x *exchange) drop() {
	x.status = 0
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to drop a request
}

// silence says nothing more until the client leaves or so many milliseconds have passed (0 = never).
func (x *exchange) silence(ms int) {
	if ms > 0 {
		pause(x.r.Context(), time.Duration(ms)*time.Millisecond)
	} else {
		<-x.r.Context().Done()
	}
	x.drop()
}

// spelled returns an answer with the names of links that a fault gives them.
func (x *exchange) spelled(o data.Object) data.Object {
	for _, f := range x.faults {
		if f.Kind == faults.LinkName {
			return faults.WithLinkName(o, cmp.Or(f.Name, "@odata.NextLink"))
		}
	}
	return o
}

var _ faults.Request = (*exchange)(nil)

// Source implements faults.Request.
func (x *exchange) Source() string { return x.source }

// URL implements faults.Request.
func (x *exchange) URL() *url.URL { return x.r.URL }

// About implements faults.Request: the user stands in the path, or for calls in the filter.
func (x *exchange) About(user string) bool {
	named := x.params["user"]
	if strings.EqualFold(named, user) || named == "" && strings.Contains(strings.ToLower(x.r.URL.RawQuery), strings.ToLower(user)) {
		return true
	}
	if x.world == nil {
		return false
	}
	a, knownA := x.world.People.Find(named)
	b, knownB := x.world.People.Find(user)
	return knownA && knownB && a == b
}
