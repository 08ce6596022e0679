package callinfo

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/internal/spans"
	"github.com/parley-gateway/parley/server/requestid"
)

// headerTraceparent is the metadata key of the caller's trace (W3C Trace Context).
const headerTraceparent = "traceparent"

// Lengths of the parts of a traceparent: 00-{trace id}-{span id}-{flags}.
const (
	traceIDStart = 3
	traceIDEnd   = traceIDStart + 32
	spanIDEnd    = traceIDEnd + 1 + 16
	minParent    = spanIDEnd + 3
)

// traceIDOf returns the trace id of a traceparent; empty unless there is exactly one that is well formed.
func traceIDOf(values []string) string {
	if len(values) != 1 {
		return ""
	}
	parent := values[0]
	if len(parent) < minParent || parent[2] != '-' || parent[traceIDEnd] != '-' || parent[spanIDEnd] != '-' ||
		parent[:2] == "ff" || parent[:2] == "00" && len(parent) != minParent || len(parent) > minParent && parent[minParent] != '-' {
		return ""
	}
	id, span := parent[traceIDStart:traceIDEnd], parent[traceIDEnd+1:spanIDEnd]
	if !lowerHex(parent[:2]) || !lowerHex(id) || !lowerHex(span) || !lowerHex(parent[spanIDEnd+1:minParent]) ||
		strings.Trim(id, "0") == "" || strings.Trim(span, "0") == "" {
		return ""
	}
	return id
}

// Parent returns the span of the caller that a call belongs to, and whether the caller has it recorded; ok is false where the caller has
// none.
func Parent(ctx context.Context) (parent spans.Place, sampled, ok bool) {
	values := metadata.ValueFromIncomingContext(ctx, headerTraceparent)
	if traceIDOf(values) == "" {
		return parent, false, false
	}
	// The form was checked.
	_, _ = hex.Decode(parent.Trace[:], []byte(values[0][traceIDStart:traceIDEnd]))
	_, _ = hex.Decode(parent.Span[:], []byte(values[0][traceIDEnd+1:spanIDEnd]))
	flags := values[0][minParent-1]
	return parent, strings.IndexByte("13579bdf", flags) >= 0, true
}

func lowerHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// logHandler adds to each line of a call the ids by which the call is found elsewhere: request_id, and trace_id where the caller has a
// trace.
type logHandler struct{ slog.Handler }

// Logger returns a logger whose lines have request_id and trace_id of the call that their context belongs to.
func Logger(logger *slog.Logger) *slog.Logger {
	if _, done := logger.Handler().(logHandler); done {
		return logger
	}
	return slog.New(logHandler{logger.Handler()})
}

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, line slog.Record) error {
	if info, ok := ctx.Value(infoKey{}).(*Info); ok {
		line = line.Clone()
		line.AddAttrs(slog.String("request_id", info.ID))
		if info.TraceID != "" {
			line.AddAttrs(slog.String("trace_id", info.TraceID))
		}
	} else if id := requestid.FromContext(ctx); id != "" {
		line = line.Clone()
		line.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
