package interceptor

import (
	"context"

	"google.golang.org/grpc/metadata"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/requestid"
)

const headerAuthorization = "authorization"

// A readHeader is a header that decides something about a call.
type readHeader struct {
	key string // of metadata
	// list: the header may be given several times. nonEmpty: an empty value is refused, since it must not pass for an absent header.
	list, nonEmpty bool
}

var readHeaders = []readHeader{
	{key: headerAuthorization, nonEmpty: true},
	{key: callinfo.HeaderTenant, nonEmpty: true},
	{key: callinfo.HeaderReason},
	{key: callinfo.HeaderFields},
	{key: requestid.Header},
	{key: "traceparent"},
	{key: headerCacheControl, list: true},
}

// checkHeaders refuses a call with a header that cannot be carried as it was meant: one that is given twice (but for Cache-Control), that is
// empty where a value decides, or that holds anything but printable ASCII. Such a header is never taken for an absent one, since a call
// without it may mean another caller, another tenant, or no reason.
func checkHeaders(ctx context.Context) error {
	for _, header := range readHeaders {
		values := metadata.ValueFromIncomingContext(ctx, header.key)
		if len(values) > 1 && !header.list {
			return errHeader(header.key, "the header is given more than once; send it once")
		}
		for _, value := range values {
			if value == "" && header.nonEmpty {
				return errHeader(header.key, "the header is empty; give it a value, or leave it out")
			}
			if !isPrintable(value) {
				return errHeader(header.key, "the header holds a tab, a control character or a byte beyond ASCII; send printable ASCII alone")
			}
		}
	}
	return nil
}

// isPrintable reports whether a text is printable ASCII.
func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// errHeader is the error of a header that cannot be used. Without a usable Authorization the caller is unauthenticated.
func errHeader(key, problem string) error {
	if key == headerAuthorization {
		return apierror.New(parleyv1.ErrorReason_ERROR_REASON_CALLER_UNAUTHENTICATED, problem).WithField(key)
	}
	return apierror.Invalid(key, problem)
}
