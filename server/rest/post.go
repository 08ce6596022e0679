package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/server/apierror"
)

// Bounds of the body of a POST.
const (
	maxBody     = 512 << 10 // bytes
	bodyTimeout = 30 * time.Second
	bodyField   = "body" // the field that errors about the whole body name
)

// boundRead bounds the time in which the body comes.
func boundRead(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // not every reader has deadlines
}

// unboundRead ends the bound of boundRead.
func unboundRead(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // not every reader has deadlines
}

// bodySize is how many bytes of a body are read at most.
func bodySize(r *http.Request) int64 {
	if r.ContentLength < 0 { // it does not say
		return maxBody
	}
	return min(r.ContentLength, maxBody)
}

// readBody reads the JSON object of a POST as the query that means the same, so that both are checked alike.
func (m *method) readBody(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Header.Get("Content-Type") != "" && (err != nil || kind != jsonType) {
		return nil, apierror.Invalid("content-type", "must be "+jsonType)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, apierror.Invalid(bodyField, "is longer than "+strconv.Itoa(maxBody>>10)+" KiB")
	}
	if err != nil {
		return nil, apierror.Invalid(bodyField, "was not sent whole")
	}
	values := url.Values{}
	if len(body) == 0 {
		return values, nil
	}
	reader := bodyReader{json.NewDecoder(bytes.NewReader(body)), values}
	reader.UseNumber()
	return values, reader.read(m.request)
}

// bodyReader reads a JSON object into query parameters.
type bodyReader struct {
	*json.Decoder

	values url.Values
}

var errJSON = apierror.Invalid(bodyField, "must be a JSON object, such as {\"users\":\"USER_SELECTION_ALL\"}")

// read reads the whole body.
func (b bodyReader) read(message protoreflect.MessageDescriptor) error {
	if token, err := b.Token(); err != nil || token != json.Delim('{') {
		return errJSON
	}
	if err := b.object("", message); err != nil {
		return err
	}
	if _, err := b.Token(); !errors.Is(err, io.EOF) {
		return errJSON
	}
	return nil
}

// object reads the members of an object, whose opening brace was read. prefix is its own name with a dot, if it has one. Members that are
// no fields become parameters too, so that they are refused like those.
func (b bodyReader) object(prefix string, message protoreflect.MessageDescriptor) error {
	for b.More() {
		token, err := b.Token()
		if err != nil {
			return errJSON
		}
		name, _ := token.(string) // the decoder takes nothing else
		field := fieldOf(message, name)
		name = prefix + name
		if _, given := b.values[name]; given {
			return apierror.Invalid(printable(name), "is given more than once")
		}
		if err := b.member(name, field, prefix == ""); err != nil {
			return err
		}
	}
	if _, err := b.Token(); err != nil { // the closing brace
		return errJSON
	}
	return nil
}

// member reads the value of a member. field is nil where the name is no field; outer is set for a member of the body itself, which alone may
// be an object.
func (b bodyReader) member(name string, field protoreflect.FieldDescriptor, outer bool) error {
	token, err := b.Token()
	switch {
	case err != nil:
		return errJSON
	case field == nil:
		b.values[name] = []string{""}
		return b.skip(token)
	case token == nil:
		return nil // absent
	case field.IsList():
		return b.list(name, field, token)
	case field.Message() != nil && !isTime(field):
		if token != json.Delim('{') || !outer {
			return apierror.Invalid(name, "must be an object")
		}
		before := len(b.values)
		if err := b.object(name+".", field.Message()); err != nil || len(b.values) > before {
			return err
		}
		return apierror.Invalid(name, "is empty; give its fields, or leave it out")
	}
	value, err := scalar(name, field, token)
	b.values[name] = []string{value}
	return err
}

// list reads the values of a list, whose opening bracket is token. An empty list is refused: taken for an absent
// one, it would ask for everything.
func (b bodyReader) list(name string, field protoreflect.FieldDescriptor, token json.Token) error {
	if token != json.Delim('[') {
		return apierror.Invalid(name, "must be a list")
	}
	for b.More() {
		token, err := b.Token()
		if err != nil {
			return errJSON
		}
		value, err := scalar(name, field, token)
		if err != nil {
			return err
		}
		b.values[name] = append(b.values[name], value)
	}
	if _, err := b.Token(); err != nil { // the closing bracket
		return errJSON
	}
	if len(b.values[name]) == 0 {
		return apierror.Invalid(name, "is empty; give its values, or leave it out")
	}
	return nil
}

// skip reads the rest of a value that began with a token.
func (b bodyReader) skip(token json.Token) error {
	for depth := 0; ; {
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		var err error
		if token, err = b.Token(); err != nil {
			return errJSON
		}
	}
}

// scalar returns a value as a query parameter has it. checkValue checks it further.
func scalar(name string, field protoreflect.FieldDescriptor, token json.Token) (string, error) {
	kind := field.Kind()
	switch value := token.(type) {
	case string:
		if kind != protoreflect.BoolKind {
			return value, nil
		}
	case json.Number:
		if kind == protoreflect.Int32Kind || kind == protoreflect.Int64Kind || kind == protoreflect.EnumKind {
			return value.String(), nil
		}
	case bool:
		if kind == protoreflect.BoolKind {
			return strconv.FormatBool(value), nil
		}
	}
	switch kind {
	case protoreflect.BoolKind:
		return "", apierror.Invalid(name, "must be true or false")
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return "", apierror.Invalid(name, "must be a whole number")
	default:
		return "", apierror.Invalid(name, "must be a text")
	}
}
