package rest

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/server/doors"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/wirejson"
)

const (
	ndjsonType = "application/x-ndjson"
	sseType    = "text/event-stream"

	resumeField protoreflect.Name = "resume_token"
)

// stream serves a stream of frames: a line each, or server-sent events when asked. The first frame precedes the headers, so
// an early failure has its real status. The last line is a summary or an error; a body that ends with neither was cut.
func (h *Handler) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, what *asked) {
	events, last := wantsEvents(r.Header), ""
	if events {
		last = r.Header.Get("Last-Event-Id")
	}
	if IsFinal(last) {
		// The client reconnects after the end: 204 tells an EventSource to stay away.
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := &frameWriter{
		w: w, flusher: http.NewResponseController(w), call: newCall(r, what), events: events, wire: h.wire,
		squeezed: acceptsGzip(r.Header["Accept-Encoding"]), conn: doors.CorkedOf(r.Context()),
	}
	defer out.end()
	err := h.backend.Stream(ctx, out.call, what.route.method, resumeFrom(what.request, last), out.frame)
	switch {
	case out.gone:
	case out.torn:
		h.logger.WarnContext(ctx, "a stream was cut within a frame")
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break a connection
	case err == nil:
		out.begin()
	case !out.begun:
		out.call.tell(w.Header())
		writeError(w, err)
	default:
		out.fail(err)
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

// resumeFrom returns the request with the token of Last-Event-ID, if there is one; it is newer than the token of the URL,
// which a browser sends again unchanged.
func resumeFrom(request proto.Message, token string) proto.Message {
	field := request.ProtoReflect().Descriptor().Fields().ByName(resumeField)
	if token == "" || field == nil {
		return request
	}
	own := proto.Clone(request)
	own.ProtoReflect().Set(field, protoreflect.ValueOfString(token))
	return own
}

// frameWriter writes frames in one of the two forms, a flush after each.
type frameWriter struct {
	w        http.ResponseWriter
	flusher  *http.ResponseController
	call     *Call
	events   bool // server-sent events
	squeezed bool // gzip
	wire     *wirejson.Wire

	begun, gone bool // the headers are out; the client is gone
	torn        bool // a part of a line is out
	conn        *doors.Corked
	line        int // bytes of a batch's line that are out
	token       string
	buf         []byte
	zip         *gzip.Writer
}

// begin writes the headers, once.
func (f *frameWriter) begin() {
	if f.begun {
		return
	}
	f.begun = true
	unboundWrite(f.w)
	header := f.w.Header()
	f.call.tell(header)
	header.Set("X-Accel-Buffering", "no")
	header.Add("Vary", "Accept-Encoding")
	if f.squeezed {
		header["Content-Encoding"] = valueGzip
		f.zip = zipTo(f.w)
	}
	header.Set("Content-Type", ndjsonType)
	if f.events {
		header.Set("Content-Type", sseType)
	}
	f.w.WriteHeader(http.StatusOK)
	if f.events {
		_ = f.write([]byte("retry: 3000\n\n")) // a lost client shows at the first frame
	}
}

// frame writes one frame; an error ends the stream.
func (f *frameWriter) frame(part any) error {
	f.begin()
	fr, err := readFrame(part)
	if err != nil {
		return err
	}
	if fr.token != "" {
		f.token = fr.token
	}
	f.buf = f.head(f.buf[:0], fr.kind, fr.token)
	buf, err := f.append(fr)
	if err != nil {
		return err
	}
	f.buf = buf
	return f.send()
}

// append adds the JSON of a frame to the line.
func (f *frameWriter) append(fr frame) ([]byte, error) {
	if fr.message == nil {
		f.line = 0
		return appendBatch(f.buf, fr.pieces, f.wire, f.event)
	}
	return wirejson.Append(f.buf, fr.message)
}

const (
	// spillAt is when a part of a long line is written, in bytes: a frame takes little memory, however large it is.
	spillAt = 128 << 10
	// longestLine bounds the line of a batch, in bytes. Escapes and field names can make it several times as long as the
	// batch was; no event alone is as long.
	longestLine = 3<<20 - 64
)

// event is called behind each event of a batch, which begins at from: an event that would make the line too long begins
// another one, a batch too, and a part of a long line is written.
func (f *frameWriter) event(b []byte, from int) ([]byte, error) {
	if f.line+len(b) > longestLine && b[from-1] == ',' {
		event := bytes.Clone(b[from:])
		b = f.lineEnd(append(b[:from-1], batchTail...))
		f.line = -len(b)
		b = append(append(f.head(b, "batch", ""), batchHead...), event...)
	}
	if len(b) < spillAt {
		return b, nil
	}
	f.torn = true
	if f.write(b) != nil {
		f.gone = true
		return b, context.Canceled
	}
	f.line += len(b)
	return b[:0], nil
}

// fail writes the error line that ends a stream.
func (f *frameWriter) fail(err error) {
	st := fault.WithResumeToken(fault.Complete(status.Convert(err)), f.token)
	f.buf = append(f.head(f.buf[:0], "error", ""), `{"error":`...)
	f.buf = append(appendStatus(f.buf, st), '}')
	_ = f.send() // the client is gone if this fails
}

// head begins a line, or an event with its name and id.
func (f *frameWriter) head(b []byte, kind, id string) []byte {
	if !f.events {
		return b
	}
	b = append(append(append(b, "event: "...), kind...), '\n')
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	return append(b, "data: "...)
}

// lineEnd ends a line, or an event.
func (f *frameWriter) lineEnd(b []byte) []byte {
	if f.events {
		b = append(b, '\n')
	}
	return append(b, '\n')
}

// send ends the line and flushes it. Its error says that the client is gone.
func (f *frameWriter) send() error {
	f.torn = false
	f.buf = f.lineEnd(f.buf)
	err := f.write(f.buf)
	if err == nil && f.zip != nil {
		err = f.zip.Flush()
	}
	if err == nil {
		err = f.flusher.Flush()
	}
	if cap(f.buf) > 2*spillAt {
		f.buf = nil
	}
	if err != nil {
		f.gone = true
		return context.Canceled
	}
	return nil
}

func (f *frameWriter) write(b []byte) (err error) {
	if f.zip != nil {
		_, err = f.zip.Write(b)
	} else {
		// The frame of HTTP around a part leaves with it.
		f.conn.Hold()
		_, err = f.w.Write(b)
		f.conn.Release()
	}
	return err
}

// end writes what compression holds back.
func (f *frameWriter) end() {
	if f.zip != nil {
		unzip(f.zip, !f.gone)
		f.zip = nil
	}
}
