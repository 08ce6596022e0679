package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/wirejson"
)

const (
	ndjsonType = "application/x-ndjson"
	sseType    = "text/event-stream"

	resumeField protoreflect.Name = "resume_token"
)

// stream serves a stream of frames: a line each, or server-sent events when asked. The first frame is read before the
// headers are written, so an early failure has its real status. The last line is a summary or an error; a body that ends
// with neither was cut.
func (h *Handler) stream(rt *route, conn *grpc.ClientConn) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		events := wantsEvents(r.Header)
		last := ""
		if events {
			last = r.Header.Get("Last-Event-Id")
		}
		if IsFinal(last) {
			// The client reconnects after the end: 204 tells an EventSource to stay away.
			w.WriteHeader(http.StatusNoContent)
			return
		}
		// Ends the call when the writer fails or the handler leaves.
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		stream, err := h.open(ctx, conn, rt, r, params, func(request proto.Message) { resumeFrom(request, last) })
		if err != nil {
			writeError(w, err)
			return
		}
		first, err := stream.nextFrame()
		stream.headers(w.Header())
		if err != nil && !errors.Is(err, io.EOF) {
			writeError(w, err)
			return
		}
		out := &frameWriter{w: w, flusher: http.NewResponseController(w), events: events, wire: h.wire}
		out.begin()
		for next := first; err == nil; next, err = stream.nextFrame() {
			if out.frame(next) != nil {
				return // the client is gone
			}
		}
		if !errors.Is(err, io.EOF) {
			out.fail(err)
		}
	}
}

// wantsEvents says whether the Accept header asks for server-sent events.
func wantsEvents(header http.Header) bool {
	for _, accept := range header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			kind, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(kind), sseType) {
				return true
			}
		}
	}
	return false
}

// resumeFrom puts the token of Last-Event-ID into a request; it is newer than the token of the URL, which a browser sends
// again unchanged.
func resumeFrom(request proto.Message, token string) {
	if token == "" {
		return
	}
	m := request.ProtoReflect()
	if field := m.Descriptor().Fields().ByName(resumeField); field != nil {
		m.Set(field, protoreflect.ValueOfString(token))
	}
}

// frameWriter writes frames in one of the two forms, a flush after each.
type frameWriter struct {
	w       http.ResponseWriter
	flusher *http.ResponseController
	events  bool // server-sent events
	wire    *wirejson.Wire
	token   string // newest resume token written
	buf     []byte
}

// begin writes the headers.
func (f *frameWriter) begin() {
	header := f.w.Header()
	header.Set("X-Accel-Buffering", "no")
	if !f.events {
		header.Set("Content-Type", ndjsonType)
		f.w.WriteHeader(http.StatusOK)
		return
	}
	header.Set("Content-Type", sseType)
	f.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(f.w, "retry: 3000\n\n") // a lost client shows at the first frame
}

// frame writes one frame; an error means that the client is gone.
func (f *frameWriter) frame(fr frame) error {
	if fr.token != "" {
		f.token = fr.token
	}
	f.head(fr.kind, fr.token)
	buf, err := f.append(fr)
	if err != nil {
		f.fail(err)
		return err
	}
	f.buf = buf
	return f.send()
}

// append adds the JSON of a frame to the line.
func (f *frameWriter) append(fr frame) ([]byte, error) {
	if fr.message == nil {
		return appendBatch(f.buf, fr.list, f.wire)
	}
	return wirejson.Append(f.buf, fr.message)
}

// fail writes the error line that ends a stream.
func (f *frameWriter) fail(err error) {
	st := fault.WithResumeToken(fault.Complete(status.Convert(err)), f.token)
	f.head("error", "")
	f.buf = append(f.buf, `{"error":`...)
	f.buf = append(appendStatus(f.buf, st), '}')
	_ = f.send() // the client is gone if this fails
}

// head begins a line, or an event with its name and id.
func (f *frameWriter) head(kind, id string) {
	f.buf = f.buf[:0]
	if !f.events {
		return
	}
	f.buf = append(append(append(f.buf, "event: "...), kind...), '\n')
	if id != "" {
		f.buf = append(append(append(f.buf, "id: "...), id...), '\n')
	}
	f.buf = append(f.buf, "data: "...)
}

// send ends the line and flushes it.
func (f *frameWriter) send() error {
	f.buf = append(f.buf, '\n')
	if f.events {
		f.buf = append(f.buf, '\n')
	}
	if _, err := f.w.Write(f.buf); err != nil {
		return err
	}
	const keep = 1 << 20
	if cap(f.buf) > keep {
		f.buf = nil
	}
	return f.flusher.Flush()
}
