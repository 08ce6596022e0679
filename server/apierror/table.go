package apierror

import (
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// row says what a reason means on the wire.
type row struct {
	// code is the code of a call that fails for this reason; OK = no call does, the reason is one of gaps alone.
	code codes.Code
	// http is the REST status where HTTP has a better one than the code's; 0 = the code's.
	http int
	// retry is how long a caller should wait before repeating when nothing better is known; 0 = none is sent, mostly since
	// repeating does not help; lifetime.ErrStreamEnded says "at once" by itself.
	retry time.Duration
	// text says what happened when nothing better is known; empty where every error of this reason has words of its own.
	text string
	// help says what to do. The proto's comment of the reason ends with the same words.
	help string
	// inAnswers is true for a reason that also appears within answers: as the reason of a gap or of the state of a source.
	inAnswers bool
}

const (
	retrySoon  = time.Second
	retryLater = 10 * time.Second
)

// table has a row for each reason. The errors of the contract are made of it, and so is the reference in docs/errors.md. It holds
// no text of Graph's.
//
// To add a reason: add its value to error_reason.proto, with a comment whose last paragraph is the help of the row; add the row here;
// and run `make generate`. A reason that is in answers also needs its words in timeline/failure/explain.go. docs/development.md has all
// steps.
var table = map[parleyv1.ErrorReason]row{
	// About the request.

	parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT: {
		code: codes.InvalidArgument,
		text: "the request is not valid",
		help: "Correct the field.",
	},
	parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED: {
		code: codes.InvalidArgument,
		text: "the token is not of this request; begin without it",
		help: "Begin again without it.",
	},
	parleyv1.ErrorReason_ERROR_REASON_TOKEN_VERSION: {
		code: codes.InvalidArgument,
		help: "Begin again without it, from the last stored `settled_until` on; while an upgrade runs, repeat the call first, since another replica may read it.",
	},
	parleyv1.ErrorReason_ERROR_REASON_TENANT_REQUIRED: {
		code: codes.InvalidArgument,
		text: "name a configured tenant by its alias in this header",
		help: "Set `parley-tenant`.",
	},
	parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED: {
		code: codes.FailedPrecondition, inAnswers: true,
		help: "Name the user by object id.",
	},
	parleyv1.ErrorReason_ERROR_REASON_METHOD_NOT_ALLOWED: {
		code: codes.Unimplemented, http: http.StatusMethodNotAllowed,
		text: "this path does not have this method",
		help: "Use a method that `Allow` lists.",
	},
	parleyv1.ErrorReason_ERROR_REASON_UNIMPLEMENTED: {
		code: codes.Unimplemented,
		text: "there is no such method",
		help: "Generate the client from this gateway's `/descriptor.binpb`.",
	},
	parleyv1.ErrorReason_ERROR_REASON_MESSAGE_TOO_LARGE: {
		code: codes.ResourceExhausted,
		text: "the message is larger than the receiver accepts",
		help: "Raise the client's receive limit: `GetEvent` returns the whole event, whatever its size.",
	},
	parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED: {
		code: codes.FailedPrecondition, http: http.StatusGatewayTimeout,
		text: "only-if-cached was asked and the cache does not hold all of it",
		help: "Ask without it.",
	},

	// About what was asked for.

	parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND: {
		code: codes.NotFound, inAnswers: true,
		text: "there is no such resource, or the named user has no part in it",
		help: "Check the name.",
	},
	parleyv1.ErrorReason_ERROR_REASON_CALL_RECORD_UNAVAILABLE: {
		code: codes.NotFound,
		text: "there is no such call record, or the named user has no part in it; records appear up to an hour or more after " +
			"the call and are kept for 30 days",
		help: "Ask for a new call again after an hour.",
	},
	parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD: {
		code: codes.FailedPrecondition, inAnswers: true,
		text: "the source does not exist in the configured cloud",
		help: "Name only sources that the cloud has.",
	},
	parleyv1.ErrorReason_ERROR_REASON_IDENTITIES_CONCEALED: {
		code: codes.FailedPrecondition,
		text: "the tenant conceals names in reports, so nothing can be said of one user; an administrator can change that in " +
			"the Microsoft 365 admin centre",
		help: "Ask without user names in `filter` and without `include`; an administrator can show the names in the Microsoft 365 admin centre.",
	},

	// About the caller.

	parleyv1.ErrorReason_ERROR_REASON_CALLER_UNAUTHENTICATED: {
		code: codes.Unauthenticated,
		help: "Sign in again; repeat the call if there is a `RetryInfo`.",
	},
	parleyv1.ErrorReason_ERROR_REASON_ISSUER_UNAVAILABLE: {
		code: codes.Unavailable, retry: retrySoon,
		text: "the token cannot be checked, since the keys of its issuer are out of reach; the same token may be accepted later",
		help: "Repeat the call after `RetryInfo`.",
	},
	parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED: {
		code: codes.PermissionDenied,
		text: "no rule of the gateway's policy allows this caller this method with these sources, this view and this user in " +
			"this tenant",
		help: "Ask for less, or ask the operator for access.",
	},
	parleyv1.ErrorReason_ERROR_REASON_DELEGATION_UNAVAILABLE: {
		code: codes.PermissionDenied,
		help: "Ask for chats, one chat's events or usage; sign in as a user; or ask the operator for access.",
	},
	parleyv1.ErrorReason_ERROR_REASON_CONSENT_REQUIRED: {
		code: codes.PermissionDenied, inAnswers: true,
		text: "Graph is asked on behalf of the user here, and neither the user nor an administrator has consented to the " +
			"delegated permissions of the gateway's application (Chat.Read, for usage Reports.Read.All); consent in Entra ID," +
			" then call again",
		help: "Consent in Entra ID, then call again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_SIGN_IN_REQUIRED: {
		code: codes.Unauthenticated, inAnswers: true,
		text: "Graph is asked on behalf of the user here, and Entra ID does not exchange this token for one of Graph; sign in " +
			"again, for the application id of the gateway itself, and with the claims in the metadata if there are any",
		help: "Sign in again for the gateway's own application, with `claims` if there are any.",
	},
	parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT: {
		code: codes.ResourceExhausted, retry: retryLater, inAnswers: true,
		text: "this caller's requests to Graph are used up until midnight UTC",
		help: "Repeat the call after `RetryInfo`; resume a stream the next day.",
	},

	// About the gateway.

	parleyv1.ErrorReason_ERROR_REASON_OVERLOADED: {
		code: codes.Unavailable, retry: retrySoon,
		help: "Repeat the call after `RetryInfo`, or on another replica.",
	},
	parleyv1.ErrorReason_ERROR_REASON_AUDIT_UNAVAILABLE: {
		code: codes.Unavailable, retry: retryLater,
		text: "the call could not be recorded, so it was not made",
		help: "Repeat the call after `RetryInfo`, or on another replica; the operator makes room for the log.",
	},
	parleyv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN: {
		code: codes.Unavailable, retry: retrySoon,
		text: "the gateway is stopping; go on from the resume token, if there is one",
		help: "Repeat the call at once, on another replica.",
	},
	parleyv1.ErrorReason_ERROR_REASON_STREAM_ENDED: {
		code: codes.Unavailable,
		help: "Go on at once with the resume token, and with a new credential where the old one has ended; `RetryInfo` says 0 s.",
	},
	parleyv1.ErrorReason_ERROR_REASON_ALREADY_RUNNING: {
		code: codes.Aborted, retry: time.Minute,
		text: "the same caller runs a stream over the tenant for an equal request",
		help: "Leave the work to the other stream; or repeat the call after `RetryInfo`, if there is one, when that stream may have ended.",
	},
	parleyv1.ErrorReason_ERROR_REASON_CANCELLED: {
		code: codes.Canceled,
		text: "the call was cancelled",
		help: "Nothing.",
	},
	parleyv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED: {
		code: codes.DeadlineExceeded,
		text: "the deadline passed before the answer was complete",
		help: "Give the call more time, or ask for smaller pages.",
	},
	parleyv1.ErrorReason_ERROR_REASON_INTERNAL: {
		code: codes.Internal,
		text: "the gateway failed; the request id helps its operator",
		help: "Report it with the `x-request-id`.",
	},

	// About Microsoft Graph and Entra ID.

	parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED: {
		code: codes.ResourceExhausted, retry: retryLater, inAnswers: true,
		text: "Graph, or the gateway's own budget below Graph's limits, asks to wait longer than this call may take",
		help: "Repeat the call after `RetryInfo`; a stream that is resumed asks the source again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE: {
		code: codes.Unavailable, retry: retryLater, inAnswers: true,
		text: "Graph did not give a usable answer",
		help: "Repeat the call after `RetryInfo`; read the interval of a gap again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST: {
		code: codes.Internal, inAnswers: true,
		text: "Graph rejected the gateway's request; its request id helps Microsoft's support",
		help: "Read the interval of a gap again; report it if it stays.",
	},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED: {
		code: codes.FailedPrecondition, http: http.StatusBadGateway, inAnswers: true,
		text: "Graph or Entra ID rejected the gateway's credential; the operator has to renew or consent it",
		help: "The operator renews the credential, or consents to it.",
	},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING: {
		code: codes.PermissionDenied, inAnswers: true,
		text: "the gateway's application lacks a Graph permission for this; an administrator has to grant it in Entra ID",
		help: "An administrator grants the permission, or assigns the role, in Entra ID.",
	},
	parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED: {
		code: codes.PermissionDenied, inAnswers: true,
		text: "Graph refuses this source for this user, mostly because a licence is missing",
		help: "An administrator assigns a licence.",
	},
	parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED: {
		code: codes.FailedPrecondition, http: http.StatusPaymentRequired, inAnswers: true,
		text: "the tenant has no licence that Graph asks for here; an administrator has to buy one. It was not asked again",
		help: "An administrator buys a licence.",
	},
	parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED: {
		code: codes.FailedPrecondition, http: http.StatusPaymentRequired, inAnswers: true,
		text: "Graph asks for payment before it serves this: the evaluation is used up, or billing is not set up for the " +
			"gateway's application; an administrator has to link an Azure subscription to it, or the operator to set the " +
			"billing model (graph-model). It was not asked again",
		help: "An administrator links an Azure subscription, or the operator sets the billing model (`graph-model`).",
	},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED: {
		code: codes.Internal, inAnswers: true,
		text: "Graph gave a link to another host; it was not followed",
		help: "Read the interval of a gap again; the operator allows a report host (`graph-report-hosts`).",
	},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_NOT_FOUND: {
		code: codes.Unavailable, retry: retryLater, inAnswers: true,
		text: "Graph does not find a page to which it gave the link itself; it was read again once, in vain",
		help: "Repeat the call after `RetryInfo`; read the interval of a gap again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP: {
		code: codes.DataLoss, inAnswers: true,
		text: "Graph's pages repeat themselves; what lies behind them could not be read",
		help: "Read the interval of the gap again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED: {
		code: codes.DataLoss, inAnswers: true,
		text: "Graph answered with rows far outside the asked interval",
		help: "Nothing is lost; Graph's date filter is in doubt.",
	},
	parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED: {
		code: codes.Internal, inAnswers: true,
		text: "the source failed in a way that the gateway does not know",
		help: "Report it; the gateway's log says more.",
	},

	// Reasons of gaps: what was read is delivered, and the call goes on.

	parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT: {
		code: codes.FailedPrecondition, inAnswers: true,
		text: "the interval lies before what the source keeps",
		help: "Ask for a later start.",
	},
	parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION: {
		code: codes.DataLoss, inAnswers: true,
		text: "two readings of one part of the interval differ",
		help: "Read the interval of the gap again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES: {
		code: codes.DataLoss, inAnswers: true,
		text: "a part of the interval did not end within the page limit",
		help: "Ask for less at a time.",
	},
	parleyv1.ErrorReason_ERROR_REASON_SEVERAL_DOUBTS: {
		code: codes.DataLoss, inAnswers: true,
		text: "several parts of the interval could not be read",
		help: "Read the interval of the gap again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED: {
		inAnswers: true,
		help:      "Filter the rows again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_AMBIGUOUS_ID: {
		inAnswers: true,
		help:      "Keep all of them, or ask again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED: {
		inAnswers: true,
		help:      "Check the participants of the calls in a gap.",
	},
	parleyv1.ErrorReason_ERROR_REASON_PARTICIPATION_NOT_PROVED: {
		inAnswers: true,
		help:      "Read the interval of the gap again.",
	},
	parleyv1.ErrorReason_ERROR_REASON_LIST_CHANGED: {
		inAnswers: true,
		help:      "Read the list again, or up to an end that is settled.",
	},
}
