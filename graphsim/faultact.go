package graphsim

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/faults"

	"github.com/parley-gateway/parley/graphsim/data"
)

// refusalOf is the error that a fault describes.
func refusalOf(f *faults.Fault, now int64) *graphError {
	g := &graphError{status: f.Status, code: f.Code, message: f.Message, header: http.Header{}}
	if g.status == 0 {
		g.status = http.StatusServiceUnavailable
		if f.Kind == faults.RefusePage {
			g.status = http.StatusBadRequest
		}
	}
	code, message := defaultRefusal(g.status)
	if g.code == "" {
		g.code = code
	}
	if g.message == "" && f.Code == "" {
		g.message = message
	}
	if f.RetryAfter != "" {
		g.header.Set("Retry-After", f.RetryAfter)
		if ahead, err := strconv.Atoi(f.RetryAfter); err == nil && strings.HasPrefix(f.RetryAfter, "+") {
			at := time.UnixMilli(now).UTC()
			g.header.Set("Date", at.Format(http.TimeFormat))
			g.header.Set("Retry-After", at.Add(time.Duration(ahead)*time.Second).Format(http.TimeFormat))
		}
	}
	if g.status == http.StatusTooManyRequests {
		g.inner = data.Object{member("code", "429"), member("message", "Please retry after"), member("status", "429")}
	}
	return g
}

func defaultRefusal(status int) (code, message string) {
	switch status {
	case http.StatusBadRequest:
		return "BadRequest", "Invalid continuation token"
	case http.StatusUnauthorized:
		return "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
	case http.StatusPaymentRequired:
		return "PaymentRequired", "Evaluation capacity for the month has exceeded. To continue beyond the evaluation limits complete billing onboarding."
	case http.StatusForbidden:
		return "Forbidden", "UnknownError"
	case http.StatusNotFound:
		return "NotFound", "NotFound"
	case http.StatusTooManyRequests:
		return "TooManyRequests", "Please retry again later."
	case http.StatusGatewayTimeout:
		return "UnknownError", ""
	default:
		return "ServiceUnavailable", "The service is temporarily unavailable."
	}
}

// preFaults strikes before the request is looked at; true = answered. What bends the answer is kept for later.
func (x *exchange) preFaults() bool {
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
	g := refusalOf(f, x.now)
	switch f.Kind {
	case faults.ErrorIn200:
		maps.Copy(x.w.Header(), g.header)
		x.writeJSON(http.StatusOK, g.body(x.requestID, x.clientID, time.UnixMilli(x.now)))
	case faults.NestedError:
		maps.Copy(x.w.Header(), g.header)
		x.writeJSON(g.status, g.nested(x.requestID))
	case faults.HTMLError:
		maps.Copy(x.w.Header(), g.header)
		x.write(g.status, "text/html", []byte("<html><head><title>Error</title></head><body><h2>Our services aren't available right now</h2></body></html>"))
	case faults.EmptyError:
		maps.Copy(x.w.Header(), g.header)
		x.write(g.status, "text/plain", nil)
	default:
		x.fail(g)
	}
}

// nested is the error as some services give it: the causes one inside the other, in the other spelling.
func (e *graphError) nested(requestID string) data.Object {
	deepest := data.Object{member("code", e.code+"Cause"), member("request-id", requestID)}
	middle := data.Object{member("code", "generalException"), member("message", "An error occurred in a service behind."), member("innererror", deepest)}
	return data.Object{member("error", data.Object{member("code", e.code), member("message", e.message), member("innererror", middle)})}
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

// bend changes a reply as the faults say.
func (x *exchange) bend(rep *reply) {
	for _, f := range x.faults {
		switch f.Kind {
		case faults.LoopLink:
			rep.next = x.base() + x.r.URL.RequestURI()
		case faults.LoopPair:
			if back, ok := x.engine.PreviousPage(x); ok {
				rep.next = x.base() + back
			}
		case faults.ForeignLink:
			host := f.Host
			if host == "" {
				host = "graph.attacker.example"
			}
			rep.next = "https://" + host + x.linkPath(rep.next)
		case faults.HTTPLink:
			_, host, _ := strings.Cut(x.base(), "://")
			rep.next = "http://" + host + x.linkPath(rep.next)
		case faults.EmptyPage:
			rep.rows = data.List{}
		case faults.EmptyEnd:
			rep.rows, rep.next = data.List{}, ""
		case faults.OutOfWindow:
			if len(rep.rows) > 0 {
				rep.rows[0] = faults.OutOfItsWindow(rep.rows[0])
			}
		case faults.RepeatPage:
			rep.rows = x.engine.PreviousRows(x, rep.rows)
		}
	}
	x.engine.Remember(x, rep.rows)
}

// spelled renames the members that link on as a fault says.
func (x *exchange) spelled(o data.Object) data.Object {
	for _, f := range x.faults {
		if f.Kind == faults.LinkName {
			return faults.WithLinkName(o, cmp.Or(f.Name, "@odata.NextLink"))
		}
	}
	return o
}

// linkPath is a link without scheme and host; a page without a link lends its own path.
func (x *exchange) linkPath(next string) string {
	if path, ok := strings.CutPrefix(next, x.base()); ok {
		return path
	}
	return x.r.URL.RequestURI()
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
