package apierror_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

func TestStatusCarriesTheDetailsOfTheError(t *testing.T) {
	t.Parallel()
	f := &apierror.Error{
		Code: codes.Unavailable, Reason: parleyv1.ErrorReason_ERROR_REASON_OVERLOADED, Message: "words", Field: "parent", RetryAfter: 1500 * time.Millisecond,
		Fields: []apierror.Violation{{Field: "view", Description: "odd"}}, Meta: map[string]string{"a": "1", "b": ""},
	}
	st := f.GRPCStatus()
	if st.Code() != codes.Unavailable || st.Message() != "parent: words" {
		t.Errorf("%v %q", st.Code(), st.Message())
	}
	want := &errdetails.ErrorInfo{Reason: "OVERLOADED", Domain: apierror.Domain, Metadata: map[string]string{"a": "1"}}
	if diff := cmp.Diff(want, apierror.Info(st), protocmp.Transform()); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	if got := apierror.RetryDelay(st); got != 1500*time.Millisecond {
		t.Errorf("retry %v", got)
	}
	if len(st.Details()) != 3 {
		t.Errorf("details %v", st.Details())
	}
	// The error itself is what grpc sends.
	if got := status.Code(f); got != codes.Unavailable {
		t.Errorf("code of the error %v", got)
	}
}

func TestFirstResumeTokenStays(t *testing.T) {
	t.Parallel()
	st := apierror.Invalid("parent", "odd").GRPCStatus()
	with := apierror.WithResumeToken(st, "t1")
	if apierror.Info(with).GetMetadata()[apierror.MetaResumeToken] != "t1" || len(with.Details()) != len(st.Details()) || with.Message() != st.Message() {
		t.Errorf("%v", with.Proto())
	}
	if again := apierror.WithResumeToken(with, "t2"); apierror.Info(again).GetMetadata()[apierror.MetaResumeToken] != "t1" {
		t.Error("a token was replaced")
	}
	if apierror.Info(st).GetMetadata()[apierror.MetaResumeToken] != "" {
		t.Error("the status itself was changed")
	}
	if bare := status.New(codes.Internal, "x"); apierror.WithResumeToken(bare, "t") != bare {
		t.Error("a status without info was changed")
	}
}

func TestLibraryErrorsGetReasonAndText(t *testing.T) {
	t.Parallel()
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		st := apierror.Complete(status.New(code, "a library's words"))
		if apierror.Reason(st) == "" || st.Message() == "" || st.Message() == "a library's words" {
			t.Errorf("%v: %v", code, st.Proto())
		}
		if got := apierror.HTTPStatus(st); got < 400 {
			t.Errorf("%v is HTTP %d", code, got)
		}
	}
	own := apierror.Invalid("a", "b").GRPCStatus()
	if apierror.Complete(own) != own {
		t.Error("a complete status was changed")
	}
	if apierror.HTTPStatus(status.New(codes.OK, "")) != http.StatusOK {
		t.Error("OK is no error")
	}
}

// TestRenamedFieldsKeepTheirPaths: fields get their other names in violations and in the message, those below them keep their paths.
func TestRenamedFieldsKeepTheirPaths(t *testing.T) {
	t.Parallel()
	names := map[string]string{"page_size": "pageSize", "sources": "source"}
	rename := func(field string) string {
		if other := names[field]; other != "" {
			return other
		}
		return field
	}
	st := (&apierror.Error{
		Code: codes.InvalidArgument, Reason: parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, Field: "page_size", Message: "odd", RetryAfter: time.Second,
		Fields: []apierror.Violation{{Field: "sources[2]", Description: "odd"}, {Field: "parent", Description: "page_size: odd"}},
	}).GRPCStatus()
	got := apierror.Renamed(st, rename)
	want := (&apierror.Error{
		Code: codes.InvalidArgument, Reason: parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, Field: "pageSize", Message: "odd", RetryAfter: time.Second,
		Fields: []apierror.Violation{{Field: "source[2]", Description: "odd"}, {Field: "parent", Description: "page_size: odd"}},
	}).GRPCStatus()
	if diff := cmp.Diff(want.Proto(), got.Proto(), protocmp.Transform()); diff != "" {
		t.Errorf("renamed (-want +got):\n%s", diff)
	}
	if same := apierror.Renamed(st, func(field string) string { return field }); same != st {
		t.Error("a status without other names was changed")
	}
	if bare := status.New(codes.Internal, "page_size: x"); apierror.Renamed(bare, rename) != bare {
		t.Error("a status without violations was changed")
	}
}
