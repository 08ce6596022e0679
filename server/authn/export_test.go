package authn

import "errors"

// WhyOf returns the cause in an error; empty when it is not a refusal.
func WhyOf(err error) Why {
	if r, ok := errors.AsType[*RefusedError](err); ok {
		return r.Why
	}
	return ""
}
