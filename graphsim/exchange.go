package graphsim

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// exchange is one request on its way through the simulator.
type exchange struct {
	sim     *Sim
	engine  *faults.Engine
	w       http.ResponseWriter
	r       *http.Request
	world   *data.World
	version string // v1.0 or beta
	source  string
	params  map[string]string
	args    map[string]string // arguments of a function call in the path
	query   query
	view    data.View
	roles   []string
	scopes  []string // of a delegated token, whose user is view.Viewer
	now     int64    // of the records, in ms
	clock   int64    // of tokens, limits and faults, in ms
	status  int
	faults  []faults.Fault // struck, and change the answer

	requestID, clientID string
	delegated           bool
	omitNulls           bool
	maxPage             int // Prefer: odata.maxpagesize
}

// reply is a successful answer: a page of rows, one entity, raw bytes, or a redirect.
type reply struct {
	context  string // behind $metadata; "" = none
	count    bool   // @odata.count, of the rows of this page
	total    int    // @odata.count, of all pages; 0 = none
	next     string // whole link
	rows     data.List
	entity   data.Object
	raw      []byte
	mime     string
	location string // of the redirect
}

func itoa(n int) string { return strconv.Itoa(n) }

// Handler serves Graph, the token endpoints and the admin pages, as the first listener does.
func (s *Sim) Handler() http.Handler { return s.handler(s.faults) }

func (s *Sim) handler(engine *faults.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveHTTP(engine, w, r) })
}

func (s *Sim) serveHTTP(engine *faults.Engine, w http.ResponseWriter, r *http.Request) {
	x := &exchange{sim: s, engine: engine, w: w, r: r, now: s.Clock().UnixMilli(), clock: s.cfg.Now().UnixMilli(), status: http.StatusOK}
	began := time.Now()
	defer func() {
		s.log.add(x, "graph")
		s.cfg.Logger.DebugContext(r.Context(), "graphsim request", "method", r.Method, "source", x.source, "status", x.status, "took", time.Since(began))
	}()
	x.requestID = data.RandomGUID(s.log.next()).String()
	if x.clientID = r.Header.Get("Client-Request-Id"); x.clientID == "" || len(x.clientID) > 128 {
		x.clientID = x.requestID
	}
	// Spelled as the service spells them.
	w.Header()["request-id"] = []string{x.requestID}
	w.Header()["client-request-id"] = []string{x.clientID}
	x.readPrefer()
	segments := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	switch strings.ToLower(segments[0]) {
	case "_sim":
		x.source = "admin"
		s.serveAdmin(x, segments)
	case "_report":
		s.serveReport(w, r)
	case "v1.0", "beta":
		if len(segments) == 1 {
			x.fail(refusal.BadRequest("Empty segment encountered in request URL. Please make sure that a valid request URL is specified."))
			return
		}
		x.serveGraph(segments)
	default:
		if !x.serveEntra(segments) {
			x.fail(refusal.BadRequest("Invalid version: %s", segments[0]))
		}
	}
}

// afterVersion is the escaped path behind the version.
func (x *exchange) afterVersion() string {
	_, rest, _ := strings.Cut(strings.Trim(x.r.URL.EscapedPath(), "/"), "/")
	return rest
}

// readPrefer reads the preferences that some services honour.
func (x *exchange) readPrefer() {
	for _, line := range x.r.Header.Values("Prefer") {
		for p := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "include-unknown-enum-members":
				x.view.Unknown = true
			case "omit-values":
				x.omitNulls = strings.EqualFold(strings.TrimSpace(value), "nulls")
			case "odata.maxpagesize", "maxpagesize":
				if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n > 0 {
					x.maxPage = n
				}
			}
		}
	}
}

// base is scheme and host as the caller sees them.
func (x *exchange) base() string {
	if u := x.sim.URL(); u != "" {
		return u
	}
	if x.r.TLS != nil {
		return "https://" + x.r.Host
	}
	return "http://" + x.r.Host
}

func (x *exchange) root() string { return x.base() + "/" + x.version }

// user finds the user whom the path names, in the tenant of the token.
func (x *exchange) user() (data.Ref, *refusal.Error) {
	id := x.params["user"]
	if u, ok := x.world.People.Find(id); ok {
		return u, nil
	}
	return 0, refusal.NotInDirectory(id)
}

// fail answers with a refusal.
func (x *exchange) fail(g *refusal.Error) {
	maps.Copy(x.w.Header(), g.Header)
	x.writeJSON(g.Status, g.Body(x.requestID, x.clientID, time.UnixMilli(x.clock)))
}

func (x *exchange) writeJSON(status int, v any) {
	buffer, ok := x.sim.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	defer x.sim.buffers.Put(buffer)
	*buffer = data.AppendJSON((*buffer)[:0], v)
	x.write(status, "application/json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false; charset=utf-8", *buffer)
}

// write sends a body; a broken connection is the client's affair.
func (x *exchange) write(status int, mime string, body []byte) {
	x.status = status
	h := x.w.Header()
	h.Set("Content-Type", mime)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if slices.ContainsFunc(x.faults, func(f faults.Fault) bool { return f.Kind == faults.GoAway }) {
		h.Set("Connection", "close")
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	x.w.WriteHeader(status)
	x.sendBody(body)
}

// send writes a reply, changed by the faults that struck the request.
func (x *exchange) send(rep *reply) {
	if rep.location != "" {
		x.w.Header().Set("Location", rep.location)
		x.write(http.StatusFound, "text/plain", nil)
		return
	}
	if rep.raw != nil {
		x.write(http.StatusOK, rep.mime, rep.raw)
		return
	}
	page := faults.Page{Rows: rep.rows, Next: rep.next}
	x.engine.Alter(x, x.base(), x.faults, &page)
	rep.rows, rep.next = page.Rows, page.Next
	out := make(data.Object, 0, 4+len(rep.entity))
	if rep.context != "" {
		out = append(out, data.Member("@odata.context", x.root()+"/$metadata#"+rep.context))
	}
	if rep.entity != nil {
		x.writeJSON(http.StatusOK, x.spelled(x.trimmed(append(out, rep.entity...))))
		return
	}
	if rep.total > 0 {
		out = append(out, data.Member("@odata.count", rep.total))
	}
	if rep.count {
		out = append(out, data.Member("@odata.count", len(rep.rows)))
	}
	if rep.next != "" {
		out = append(out, data.Member("@odata.nextLink", rep.next))
	}
	if x.omitNulls && x.source == SourceCall {
		for i, row := range rep.rows {
			rep.rows[i] = x.trimmed(row)
		}
	}
	x.writeJSON(http.StatusOK, x.spelled(append(out, data.Member("value", rep.rows))))
}

// trimmed applies Prefer: omit-values=nulls, which only the call record service honours.
func (x *exchange) trimmed(o data.Object) data.Object {
	if !x.omitNulls || x.source != SourceCall {
		return o
	}
	o, _ = data.WithoutNulls(o).(data.Object)
	return o
}

// pause waits, and returns false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
