package rest

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/reflect/protoregistry"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// FuzzDecodePath checks that what comes through is as many segments as were sent, none of which reads as another path.
func FuzzDecodePath(f *testing.F) {
	for _, seed := range []string{
		"/v1/users/u/events", "/v1/users//events", "/v1/users/a%2Fb/events", "/v1/users/%2e%2e/events", "/v1/users/a%252Fb",
		"/v1/users/19%3Ax%40thread.v2/events:stream", "/%", "", "/v1/users/%ff", "/v1/users/a%5cb", "/v1/users/~YWJj/events",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		path, err := decodePath(escaped)
		if err != nil {
			var bad *apierror.Error
			if !errors.As(err, &bad) || bad.Field == "" || bad.Reason != parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT {
				t.Fatalf("error %v names no field", err)
			}
			if !utf8.ValidString(bad.Message) {
				t.Fatalf("message %q", bad.Message)
			}
			return
		}
		sent, got := strings.Split(escaped, "/"), strings.Split(path, "/")
		if len(sent) != len(got) {
			t.Fatalf("%q has %d segments, %q has %d", escaped, len(sent), path, len(got))
		}
		for i, segment := range got[1:] {
			once, err := url.PathUnescape(sent[i+1])
			if err != nil || strings.ReplaceAll(once, "%", "%25") != segment {
				t.Fatalf("%q was decoded to %q", sent[i+1], segment)
			}
			twice, err := url.PathUnescape(segment)
			if err != nil || twice != once {
				t.Fatalf("%q is read again as %q, not %q", segment, twice, once)
			}
			if once == ".." || once == "." || strings.ContainsAny(once, "/\\\x00") || once == "" && i < len(got)-2 {
				t.Fatalf("%q came through as %q", escaped, once)
			}
		}
	})
}

// FuzzQuery checks that whatever passes the check can be read by the gateway too, so that its own errors never show.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"page_size=1", "pageSize=-1&sources=SOURCE_CHAT&sources=3", "start_time=2026-11-02T12:00:00.1234567Z", "view=EVENT_VIEW_FULL",
		"a=b", "start_time=null", "filter=%22&order_by=x", "sources[0]=1", "parent=x", "endTime=0001-01-01T00:00:00Z", "page_size=1;2",
	} {
		f.Add(seed)
	}
	methods, err := findMethods()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for template, m := range methods {
			values, err := parseQuery(raw)
			if err == nil {
				_, err = m.checkQuery(values, false)
			}
			if err != nil {
				var bad *apierror.Error
				if !errors.As(err, &bad) || bad.Field == "" {
					t.Fatalf("%s: error %v names no field", template, err)
				}
				continue
			}
			request, err := protoregistry.GlobalTypes.FindMessageByName(m.request.FullName())
			if err != nil {
				t.Fatal(err)
			}
			if err := runtime.PopulateQueryParameters(request.New().Interface(), values, utilities.NewDoubleArray(nil)); err != nil {
				t.Fatalf("%s?%s passed the check, but: %v", template, raw, err)
			}
		}
	})
}

// TestTheseAreThePathsOfTheAPI lists every path of the API: a new method appears here.
func TestTheseAreThePathsOfTheAPI(t *testing.T) {
	t.Parallel()
	methods, err := findMethods()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for template, m := range methods {
		switch {
		case m.download:
			got[template] = "download"
		case m.stream:
			got[template] = "stream"
		default:
			got[template] = "call"
		}
	}
	want := map[string]string{
		"/v1/copilotUsage": "call", "/v1/copilotUsage:stream": "stream", "/v1/copilotUsage:summarize": "call", "/v1/copilotUsageTrends": "call", "/v1/copilotUsage:download": "download", "/v1/users": "call",
		"/v1:streamTenantEvents":             "stream",
		"/v1/{name=users/*}":                 "call",
		"/v1/{parent=users/*}/conversations": "call", "/v1/{parent=users/*}/conversations:stream": "stream",
		"/v1/{name=users/*/conversations/*}": "call", "/v1/{parent=users/*}/events": "call", "/v1/{parent=users/*}/events:stream": "stream",
		"/v1/{parent=users/*/conversations/*}/events": "call", "/v1/{parent=users/*/conversations/*}/events:stream": "stream",
		"/v1/{name=users/*/events/*}": "call", "/v1/{name=users/*/events/*/hostedContents/*}:download": "download",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

// TestAVariableWithoutAShapeIsOneSegment: a variable without a shape is one segment, as the mux writes it.
func TestAVariableWithoutAShapeIsOneSegment(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"/v1/{name}:read": "/v1/{name=*}:read", "/v1/{a}/x/{b=c/*}": "/v1/{a=*}/x/{b=c/*}", "/v1/x": "/v1/x",
	} {
		if got := variable.ReplaceAllStringFunc(template, withShape); got != want {
			t.Errorf("%s is %s, want %s", template, got, want)
		}
	}
}
