package authn

import "time"

// Why names the cause of a refusal in logs. The words are fixed and quote nothing.
type Why string

// Causes of refusals.
const (
	WhyMissing     Why = "no credential"
	WhyNoTokens    Why = "tokens are not accepted here"
	WhyMalformed   Why = "malformed token"
	WhyAlgorithm   Why = "algorithm not accepted"
	WhyUnknownKey  Why = "unknown key"
	WhySignature   Why = "bad signature"
	WhyIssuer      Why = "wrong issuer"
	WhyAudience    Why = "wrong audience"
	WhyTenant      Why = "wrong tenant"
	WhyExpired     Why = "expired"
	WhyNotYet      Why = "not valid yet"
	WhyClaims      Why = "claims missing or contradictory"
	WhyNotAccess   Why = "not an access token"
	WhyKeys        Why = "signing keys not available"
	WhyCertificate Why = "certificate not accepted"
	WhyBound       Why = "token bound to a key that is not proven"
	WhyLifetime    Why = "lives longer than accepted"
)

// RefusedError is the error of a credential that is not accepted. It says why in one of the fixed phrases, and nothing of the
// credential.
type RefusedError struct {
	// Why is the cause.
	Why Why
	// RetryAfter is set when the same credential may be accepted later; 0 = it will not.
	RetryAfter time.Duration
	// Err is set where the call ended while it waited for keys (WhyKeys): the error of its context. nil otherwise.
	Err error
}

var _ error = (*RefusedError)(nil)

// Error is the cause.
func (r *RefusedError) Error() string { return "caller not accepted: " + string(r.Why) }

// Unwrap returns the cause behind it.
func (r *RefusedError) Unwrap() error { return r.Err }

// refuse makes a refusal.
func refuse(why Why) error { return &RefusedError{Why: why} }
