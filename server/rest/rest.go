package rest

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/wirejson"
	"github.com/parley-gateway/parley/timeline"
)

// writeTimeout bounds the writing of an answer that is not a stream.
const writeTimeout = time.Minute

// Config is what the REST face needs.
type Config struct {
	// Backend runs the methods.
	Backend Backend
	// Pages serves what is not the API: documents, health. It gets every path outside /v1/.
	Pages http.Handler
	// Logger receives failures to answer; nil = none.
	Logger *slog.Logger
}

// apiPath begins the paths of the API.
const apiPath = "/v1/"

// Handler serves the API under /v1/ and the pages elsewhere.
type Handler struct {
	backend Backend
	routes  []*route
	streams map[string]bool // the last segments of streams' paths
	known   memory
	pages   http.Handler
	logger  *slog.Logger
	wire    *wirejson.Wire // of events
	// pageJSON and pageZip make forms of pages.
	pageJSON, pageZip func(*timeline.Page) ([]byte, error)
}

var _ http.Handler = (*Handler)(nil)

// New builds the handler; it starts nothing and owns no goroutine.
func New(cfg Config) (*Handler, error) {
	routes, err := findRoutes()
	if err != nil {
		return nil, err
	}
	h := &Handler{
		backend: cfg.Backend, routes: routes, streams: map[string]bool{}, pages: cfg.Pages, logger: cfg.Logger,
		wire: wirejson.NewWire((*parleyv1.Event)(nil).ProtoReflect().Type()),
	}
	for _, r := range routes {
		if r.streams {
			h.streams[r.segments[len(r.segments)-1]] = true
		}
	}
	h.pageJSON, h.pageZip = h.renderPage, h.zipPage
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.pages == nil {
		h.pages = http.HandlerFunc(NotFound)
	}
	return h, nil
}

// ServeHTTP is the front door: only GET without a body, only the headers and paths that the API knows.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if !strings.HasPrefix(r.URL.Path, apiPath) {
		boundWrite(w)
		h.pages.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodGet {
		writeError(w, errMethod())
		return
	}
	if r.ContentLength != 0 {
		writeError(w, fault.Invalid("body", "a GET of this API has no body; give query parameters"))
		return
	}
	ctx, cancel, err := deadlineOf(r)
	if err != nil {
		writeError(w, err)
		return
	}
	defer cancel()
	what, err := h.parse(r)
	if err != nil {
		writeError(w, err)
		return
	}
	switch {
	case !what.route.streams:
		h.unary(ctx, w, r, what)
	case what.route.download():
		h.download(ctx, w, r, what)
	default:
		h.stream(ctx, w, r, what)
	}
}

// boundWrite bounds the time that a client may take to read an answer which is not a stream. Each answer sets its own bound
// since a connection keeps that of the answer before.
func boundWrite(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has deadlines
}

// unboundWrite lets the writing of a stream take as long as its reader does.
func unboundWrite(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // not every writer has deadlines
}
