package rest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
)

// writeTimeout bounds the writing of an answer that is not a stream.
const writeTimeout = time.Minute

// Config has the dependencies of a Handler.
type Config struct {
	// Conn runs the methods; an *inproc.Invoker with Conditional among its interceptors.
	Conn grpc.ClientConnInterface
	// Pages serves every path outside of the API: documents, health.
	Pages http.Handler
	// AdmitBody is called before the body of a request is read, with the context that a handler of the call would have and the most bytes
	// that are read. It returns a function to be called after that, or an error, with which the body is not read; nil = every body is read.
	AdmitBody func(ctx context.Context, bytes int64) (leave func(), err error)
	// Logger receives failures to answer; nil = none.
	Logger *slog.Logger
	// CountBytes is called with the bytes that are handed to an answer of the API: those of a stream before compression, those of a message
	// after it; nil = nobody counts.
	CountBytes func(bytes int)
}

// apiPath and tenantPath begin the paths of the API.
const (
	apiPath    = "/v1/"
	tenantPath = "/v1:"
)

// Handler serves the API under /v1/ and /v1: and the pages elsewhere.
type Handler struct {
	mux        *runtime.ServeMux
	conn       grpc.ClientConnInterface
	methods    map[string]*method // by path template
	pages      http.Handler
	admitBody  func(ctx context.Context, bytes int64) (leave func(), err error)
	logger     *slog.Logger
	countBytes func(bytes int)
}

var _ http.Handler = (*Handler)(nil)

// New returns a handler; it starts nothing and owns no goroutine.
func New(cfg Config) (*Handler, error) {
	methods, err := findMethods()
	if err != nil {
		return nil, err
	}
	h := &Handler{
		conn: cfg.Conn, methods: methods, pages: cfg.Pages, admitBody: cfg.AdmitBody, logger: cfg.Logger, countBytes: cfg.CountBytes,
	}
	if h.admitBody == nil {
		h.admitBody = func(context.Context, int64) (func(), error) { return func() {}, nil }
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.pages == nil {
		h.pages = http.HandlerFunc(NotFound)
	}
	if h.mux, err = h.newMux(); err != nil {
		return nil, err
	}
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if !strings.HasPrefix(r.URL.Path, apiPath) && !strings.HasPrefix(r.URL.Path, tenantPath) {
		boundWrite(w)
		h.pages.ServeHTTP(w, r)
		return
	}
	c := newCall(w, r, h.logger)
	c.out.countBytes = h.countBytes
	defer c.end()
	request, err := h.muxRequest(c, w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	h.mux.ServeHTTP(&c.out, request)
	c.finish()
}

// boundWrite bounds the time that a client may take to read an answer that is not a stream. Each answer sets its own bound, since a
// connection keeps the bound of the previous answer.
func boundWrite(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has deadlines
}

// unboundWrite lets a client read a stream as slowly as it does.
func unboundWrite(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // not every writer has deadlines
}
