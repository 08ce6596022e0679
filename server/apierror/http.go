package apierror

import (
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
)

// StatusClientClosed is the status of a request that its client cancelled; nobody reads it but logs.
const StatusClientClosed = 499

// HTTPStatus is the REST status of an error: that of its code (google.rpc.Code's table) but for reasons that HTTP has a
// better word for.
func HTTPStatus(st *status.Status) int {
	switch reasons.Parse(Reason(st)) { //nolint:exhaustive // the others have the status of their code
	case parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED:
		return http.StatusBadGateway
	case parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED, parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED:
		return http.StatusPaymentRequired
	case parleyv1.ErrorReason_ERROR_REASON_METHOD_NOT_ALLOWED:
		return http.StatusMethodNotAllowed
	case parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED:
		return http.StatusGatewayTimeout
	}
	switch st.Code() {
	case codes.OK:
		return http.StatusOK
	case codes.Canceled:
		return StatusClientClosed
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
