// Package authz decides who may read what: rules from a YAML file that only ever allow, and deny what no rule allows. A rule
// names whom it is for and what it allows; one rule must allow a call whole, and the decision names it. Files are
// validated strictly, so that a typo fails the start and neither opens nor closes anything in silence.
package authz
