package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/wirejson"
)

// writeTimeout bounds the writing of an answer that is not a stream.
const writeTimeout = time.Minute

// grpcTimeout is the form of a grpc-timeout header.
var grpcTimeout = regexp.MustCompile(`^\d{1,8}[HMSmun]$`)

// Config is what the REST face needs.
type Config struct {
	// Conn reaches the services. All interceptors are behind it.
	Conn *grpc.ClientConn
	// Pages serves what is not the API: documents, health. It gets every path outside /v1/.
	Pages http.Handler
	// Metadata is what a call takes along beside the headers, from the context of its request; nil = nothing.
	Metadata func(ctx context.Context) metadata.MD
	// Logger receives failures to answer; nil = none.
	Logger *slog.Logger
}

// Handler serves the API under /v1/ and the pages elsewhere.
type Handler struct {
	mux    *runtime.ServeMux
	pages  http.Handler
	logger *slog.Logger
	wire   *wirejson.Wire // of events
}

var _ http.Handler = (*Handler)(nil)

// New builds the handler; it starts nothing and owns no goroutine.
func New(cfg Config) (*Handler, error) {
	h := &Handler{pages: cfg.Pages, logger: cfg.Logger, wire: wirejson.NewWire((*parleyv1.Event)(nil).ProtoReflect().Type())}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.pages == nil {
		h.pages = http.HandlerFunc(NotFound)
	}
	routes, err := findRoutes()
	if err != nil {
		return nil, err
	}
	byPattern := make(map[string]*route, len(routes))
	for _, r := range routes {
		byPattern[r.pattern] = r
	}
	h.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler{}),
		runtime.WithIncomingHeaderMatcher(matchIncoming),
		runtime.WithOutgoingHeaderMatcher(matchOutgoing),
		runtime.WithOutgoingTrailerMatcher(matchNothing),
		runtime.WithErrorHandler(muxError),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithMiddlewares(queryMiddleware(byPattern)),
		runtime.WithForwardResponseOption(boundWrite),
		runtime.WithMetadata(func(ctx context.Context, _ *http.Request) metadata.MD {
			if cfg.Metadata == nil {
				return nil
			}
			return cfg.Metadata(ctx)
		}),
	)
	if err := register(h.mux, cfg.Conn); err != nil {
		return nil, err
	}
	// Registered last, so these win over the generated stream handlers.
	for _, r := range routes {
		if !r.streams {
			continue
		}
		serve := h.stream(r, cfg.Conn)
		if r.download() {
			serve = h.download(r, cfg.Conn)
		}
		if err := h.mux.HandlePath(http.MethodGet, r.pattern, serve); err != nil {
			return nil, fmt.Errorf("rest: %s: %w", r.pattern, err)
		}
	}
	return h, nil
}

func register(mux *runtime.ServeMux, conn *grpc.ClientConn) error {
	// The context only matters to the FromEndpoint variants.
	ctx := context.Background()
	for _, add := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		parleyv1.RegisterConversationServiceHandler,
		parleyv1.RegisterEventServiceHandler,
		parleyv1.RegisterCopilotUsageServiceHandler,
		parleyv1.RegisterUserServiceHandler,
	} {
		if err := add(ctx, mux, conn); err != nil {
			return fmt.Errorf("rest: %w", err)
		}
	}
	return nil
}

// ServeHTTP is the front door: only GET without a body, only the headers and paths that the API knows.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A deadline set for the answer before stays on a kept connection.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // not every writer has deadlines
	secure(w.Header())
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
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
	if timeout := r.Header.Get("Grpc-Timeout"); timeout != "" && !grpcTimeout.MatchString(timeout) {
		writeError(w, errTimeout())
		return
	}
	path, err := decodePath(r.URL.EscapedPath())
	if err != nil {
		writeError(w, err)
		return
	}
	known := r.Clone(r.Context())
	known.Header = onlyKnown(r.Header)
	known.URL.Path, known.URL.RawPath = path, ""
	known.Body = http.NoBody
	// The gateway would hand both on as facts about the client.
	known.Host, known.RemoteAddr = "", ""
	h.mux.ServeHTTP(w, known)
}

// queryMiddleware checks the query of every route before its handler reads it.
func queryMiddleware(routes map[string]*route) runtime.Middleware {
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			pattern, _ := runtime.HTTPPattern(r.Context())
			found, ok := routes[pattern.String()]
			if !ok {
				writeError(w, errPath())
				return
			}
			values, err := parseQuery(r.URL.RawQuery)
			if err == nil {
				err = found.checkQuery(values)
			}
			if err != nil {
				writeError(w, err)
				return
			}
			next(w, r, params)
		}
	}
}

// boundWrite bounds the time that a client may take to read an answer which is not a stream.
func boundWrite(_ context.Context, w http.ResponseWriter, _ proto.Message) error {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has deadlines
	return nil
}
