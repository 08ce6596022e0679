package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// serveREST plays cases over REST, as newline-delimited JSON or, where the client accepts it, as server-sent events.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request) {
	request, err := readRequest(r)
	if err != nil {
		s.script.complainf("%s: %v", r.URL.Path, err)
		http.Error(w, "no such stream", http.StatusNotFound)
		return
	}
	l := &restLink{w: w, control: http.NewResponseController(w), events: strings.Contains(r.Header.Get("Accept"), "text/event-stream")}
	authorization := strings.Join(r.Header.Values("Authorization"), ", ")
	_ = s.script.play(r.Context(), request, authorization, l, func() { // an error says that the client has gone
		s.replace()
		<-r.Context().Done()
	})
	if !l.begun && !l.taken {
		l.begin()
	}
}

// readRequest makes the request message of a path and query.
func readRequest(r *http.Request) (*parleyv1.StreamEventsRequest, error) {
	path, found := strings.CutSuffix(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/"), "/events:stream")
	if !found {
		return nil, errors.New("not a stream of events")
	}
	parent, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	request := &parleyv1.StreamEventsRequest{}
	if err := runtime.PopulateQueryParameters(request, r.URL.Query(), utilities.NewDoubleArray(nil)); err != nil {
		return nil, err
	}
	request.Parent = parent
	if last := r.Header.Get("Last-Event-Id"); last != "" {
		request.ResumeToken = last
	}
	return request, nil
}

// restLink is a connection over REST.
type restLink struct {
	w       http.ResponseWriter
	control *http.ResponseController
	events  bool // as server-sent events
	begun   bool // headers are written
	taken   bool // the connection is not the server's any more
}

func (l *restLink) begin() {
	l.begun = true
	kind := "application/x-ndjson"
	if l.events {
		kind = "text/event-stream"
	}
	l.w.Header().Set("Content-Type", kind)
	l.w.WriteHeader(http.StatusOK)
	if l.events {
		_, _ = io.WriteString(l.w, "retry: 3000\n\n") // the client is gone if this fails
	}
}

// line returns a line of JSON, or the event that carries it.
func (l *restLink) line(kind, id string, data []byte) []byte {
	if !l.events {
		return append(data, '\n')
	}
	head := "event: " + kind + "\n"
	if id != "" {
		head += "id: " + id + "\n"
	}
	return append(append([]byte(head+"data: "), data...), "\n\n"...)
}

func (l *restLink) write(line []byte) error {
	if !l.begun {
		l.begin()
	}
	if _, err := l.w.Write(line); err != nil {
		return err
	}
	return l.control.Flush()
}

func (l *restLink) send(frame *parleyv1.StreamEventsResponse, extra extraFields) error {
	data, err := wirejson.Marshal(frame)
	if err != nil {
		return err
	}
	var kind string
	switch frame.GetFrame().(type) {
	case *parleyv1.StreamEventsResponse_Batch:
		kind = "batch"
	case *parleyv1.StreamEventsResponse_Notice:
		kind = "notice"
	case *parleyv1.StreamEventsResponse_Checkpoint:
		kind = "checkpoint"
	case *parleyv1.StreamEventsResponse_Summary:
		kind = "summary"
	default:
		kind, data = "laterFrame", []byte(`{"laterFrame":{"x":[1,{"y":null}]}}`)
	}
	if extra == withUnknown {
		if data, err = addMembers(data); err != nil {
			return err
		}
	}
	return l.write(l.line(kind, frame.GetCheckpoint().GetResumeToken()+frame.GetSummary().GetResumeToken(), data))
}

// addMembers gives each object a member that nobody knows.
func addMembers(data []byte) ([]byte, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	addMember(value)
	return json.Marshal(value)
}

func addMember(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			addMember(inner)
		}
		value["laterField"] = map[string]any{"x": []int{1}}
	case []any:
		for _, inner := range value {
			addMember(inner)
		}
	}
}

// fail answers with the error's HTTP status before the first frame, with a line after it. An error without a reason is what a proxy answers.
func (l *restLink) fail(st *status.Status) error {
	body, err := errorJSON(st)
	if err != nil {
		return err
	}
	if l.begun {
		line := l.line("failure", "", append(append([]byte(`{"error":`), body...), '}'))
		if wait, again := apierror.Retry(st); l.events && again {
			// An EventSource waits for as long as the error says.
			line = append(fmt.Appendf(nil, "retry: %d\n\n", wait.Milliseconds()), line...)
		}
		return l.write(line)
	}
	l.begun = true
	if wait := apierror.RetryDelay(st); wait > 0 {
		l.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	if apierror.Reason(st) == "" {
		httpStatus := runtime.HTTPStatusFromCode(st.Code())
		if st.Code() == codes.Canceled {
			httpStatus = http.StatusBadGateway // no proxy says 499 to a client that is there
		}
		http.Error(l.w, "no healthy upstream", httpStatus)
		return nil
	}
	l.w.Header().Set("Content-Type", "application/json")
	l.w.WriteHeader(apierror.HTTPStatus(st))
	_, err = l.w.Write(append(body, '\n'))
	return err
}

// errorJSON is the JSON of an error of the gateway.
func errorJSON(st *status.Status) ([]byte, error) {
	raw, err := protojson.Marshal(st.Proto())
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{"details": json.RawMessage("[]")}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	members["status"] = strconv.AppendQuote(nil, code.Code(st.Code()).String())
	members["reason"] = strconv.AppendQuote(nil, apierror.Reason(st))
	return json.Marshal(members)
}

func (l *restLink) cut(torn bool) error {
	if torn {
		line := l.line("batch", "", []byte(`{"batch":{"events":[{"uid":"torn","version":"1"}]}}`))
		if err := l.write(line[:len(line)-10]); err != nil {
			return err
		}
	}
	taken, err := l.take()
	if err != nil {
		return err
	}
	taken.end()
	return taken.Close()
}

func (l *restLink) reset() error {
	taken, err := l.take()
	if err == nil {
		taken.reset()
	}
	return err
}

// take takes the connection from the server.
func (l *restLink) take() (*conn, error) {
	l.flush()
	l.taken = true
	inner, _, err := l.control.Hijack()
	if err != nil {
		return nil, err
	}
	taken, ok := inner.(*conn)
	if !ok {
		return nil, errors.New("an unknown connection")
	}
	return taken, taken.SetDeadline(time.Time{})
}

func (l *restLink) flush() {
	if l.begun && !l.taken {
		_ = l.control.Flush() // the client is gone if this fails
	}
}
