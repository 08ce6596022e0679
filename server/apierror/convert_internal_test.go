package apierror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/timeline/failure"
)

// secret stands for whatever Graph or a library may say; it must never come out.
const secret = "the-secret-text"

// graphErr is a failure of Graph with all facts set.
func graphErr(kind graph.Kind, httpStatus int) *graph.Error {
	return &graph.Error{Kind: kind, Status: httpStatus, Code: "Code" + strconv.Itoa(httpStatus), RequestID: "req-1", Err: errors.New(secret)}
}

// TestErrorsBecomeThoseOfTheContract walks through the contract's table of errors, row by row.
func TestErrorsBecomeThoseOfTheContract(t *testing.T) {
	t.Parallel()
	forbidden := graphErr(graph.KindForbidden, 403)
	forbidden.Roles = []string{"Chat.Read.All", "Chat.ReadWrite.All"}
	throttled := graphErr(graph.KindThrottled, 429)
	throttled.RetryAfter = 30 * time.Second
	unpaced := graphErr(graph.KindThrottled, 429)
	facts := func(httpStatus int, more ...string) map[string]string {
		m := map[string]string{MetaGraphStatus: strconv.Itoa(httpStatus), MetaGraphCode: "Code" + strconv.Itoa(httpStatus), MetaGraphRequestID: "req-1"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	const call, copilot = parleyv1.Source_SOURCE_CALL, parleyv1.Source_SOURCE_COPILOT
	tests := []struct {
		name   string
		err    error
		code   codes.Code
		reason string
		http   int
		retry  time.Duration
		meta   map[string]string
		field  string
	}{
		{"400", graphErr(graph.KindBadRequest, 400), codes.Internal, "GRAPH_REJECTED_REQUEST", 500, 0, facts(400), ""},
		{"401", graphErr(graph.KindCredential, 401), codes.FailedPrecondition, "GRAPH_CREDENTIAL_REJECTED", http.StatusBadGateway, 0, facts(401), ""},
		{"402", graphErr(graph.KindPaymentRequired, 402), codes.FailedPrecondition, "PAYMENT_REQUIRED", http.StatusPaymentRequired, 0, facts(402), ""},
		{"403 with roles", forbidden, codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403, MetaRoles, "Chat.Read.All,Chat.ReadWrite.All"), ""},
		{"402 of the tenant", graphErr(graph.KindTenantNotLicensed, 402), codes.FailedPrecondition, "TENANT_NOT_LICENSED", http.StatusPaymentRequired, 0, facts(402), ""},
		{"402 of a user", graphErr(graph.KindUserNotLicensed, 402), codes.PermissionDenied, "USER_NOT_LICENSED", 403, 0, facts(402), ""},
		{"403 of a user's role", graphErr(graph.KindUserRole, 403), codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403, MetaUserRoles, strings.Join(graph.ReportRoles(), ",")), ""},
		{"403 of one chat", graphErr(graph.KindAccessDenied, 403), codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403), ""},
		{"403 without a reason", graphErr(graph.KindRefused, 403), codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403), ""},
		{"404 of an own link", graphErr(graph.KindLinkNotFound, 404), codes.Unavailable, "GRAPH_LINK_NOT_FOUND", 503, retryLater, facts(404), ""},
		{"no login service", &graph.Error{Kind: graph.KindLoginUnavailable, Cause: graph.CauseDNS}, codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, map[string]string{MetaCause: "dns"}, ""},
		{"403 of the Copilot history", WithSource(copilot, graphErr(graph.KindUserRefused, 403)), codes.PermissionDenied, "USER_NOT_LICENSED", 403, 0, facts(403), ""},
		{"404", graphErr(graph.KindNotFound, 404), codes.NotFound, "NOT_FOUND", 404, 0, facts(404), ""},
		{"404 of a call", WithSource(call, graphErr(graph.KindNotFound, 404)), codes.NotFound, "CALL_RECORD_UNAVAILABLE", 404, 0, facts(404), ""},
		{"410", graphErr(graph.KindGone, 410), codes.Internal, "GRAPH_REJECTED_REQUEST", 500, 0, facts(410), ""},
		{"429", throttled, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, 30 * time.Second, facts(429), ""},
		{"429 without a time", unpaced, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, retryLater, facts(429), ""},
		{"503", graphErr(graph.KindUnavailable, 503), codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, facts(503), ""},
		{"no answer", &graph.Error{Kind: graph.KindUnavailable}, codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, nil, ""},
		{"malformed", graphErr(graph.KindMalformed, 200), codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, facts(200), ""},
		{"too large", graphErr(graph.KindTooLarge, 200), codes.Unavailable, "GRAPH_UNAVAILABLE", 503, 0, facts(200), ""},
		{"another host", &graph.Error{Kind: graph.KindLinkRefused}, codes.Internal, "GRAPH_LINK_REFUSED", 500, 0, nil, ""},
		{"an odd status", graphErr(graph.KindUnexpected, 418), codes.Internal, "GRAPH_REJECTED_REQUEST", 500, 0, facts(418), ""},
		{"our own mistake", &graph.Error{Kind: graph.KindUnexpected}, codes.Internal, "INTERNAL", 500, 0, nil, ""},
		{"a loop", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}, codes.DataLoss, "PAGING_LOOP", 500, 0, nil, ""},
		{"rows outside", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED}, codes.DataLoss, "INTERVAL_NOT_HONOURED", 500, 0, nil, ""},
		{"not in this cloud", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD}, codes.FailedPrecondition, "SOURCE_NOT_IN_CLOUD", 400, 0, nil, ""},
		{"every source", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, Err: throttled}, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, 30 * time.Second, facts(429), ""},
		{"a token", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED, Field: "page_token", Message: "begin again"}, codes.InvalidArgument, "TOKEN_REFUSED", 400, 0, nil, "page_token"},
		{"a token of another version", failure.TokenVersion("resume_token"), codes.InvalidArgument, "TOKEN_VERSION", 400, 0, nil, "resume_token"},
		{"an interval", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, Field: "end_time", Message: "must lie after start_time"}, codes.InvalidArgument, "INVALID_ARGUMENT", 400, 0, nil, "end_time"},
		{"a name", &resource.Error{Field: "parent", Problem: "is empty", Fix: "give one"}, codes.InvalidArgument, "INVALID_ARGUMENT", 400, 0, nil, "parent"},
		{"overloaded", &Error{Code: codes.Unavailable, Reason: parleyv1.ErrorReason_ERROR_REASON_OVERLOADED, RetryAfter: time.Second}, codes.Unavailable, "OVERLOADED", 503, time.Second, nil, ""},
		{"stopping", ForReason(parleyv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN), codes.Unavailable, "SHUTTING_DOWN", 503, retrySoon, nil, ""},
		{"only if cached", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED, Err: cache.ErrNotCached}, codes.FailedPrecondition, "NOT_CACHED", http.StatusGatewayTimeout, 0, nil, ""},
		{"cancelled", fmt.Errorf("%s: %w", secret, context.Canceled), codes.Canceled, "CANCELLED", StatusClientClosed, 0, nil, ""},
		{"cancelled in Graph", &graph.Error{Kind: graph.KindCanceled, Err: context.Canceled}, codes.Canceled, "CANCELLED", StatusClientClosed, 0, nil, ""},
		{"too late", fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), codes.DeadlineExceeded, "DEADLINE_EXCEEDED", 504, 0, nil, ""},
		{"too late in Graph", &graph.Error{Kind: graph.KindCanceled, Err: context.DeadlineExceeded}, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", 504, 0, nil, ""},
		{"anything else", errors.New(secret), codes.Internal, "INTERNAL", 500, 0, nil, ""},
		{"a library's status", status.Error(codes.Internal, secret), codes.Internal, "INTERNAL", 500, 0, nil, ""},
		{
			"a stream", &failure.StreamError{Err: throttled, ResumeToken: "tok"}, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, 30 * time.Second,
			facts(429, MetaResumeToken, "tok"), "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st := FromError(tt.err)
			if st.Code() != tt.code || Reason(st) != tt.reason {
				t.Errorf("%v %s, want %v %s", st.Code(), Reason(st), tt.code, tt.reason)
			}
			if got := HTTPStatus(st); got != tt.http {
				t.Errorf("HTTP status %d, want %d", got, tt.http)
			}
			if got := RetryDelay(st); got != tt.retry {
				t.Errorf("retry after %v, want %v", got, tt.retry)
			}
			if diff := cmp.Diff(tt.meta, Info(st).GetMetadata()); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
			if tt.field != "" && !strings.HasPrefix(st.Message(), tt.field+": ") {
				t.Errorf("message %q does not name %s", st.Message(), tt.field)
			}
			if strings.Contains(st.Proto().String(), secret) {
				t.Errorf("a foreign text came out: %v", st.Proto())
			}
			if st.Message() == "" && tt.name != "overloaded" {
				t.Error("no message")
			}
		})
	}
	if FromError(nil) != nil {
		t.Error("no error became one")
	}
}

