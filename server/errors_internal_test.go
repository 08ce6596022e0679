package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline/failure"
)

// secret stands for whatever Graph or a library may say; it must never come out.
const secret = "the-secret-text"

// graphErr is a failure of Graph with all facts set.
func graphErr(kind graphclient.Kind, httpStatus int) *graphclient.Error {
	return &graphclient.Error{Kind: kind, Status: httpStatus, Code: "Code" + strconv.Itoa(httpStatus), RequestID: "req-1", Err: errors.New(secret)}
}

// TestErrorTable walks through the contract's table of errors, row by row.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	forbidden := graphErr(graphclient.KindForbidden, 403)
	forbidden.Roles = []string{"Chat.Read.All", "Chat.ReadWrite.All"}
	throttled := graphErr(graphclient.KindThrottled, 429)
	throttled.RetryAfter = 30 * time.Second
	unpaced := graphErr(graphclient.KindThrottled, 429)
	facts := func(httpStatus int, more ...string) map[string]string {
		m := map[string]string{apierror.MetaGraphStatus: strconv.Itoa(httpStatus), apierror.MetaGraphCode: "Code" + strconv.Itoa(httpStatus), apierror.MetaGraphRequestID: "req-1"}
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
		{"400", graphErr(graphclient.KindBadRequest, 400), codes.Internal, "GRAPH_REJECTED_REQUEST", 500, 0, facts(400), ""},
		{"401", graphErr(graphclient.KindCredential, 401), codes.FailedPrecondition, "GRAPH_CREDENTIAL_REJECTED", http.StatusBadGateway, 0, facts(401), ""},
		{"402", graphErr(graphclient.KindPaymentRequired, 402), codes.FailedPrecondition, "PAYMENT_REQUIRED", http.StatusPaymentRequired, 0, facts(402), ""},
		{"403 with roles", forbidden, codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403, apierror.MetaRoles, "Chat.Read.All,Chat.ReadWrite.All"), ""},
		{"402 of the tenant", graphErr(graphclient.KindTenantNotLicensed, 402), codes.FailedPrecondition, "TENANT_NOT_LICENSED", http.StatusPaymentRequired, 0, facts(402), ""},
		{"402 of a user", graphErr(graphclient.KindUserNotLicensed, 402), codes.PermissionDenied, "USER_NOT_LICENSED", 403, 0, facts(402), ""},
		{"403 of a user's role", graphErr(graphclient.KindUserRole, 403), codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403, apierror.MetaUserRoles, strings.Join(graphclient.ReportRoles(), ",")), ""},
		{"403 of one chat", graphErr(graphclient.KindAccessDenied, 403), codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403), ""},
		{"403 without a reason", graphErr(graphclient.KindRefused, 403), codes.PermissionDenied, "GRAPH_PERMISSION_MISSING", 403, 0, facts(403), ""},
		{"404 of an own link", graphErr(graphclient.KindLinkNotFound, 404), codes.Unavailable, "GRAPH_LINK_NOT_FOUND", 503, retryLater, facts(404), ""},
		{"no login service", &graphclient.Error{Kind: graphclient.KindLoginUnavailable, Cause: graphclient.CauseDNS}, codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, map[string]string{apierror.MetaCause: "dns"}, ""},
		{"403 of the Copilot history", of(copilot, graphErr(graphclient.KindUserRefused, 403)), codes.PermissionDenied, "USER_NOT_LICENSED", 403, 0, facts(403), ""},
		{"404", graphErr(graphclient.KindNotFound, 404), codes.NotFound, "NOT_FOUND", 404, 0, facts(404), ""},
		{"404 of a call", of(call, graphErr(graphclient.KindNotFound, 404)), codes.NotFound, "CALL_RECORD_UNAVAILABLE", 404, 0, facts(404), ""},
		{"410", graphErr(graphclient.KindGone, 410), codes.Internal, "GRAPH_REJECTED_REQUEST", 500, 0, facts(410), ""},
		{"429", throttled, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, 30 * time.Second, facts(429), ""},
		{"429 without a time", unpaced, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, retryLater, facts(429), ""},
		{"503", graphErr(graphclient.KindUnavailable, 503), codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, facts(503), ""},
		{"no answer", &graphclient.Error{Kind: graphclient.KindUnavailable}, codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, nil, ""},
		{"malformed", graphErr(graphclient.KindMalformed, 200), codes.Unavailable, "GRAPH_UNAVAILABLE", 503, retryLater, facts(200), ""},
		{"too large", graphErr(graphclient.KindTooLarge, 200), codes.Unavailable, "GRAPH_UNAVAILABLE", 503, 0, facts(200), ""},
		{"another host", &graphclient.Error{Kind: graphclient.KindLinkRefused}, codes.Internal, "GRAPH_LINK_REFUSED", 500, 0, nil, ""},
		{"an odd status", graphErr(graphclient.KindUnexpected, 418), codes.Internal, "GRAPH_REJECTED_REQUEST", 500, 0, facts(418), ""},
		{"our own mistake", &graphclient.Error{Kind: graphclient.KindUnexpected}, codes.Internal, "INTERNAL", 500, 0, nil, ""},
		{"a loop", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}, codes.DataLoss, "PAGING_LOOP", 500, 0, nil, ""},
		{"rows outside", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED}, codes.DataLoss, "INTERVAL_NOT_HONOURED", 500, 0, nil, ""},
		{"not in this cloud", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD}, codes.FailedPrecondition, "SOURCE_NOT_IN_CLOUD", 400, 0, nil, ""},
		{"every source", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, Err: throttled}, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, 30 * time.Second, facts(429), ""},
		{"a token", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED, Field: "page_token", Message: "begin again"}, codes.InvalidArgument, "TOKEN_REFUSED", 400, 0, nil, "page_token"},
		{"an interval", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, Field: "end_time", Message: "must lie after start_time"}, codes.InvalidArgument, "INVALID_ARGUMENT", 400, 0, nil, "end_time"},
		{"a name", &resource.Error{Field: "parent", Problem: "is empty", Fix: "give one"}, codes.InvalidArgument, "INVALID_ARGUMENT", 400, 0, nil, "parent"},
		{"overloaded", &apierror.Error{Code: codes.Unavailable, Reason: parleyv1.ErrorReason_ERROR_REASON_OVERLOADED, RetryAfter: time.Second}, codes.Unavailable, "OVERLOADED", 503, time.Second, nil, ""},
		{"stopping", errShuttingDown(), codes.Unavailable, "SHUTTING_DOWN", 503, retrySoon, nil, ""},
		{"only if cached", &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED, Err: cache.ErrNotCached}, codes.FailedPrecondition, "NOT_CACHED", http.StatusGatewayTimeout, 0, nil, ""},
		{"cancelled", fmt.Errorf("%s: %w", secret, context.Canceled), codes.Canceled, "CANCELLED", apierror.StatusClientClosed, 0, nil, ""},
		{"cancelled in Graph", &graphclient.Error{Kind: graphclient.KindCanceled, Err: context.Canceled}, codes.Canceled, "CANCELLED", apierror.StatusClientClosed, 0, nil, ""},
		{"too late", fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), codes.DeadlineExceeded, "DEADLINE_EXCEEDED", 504, 0, nil, ""},
		{"too late in Graph", &graphclient.Error{Kind: graphclient.KindCanceled, Err: context.DeadlineExceeded}, codes.DeadlineExceeded, "DEADLINE_EXCEEDED", 504, 0, nil, ""},
		{"anything else", errors.New(secret), codes.Internal, "INTERNAL", 500, 0, nil, ""},
		{"a library's status", status.Error(codes.Internal, secret), codes.Internal, "INTERNAL", 500, 0, nil, ""},
		{
			"a stream", &failure.StreamError{Err: throttled, ResumeToken: "tok"}, codes.ResourceExhausted, "GRAPH_THROTTLED", 429, 30 * time.Second,
			facts(429, apierror.MetaResumeToken, "tok"), "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st := toStatus(tt.err)
			if st.Code() != tt.code || apierror.Reason(st) != tt.reason {
				t.Errorf("%v %s, want %v %s", st.Code(), apierror.Reason(st), tt.code, tt.reason)
			}
			if got := apierror.HTTPStatus(st); got != tt.http {
				t.Errorf("HTTP status %d, want %d", got, tt.http)
			}
			if got := apierror.RetryDelay(st); got != tt.retry {
				t.Errorf("retry after %v, want %v", got, tt.retry)
			}
			if diff := cmp.Diff(tt.meta, apierror.Info(st).GetMetadata()); diff != "" {
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
	if toStatus(nil) != nil {
		t.Error("no error became one")
	}
}

// TestEveryReasonHasARow keeps the table complete: a reason of the timeline without a row would become INTERNAL.
func TestEveryReasonHasARow(t *testing.T) {
	t.Parallel()
	for _, reason := range []parleyv1.ErrorReason{
		parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED, parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD, parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING,
		parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED, parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED, parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED, parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND,
		parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST, parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED,
		parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP, parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED, parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT, parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION,
		parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES, parleyv1.ErrorReason_ERROR_REASON_SEVERAL_DOUBTS, parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED, parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT,
	} {
		if _, ok := verdicts[reason]; !ok {
			t.Errorf("%s has no row", reason)
		}
	}
	for reason := range maps.Keys(verdicts) {
		if f := ofReason(reason); f.Message == "" || f.Code == codes.OK {
			t.Errorf("%s has an empty row", reason)
		}
	}
}

// TestChainOrder fixes the order of the interceptors: each link relies on those before it.
func TestChainOrder(t *testing.T) {
	t.Parallel()
	s := &Server{drain: newDrainer()}
	s.limits = newLimits(&s.cfg, s.drain)
	all := []string{
		"places", "request id", "metrics", "recovery", "logging", "errors", "headers", "identity", "audit", "recheck", "deadline", "limits", "freshness", "validation",
	}
	for door, want := range map[string][]string{
		doorGRPC: append([]string{"arrival"}, all...),
		doorREST: append(slices.Clone(all), "conditional"),
	} {
		links, err := s.chain(door)
		if err != nil {
			t.Fatal(err)
		}
		got, unaryAlone, streamAlone := make([]string, 0, len(links)), 0, 0
		for _, l := range links {
			got = append(got, l.name)
			if l.stream == nil {
				unaryAlone++
			}
			if l.unary == nil {
				streamAlone++
			}
			onlyUnary := l.name == "deadline" || l.name == "conditional"
			if (l.unary == nil) != (l.name == "recheck") || (l.stream == nil) != onlyUnary {
				t.Errorf("%s has not the forms that it should have", l.name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: order (-want +got):\n%s", door, diff)
		}
		if len(links.unary()) != len(want)-streamAlone || len(links.stream()) != len(want)-unaryAlone {
			t.Errorf("%s: %d and %d interceptors", door, len(links.unary()), len(links.stream()))
		}
	}
}

func TestParseControl(t *testing.T) {
	t.Parallel()
	minute := time.Minute
	tests := []struct {
		text string
		want cache.Control
		bad  bool
	}{
		{text: "no-cache", want: cache.Control{NoCache: true}},
		{text: `only-if-cached, max-age="60"`, want: cache.Control{OnlyIfCached: true, MaxAge: &minute}},
		{text: "No-Cache ,max-stale=5,", want: cache.Control{NoCache: true}},
		{text: "max-age=soon", bad: true},
		{text: "max-age", bad: true},
		{text: "max-age=-1", bad: true},
		{text: "max-age=99999999999999", bad: true},
	}
	for _, tt := range tests {
		got, err := parseControl(tt.text)
		if (err != nil) != tt.bad {
			t.Errorf("%q: error %v", tt.text, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); !tt.bad && diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.text, diff)
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
		err := graphErr(graphclient.KindUnavailable, 200)
		err.Requests = requests
		if got := toStatus(&failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE, Err: err}).Message(); got != want {
			t.Errorf("%d requests: %q", requests, got)
		}
	}
}
