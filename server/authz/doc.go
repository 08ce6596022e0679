// Package authz decides who may read what. A Policy is the rules of a YAML file; they only ever allow, and a call that no rule allows
// is denied. A rule names whom it is for and what it allows; one rule must allow a call whole, and the decision names it.
//
// Policy.Decide takes the authn.Caller and a Request, and returns a Decision. The authorizer of package service asks it before anything is
// read, and the interceptor recheck before each part of a stream, but for the checkpoint after a batch and the summary. Files are
// validated strictly, so that a typo fails the start and neither opens nor closes anything in silence.
package authz
