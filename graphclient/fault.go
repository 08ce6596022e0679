package graphclient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
)

// fault is what a Graph error body says.
type fault struct {
	code, message, innerCode, requestID, status string
}

const maxFaultDepth = 8

// parseFault reads {"error":{…}}. Anything else, HTML included, gives a zero
// fault: the status decides then.
func parseFault(body []byte) fault {
	for name, value := range members(trimBOM(body)) {
		if strings.EqualFold(name, keyError) {
			return faultOf(value)
		}
	}
	return fault{}
}

// faultOf reads the value of "error". Graph spells innerError in two ways and
// nests it; the deepest code is the most specific one.
func faultOf(value []byte) fault {
	var f fault
	for depth := 0; len(value) > 0 && depth < maxFaultDepth; depth++ {
		var inner []byte
		for name, v := range members(value) {
			text := scalar(v)
			switch strings.ToLower(name) {
			case "code":
				if depth == 0 {
					f.code = text
				} else if text != "" {
					f.innerCode = text
				}
			case "message":
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

// kindOfStatus maps an HTTP status that is not a success.
func kindOfStatus(status int) Kind {
	switch status {
	case http.StatusBadRequest:
		return KindBadRequest
	case http.StatusUnauthorized:
		return KindCredential
	case http.StatusPaymentRequired:
		return KindPaymentRequired
	case http.StatusForbidden:
		return KindForbidden
	case http.StatusNotFound:
		return KindNotFound
	case http.StatusGone:
		return KindGone
	case http.StatusTooManyRequests, 509: // 509 = bandwidth limit exceeded
		return KindThrottled
	case http.StatusRequestTimeout:
		return KindUnavailable
	}
	if status >= http.StatusInternalServerError {
		return KindUnavailable
	}
	return KindUnexpected
}

// kindOfCode maps the code of an error that came with status 200. One that is not known to be final is a broken answer, which
// may be whole the next time.
func kindOfCode(f fault) Kind {
	for _, status := range []string{f.status, f.code} {
		if n, err := strconv.Atoi(status); err == nil && n >= http.StatusBadRequest {
			return kindOfStatus(n)
		}
	}
	switch strings.ToLower(f.code) {
	case "badrequest", "invalidrequest", "request_badrequest", "request_unsupportedquery":
		return KindBadRequest
	case "unauthorized", "invalidauthenticationtoken":
		return KindCredential
	case "paymentrequired":
		return KindPaymentRequired
	case "forbidden", "accessdenied", "authorization_requestdenied":
		return KindForbidden
	case "notfound", "itemnotfound", "resourcenotfound", "request_resourcenotfound":
		return KindNotFound
	case "gone":
		return KindGone
	case "toomanyrequests", "activitylimitreached":
		return KindThrottled
	default:
		return KindUnavailable
	}
}

// newFault makes the error of an answer: its status, headers and error body.
func newFault(resp *http.Response, f fault) *Error {
	e := &Error{
		Status:    resp.StatusCode,
		Code:      identifier(f.code),
		InnerCode: identifier(f.innerCode),
		RequestID: requestID(resp.Header),
		message:   f.message,
	}
	if e.RequestID == "" {
		e.RequestID = identifier(f.requestID)
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		e.Kind = kindOfCode(f)
		e.reason = "an error in place of the answer"
	case resp.StatusCode < 300:
		e.Kind = KindUnexpected
		e.reason = "a success without an answer"
	case resp.StatusCode < 400:
		e.Kind = KindUnexpected
		e.reason = "a redirect, which is not followed"
	default:
		e.Kind = kindOfStatus(resp.StatusCode)
	}
	if e.Kind == KindForbidden {
		e.Roles = neededRoles(f.message)
	}
	return e
}

// readFault makes the error of an answer that is no success.
func readFault(resp *http.Response) *Error {
	var f fault
	if r, err := decoded(resp); err == nil {
		if body, err := io.ReadAll(io.LimitReader(r, maxFault)); err == nil {
			f = parseFault(body)
		}
	}
	return newFault(resp, f)
}

// requestID is Graph's id of a request.
func requestID(h http.Header) string { return identifier(h.Get("request-id")) }

// identifier passes short plain identifiers and nothing else, since codes and
// ids are logged and a broken service may put anything there.
func identifier(s string) string {
	if len(s) > 80 {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("-._", rune(c)) {
			return ""
		}
	}
	return s
}

// neededRoles reads "API requires one of 'A, B'" out of a 403 message.
func neededRoles(message string) []string {
	_, rest, found := strings.Cut(message, "requires one of '")
	list, _, closed := strings.Cut(rest, "'")
	if !found || !closed {
		return nil
	}
	var roles []string
	for role := range strings.SplitSeq(list, ",") {
		if role = identifier(strings.TrimSpace(role)); role != "" && len(roles) < 32 {
			roles = append(roles, role)
		}
	}
	return roles
}

var errTryTimeout = errors.New("one try took too long")

// canceled is the error of a caller that left or whose deadline passed.
func canceled(ctx context.Context) *Error {
	return &Error{Kind: KindCanceled, Err: ctx.Err()}
}

// asError returns the *Error in err; whatever else it is was unexpected.
func asError(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	return &Error{Kind: KindUnexpected, Err: err}
}

// transportError makes the error of a request without a usable answer.
func transportError(ctx context.Context, err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	e := &Error{Kind: KindUnavailable, Err: err, reason: "connection failed"}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(context.Cause(ctx), errTryTimeout):
		e.reason = "no complete answer in time"
	case ctx.Err() != nil:
		return canceled(ctx)
	case errors.As(err, &certificate):
		e.reason, e.final = "certificate not accepted", true
	case errors.As(err, &dns):
		e.reason = "host name not resolved"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.reason = "answer was cut"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.reason = "connection reset"
	case errors.As(err, &timeout) && timeout.Timeout():
		e.reason = "timeout"
	}
	return e
}
