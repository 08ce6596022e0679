package fault

// Reasons of ErrorInfo. They are part of the public contract: a client may branch on them.
const (
	// About requests and what they ask for.

	ReasonInvalidArgument   = "INVALID_ARGUMENT"
	ReasonTokenRefused      = "TOKEN_REFUSED" // a page or resume token that is not of this request, caller or key
	ReasonTenantRequired    = "TENANT_REQUIRED"
	ReasonUserIDRequired    = "USER_ID_REQUIRED" // a UPN whose object id could not be looked up
	ReasonUnimplemented     = "UNIMPLEMENTED"
	ReasonMethodNotAllowed  = "METHOD_NOT_ALLOWED"
	ReasonRequestTooLarge   = "REQUEST_TOO_LARGE"
	ReasonMessageTooLarge   = "MESSAGE_TOO_LARGE"
	ReasonConcealed         = "IDENTITIES_CONCEALED"
	ReasonNotFound          = "NOT_FOUND"
	ReasonHasNoChat         = "CONVERSATION_HAS_NO_CHAT"
	ReasonCallUnavailable   = "CALL_RECORD_UNAVAILABLE"
	ReasonSourceNotInCloud  = "SOURCE_NOT_IN_CLOUD"
	ReasonNotCached         = "NOT_CACHED" // only-if-cached, and it is not
	ReasonGraphRejected     = "GRAPH_REJECTED_REQUEST"
	ReasonGraphCredential   = "GRAPH_CREDENTIAL_REJECTED"
	ReasonPaymentRequired   = "PAYMENT_REQUIRED"
	ReasonTenantNotLicensed = "TENANT_NOT_LICENSED"
	ReasonPermissionMissing = "GRAPH_PERMISSION_MISSING"
	ReasonUserNotLicensed   = "USER_NOT_LICENSED"
	ReasonGraphThrottled    = "GRAPH_THROTTLED"
	ReasonGraphUnavailable  = "GRAPH_UNAVAILABLE"
	ReasonGraphLinkRefused  = "GRAPH_LINK_REFUSED"
	ReasonGraphLinkNotFound = "GRAPH_LINK_NOT_FOUND" // 404 to a link that Graph gave itself
	ReasonPagingLoop        = "PAGING_LOOP"
	ReasonIntervalIgnored   = "INTERVAL_NOT_HONOURED"

	// About our own doors and ends.

	ReasonUnauthenticated  = "CALLER_UNAUTHENTICATED"
	ReasonIssuer           = "ISSUER_UNAVAILABLE" // the keys that tokens are checked with are not to be had
	ReasonPolicyDenied     = "POLICY_DENIED"
	ReasonDelegation       = "DELEGATION_UNAVAILABLE" // Graph cannot be asked for this on behalf of this caller
	ReasonConsent          = "CONSENT_REQUIRED"       // nobody consented to the application for this user
	ReasonSignIn           = "SIGN_IN_REQUIRED"       // Entra ID does not exchange this caller's token
	ReasonCallerLimit      = "CALLER_LIMIT"
	ReasonOverloaded       = "OVERLOADED"
	ReasonAudit            = "AUDIT_UNAVAILABLE" // the call could not be recorded, so it was not made
	ReasonShuttingDown     = "SHUTTING_DOWN"
	ReasonStreamEnded      = "STREAM_ENDED" // a planned end of a stream: go on at once
	ReasonCanceled         = "CANCELLED"
	ReasonDeadlineExceeded = "DEADLINE_EXCEEDED"
	ReasonInternal         = "INTERNAL"
)
