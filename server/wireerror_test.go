package server_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/server/apierror"
)

// wireViolation is a bad field.
type wireViolation struct {
	Field string `json:"field"`
}

// wireError is an error as JSON.
type wireError struct {
	Code    int    `json:"code"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Details []struct {
		Type            string            `json:"@type"`
		Reason          string            `json:"reason"`
		Domain          string            `json:"domain"`
		Metadata        map[string]string `json:"metadata"`
		FieldViolations []wireViolation   `json:"fieldViolations"`
		RetryDelay      string            `json:"retryDelay"`
	} `json:"details"`
}

func parseError(t *testing.T, text string) wireError {
	t.Helper()
	var e wireError
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("not an error: %v: %s", err, text)
	}
	if e.Reason != e.reason() || e.Status != code.Code(e.Code).String() || e.Code == 0 || e.Details == nil {
		t.Errorf("parts of an error do not agree: %s", text)
	}
	return e
}

func (e *wireError) reason() string {
	for _, d := range e.Details {
		if d.Domain == apierror.Domain {
			return d.Reason
		}
	}
	return ""
}

func (e *wireError) meta(key string) string {
	for _, d := range e.Details {
		if d.Domain == apierror.Domain {
			return d.Metadata[key]
		}
	}
	return ""
}

func (e *wireError) fields() []string {
	var fields []string
	for _, d := range e.Details {
		for _, v := range d.FieldViolations {
			fields = append(fields, v.Field)
		}
	}
	return fields
}

// fieldsOf are the bad fields in a gRPC error.
func fieldsOf(err error) []string {
	var fields []string
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				fields = append(fields, v.GetField())
			}
		}
	}
	return fields
}