// TestEveryReasonHasARow keeps the table complete: an error whose reason has no row, or a row without code, would become INTERNAL.
func TestEveryReasonHasARow(t *testing.T) {
	t.Parallel()
	for number := range parleyv1.ErrorReason_name {
		reason := parleyv1.ErrorReason(number)
		r, ok := table[reason]
		if ok == (reason == parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED) {
			t.Errorf("%v: there is a row: %v", reason, ok)
		}
		if f := ForReason(reason); ok && r.text != "" && (f.Message != r.text || f.Code != r.code || r.code == codes.OK || f.RetryAfter != r.retry) {
			t.Errorf("%v becomes %v %q", reason, f.Code, f.Message)
		}
	}
	// What sources and gaps fail for has a text of its own when it becomes an error.
	for reason, r := range table {
		if r.inAnswers && r.code != codes.OK && r.text == "" && reason != parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED {
			t.Errorf("%v has no text", reason)
		}
	}
}

// TestUnusableAnswersAreCounted checks that the text speaks of repeated requests only where there were some.
func TestUnusableAnswersAreCounted(t *testing.T) {
	t.Parallel()
	for requests, want := range map[int]string{
		0: "Graph did not give a usable answer",
		1: "Graph did not give a usable answer",
		4: "Graph did not give a usable answer, repeated requests included",
	} {
		err := graphErr(graph.KindUnavailable, 200)
		err.Requests = requests
		if got := FromError(&failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, Err: err}).Message(); got != want {
			t.Errorf("%d requests: %q", requests, got)
		}
	}
}
