package rest

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/parley-gateway/parley/server/apierror"
)

const (
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
	sseType    = "text/event-stream"
)

// marshaler writes answers as JSON and frames as lines of JSON, or as server-sent events. The hook rewrite has replaced the message by its
// call, so the mux gives Marshal a *call for an answer, a map with the *call as `result` for a frame, and a map with the status as `error`
// for the error that ends a stream.
type marshaler struct{ sse bool }

var (
	_ runtime.Marshaler         = marshaler{}
	_ runtime.Delimited         = marshaler{}
	_ runtime.StreamContentType = marshaler{}
)

var errAnswer = errors.New("rest: not an answer")

// Marshal implements runtime.Marshaler.
func (m marshaler) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case *call:
		return v.body()
	case map[string]any:
		if c, ok := v["result"].(*call); ok {
			return c.line(m)
		}
	case map[string]proto.Message:
		if st, ok := v["error"].(*spb.Status); ok {
			return m.errorLine(status.FromProto(st)), nil
		}
	}
	return nil, errAnswer
}

// errorLine is the line that ends a stream with an error. As a server-sent event it is named `failure`, since a browser's EventSource
// gives its own errors the name `error`; and the wait of RetryInfo goes before it as a field `retry`, which EventSource obeys.
func (m marshaler) errorLine(st *status.Status) []byte {
	var b []byte
	if wait, again := apierror.Retry(st); m.sse && again {
		b = appendRetry(b, wait)
	}
	b = append(m.lineHead(b, "failure", ""), `{"error":`...)
	return m.lineEnd(append(appendStatus(b, st), '}'))
}

// appendRetry appends the field that tells an EventSource how long to wait before it comes back. It holds until the next one, so
// each stream begins with one.
func appendRetry(b []byte, wait time.Duration) []byte {
	b = append(b, "retry: "...)
	b = strconv.AppendInt(b, int64(math.Ceil(wait.Seconds()*1000)), 10)
	return append(b, '\n', '\n')
}

// lineHead begins a line, or an event with its name and id.
func (m marshaler) lineHead(b []byte, kind, id string) []byte {
	if !m.sse {
		return b
	}
	b = append(append(append(b, "event: "...), kind...), '\n')
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	return append(b, "data: "...)
}

// lineEnd ends a line, or an event.
func (m marshaler) lineEnd(b []byte) []byte {
	if m.sse {
		b = append(b, '\n')
	}
	return append(b, '\n')
}

// Delimiter implements runtime.Delimited. Marshal ends lines itself, since the mux puts a delimiter behind the chunks of
// downloads too.
func (marshaler) Delimiter() []byte { return nil }

// ContentType implements runtime.Marshaler.
func (marshaler) ContentType(any) string { return jsonType }

// StreamContentType implements runtime.StreamContentType.
func (m marshaler) StreamContentType(v any) string {
	if body, ok := v.(*httpbody.HttpBody); ok {
		return body.GetContentType()
	}
	if m.sse {
		return sseType
	}
	return ndjsonType
}

// Unmarshal implements runtime.Marshaler. The requests that the mux gets have no body.
func (marshaler) Unmarshal([]byte, any) error { return errAnswer }

// NewDecoder implements runtime.Marshaler, as Unmarshal.
func (marshaler) NewDecoder(io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(any) error { return errAnswer })
}

// NewEncoder implements runtime.Marshaler.
func (m marshaler) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		body, err := m.Marshal(v)
		if err == nil {
			_, err = w.Write(body)
		}
		return err
	})
}

// wantsSSE reports whether the Accept header asks for server-sent events.
func wantsSSE(header http.Header) bool {
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
