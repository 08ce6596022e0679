package authn

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Kind is what a caller is: a person, a program, or the holder of a certificate.
type Kind int

// Kinds of callers.
const (
	// KindAnonymous is whoever reaches a listener that asks nobody.
	KindAnonymous Kind = iota
	// KindUser is a person, who signed in to an application that calls on their behalf.
	KindUser
	// KindApplication is a program with a token of its own.
	KindApplication
	// KindCertificate is the holder of a client certificate.
	KindCertificate
	// KindUnknown is the holder of a token that does not say whether a person or a program is behind it. No rule names it.
	KindUnknown
)

// kindNames are the kinds as policies and audit records spell them.
var kindNames = [...]string{"anonymous", "user", "application", "certificate", "unknown"}

// String is the kind's name in policies and audit records.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// KindNames returns the names of the kinds that a rule may ask for.
func KindNames() []string { return append([]string(nil), kindNames[:KindUnknown]...) }

// Namespace is the namespace of a subject. Names of different namespaces are never the same, whatever they look like.
type Namespace int

// Namespaces of subjects.
const (
	// TokenSubject is the `sub` of an issuer's tokens.
	TokenSubject Namespace = iota
	// URIName is a URI in a client certificate.
	URIName
	// DNSName is a DNS name in a client certificate.
	DNSName
)

// String is the namespace as policies spell it.
func (n Namespace) String() string { return [...]string{"token", "uri", "dns"}[n] }

// Caller is the caller of an RPC. It is not changed after Authenticate has returned it.
type Caller struct {
	// Kind is the kind of the caller.
	Kind Kind
	// Subject is the token's `sub`, or the certificate's URI or DNS name; empty for anonymous callers.
	Subject string
	// Namespace is the namespace of Subject.
	Namespace Namespace
	// ObjectID is a user's or service principal's Entra object id (`oid`), in lower case. It is set only where the issuer is
	// bound to a tenant.
	ObjectID string
	// TenantID is the Entra tenant that vouches for the caller (`tid`), in lower case.
	TenantID string
	// AppID is the application that calls (`azp`, `appid` or `client_id`).
	AppID string
	// Issuer is the token's issuer.
	Issuer string
	// Roles, Scopes and Groups are what the token says the caller has. Groups are absent where a user has too many for a
	// token; a rule that asks for one then does not match.
	Roles, Scopes, Groups []string
	// Expires is when the credential ends; zero = never.
	Expires time.Time

	// upn is the name that a user signs in with, as the token states it. It identifies nobody and is written nowhere.
	upn string
	// thumbprint is the SHA-256 of the client certificate that the token is bound to; nil for a bearer token.
	thumbprint []byte
	// acceptedBy checks the credential again: by the key of the token, by the authorities of the certificate, or by both where
	// the token is bound to a certificate.
	acceptedBy [2]rechecker
}

// rechecker checks an accepted credential again: by the key that signed it, or by the authorities that vouch for it.
type rechecker interface {
	// recheck returns nil if the credential would still be accepted now. An error is a *RefusedError.
	recheck(now time.Time) error
}

// Recheck checks the caller again without the credential at hand: the key that signed the token is still its issuer's, the
// authorities of the moment vouch for the certificate, and the credential ended no more than five minutes ago. A call that
// takes long asks before each part of its answer. An error is a *RefusedError.
func (c *Caller) Recheck(now time.Time) error {
	if c.PastGrace(now) {
		return refuse(WhyExpired)
	}
	for _, by := range c.acceptedBy {
		if by == nil {
			continue
		}
		if err := by.recheck(now); err != nil {
			return err
		}
	}
	return nil
}

// ID names the caller in cursors, rate limits and audit records. It is stable across tokens and holds no user name.
func (c *Caller) ID() string {
	switch {
	case c.Kind == KindUser && c.ObjectID != "":
		return "user:" + c.TenantID + "/" + c.ObjectID
	case c.Kind == KindApplication && c.TenantID != "" && c.AppID != "":
		return "application:" + c.TenantID + "/" + c.AppID
	case c.Kind == KindCertificate:
		return "certificate:" + c.Subject
	case c.Kind == KindAnonymous:
		return "anonymous"
	default:
		// Subjects are unique within their issuer only, and some issuers make them of names.
		sum := sha256.Sum256([]byte(c.Issuer + "\x00" + c.Subject))
		return c.Kind.String() + ":" + hex.EncodeToString(sum[:16])
	}
}

// UserID is the caller's own object id, which `users/me` stands for; empty when the caller is not a user.
func (c *Caller) UserID() string {
	if c.Kind != KindUser {
		return ""
	}
	return c.ObjectID
}

// MayHaveName reports whether a user principal name may be the caller's own: the token names it. It is a hint that saves a look-up
// and never a proof; the object id behind the name decides.
func (c *Caller) MayHaveName(upn string) bool {
	return c.Kind == KindUser && c.upn != "" && strings.EqualFold(c.upn, upn)
}

// grace is how long a running stream may outlive the credential that opened it.
const grace = 5 * time.Minute

// PastGrace reports whether a call which began with the caller's credential must end: the credential ended more than five minutes ago.
func (c *Caller) PastGrace(now time.Time) bool {
	return !c.Expires.IsZero() && now.After(c.Expires.Add(grace))
}

var anonymous = &Caller{Kind: KindAnonymous}

// Anonymous is the caller of listeners that ask nobody.
func Anonymous() *Caller { return anonymous }
