package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/parley-gateway/parley/graphclient/internal/ascii"
)

// fault is the content of a Graph error body.
type fault struct {
	code, message, innerCode, requestID, status string

	codes  []string // all, the outermost first
	text   string   // codes and messages, one a line, by which a refusal is classified
	silent bool     // the body says nothing at all
}

const (
	maxFault      = 256 << 10 // bytes of an error body that are looked at
	maxFaultDepth = 8
)

var byteOrderMark = []byte("\ufeff")

// parseFault reads {"error":{…}}. Anything else, HTML included, gives a fault
// without words: the status decides then.
func parseFault(body []byte) fault {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, byteOrderMark))
	if len(body) == 0 {
		return fault{silent: true}
	}
	all := members(body)
	for name, value := range all {
		if strings.EqualFold(name, "error") {
			f := faultOf(value)
			f.note(scalar(value), scalar(all["error_description"])) // OAuth's form
			f.silent = f.text == ""
			return f
		}
	}
	return fault{silent: all != nil && len(all) == 0 || string(body) == "null"}
}

// note adds a code and a message to the text.
func (f *fault) note(code, message string) {
	if code != "" {
		f.codes = append(f.codes, code)
	}
	for _, part := range []string{code, message} {
		if part != "" {
			f.text += part + "\n"
		}
	}
}

// faultOf reads the value of "error". Graph spells innerError in two ways and
// nests it; the deepest code is the most specific one.
func faultOf(value []byte) fault {
	var f fault
	for depth := 0; len(value) > 0 && depth < maxFaultDepth; depth++ {
		var inner []byte
		var code, message string
		for name, v := range members(value) {
			text := scalar(v)
			switch strings.ToLower(name) {
			case "code":
				code = text
				if depth == 0 {
					f.code = text
				} else if text != "" {
					f.innerCode = text
				}
			case "message":
				message = text
				if depth == 0 || f.message == "" {
					f.message = text
				}
			case "request-id":
				f.requestID = text
			case "status":
				f.status = text
			case "innererror":
				inner = v
			}
		}
		f.note(code, message)
		value = inner
	}
	return f
}

// members splits a JSON object; anything else has none.
func members(value []byte) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(value, &m) != nil {
		return nil
	}
	return m
}

// scalar is the text of a JSON string or number.
func scalar(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(value, &n) == nil {
		return n.String()
	}
	return ""
}

// newError makes the error of an answer: its status, headers and error body.
func newError(resp *http.Response, f fault, at Situation) *Error {
	e := &Error{
		Status:    resp.StatusCode,
		Code:      Identifier(f.code),
		InnerCode: Identifier(f.innerCode),
		RequestID: RequestID(resp.Header),
		message:   f.message,
	}
	if e.RequestID == "" {
		e.RequestID = Identifier(f.requestID)
	}
	switch {
	case resp.StatusCode > http.StatusOK && resp.StatusCode < 300:
		e.Kind, e.Reason = KindUnexpected, "a success without an answer"
		return e
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		e.Kind, e.Reason = KindUnexpected, "a redirect, which is not followed"
		return e
	case resp.StatusCode == http.StatusOK:
		e.Reason = "an error in place of the answer"
	case resp.StatusCode == http.StatusProxyAuthRequired:
		e.Cause, e.Final, e.Reason = CauseProxy, true, "the proxy asks for a sign-in"
	}
	if resp.StatusCode == http.StatusForbidden && hasClaimsChallenge(resp.Header) {
		f.note("insufficient_claims", "")
	}
	e.Kind, e.personal = f.classify(resp.StatusCode, at)
	if e.Kind == KindForbidden {
		e.Roles = neededRoles(f.text)
	}
	return e
}

// ReadError makes the error of an answer that is no success. A body that cannot be read says nothing.
func ReadError(resp *http.Response, at Situation) *Error {
	f := fault{silent: true}
	if r, err := DecodedBody(resp); err == nil {
		if body, err := io.ReadAll(io.LimitReader(r, maxFault)); err == nil {
			f = parseFault(body)
		}
	}
	return newError(resp, f, at)
}

// RequestID is Graph's id of a request.
func RequestID(h http.Header) string { return Identifier(h.Get("request-id")) }

// Identifier passes short plain identifiers and nothing else, since codes and
// ids are logged and a broken service may put anything there.
func Identifier(s string) string {
	if len(s) > 80 {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; !ascii.Alphanumeric(c) && !strings.ContainsRune("-._", rune(c)) {
			return ""
		}
	}
	return s
}

// ErrorIn makes the error of a success that holds one: value is the member "error" of its body.
func ErrorIn(resp *http.Response, value []byte, at Situation) *Error {
	return newError(resp, faultOf(value), at)
}
