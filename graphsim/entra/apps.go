package entra

import (
	"crypto"
	"crypto/x509"
)

// DemoAudience is the application id URI of applications that name none.
const DemoAudience = "api://parley"

// DefaultRoles are the application permissions that the five sources need.
func DefaultRoles() []string {
	return []string{
		"AiEnterpriseInteraction.Read.All", "CallRecords.Read.All", "Chat.Read.All", "Reports.Read.All", "User.Read.All",
	}
}

// DefaultScopes are the delegated permissions that an application has consent for unless it says otherwise.
func DefaultScopes() []string { return []string{"Chat.Read", "Reports.Read.All", "User.Read"} }

// App is an application registration.
type App struct {
	// ClientID is the application id; Secret its client secret, empty = none.
	ClientID, Secret string
	// Roles are the application permissions granted; nil = DefaultRoles, empty = none.
	Roles []string
	// Scopes are the delegated permissions that have consent; nil = DefaultScopes, empty = none.
	Scopes []string
	// URIs are the application id URIs: audiences of tokens that are for the application itself, beside its client id;
	// nil = DemoAudience.
	URIs []string
	// Certificate verifies certificate assertions; nil = none.
	Certificate *x509.Certificate
	// Federated verifies assertions of another identity provider; nil = none.
	Federated *Federated
}

// Federated is a federated identity credential: assertions of Issuer for Subject, signed by Key, stand for the app.
type Federated struct {
	// Issuer and Subject must equal the assertion's iss and sub.
	Issuer, Subject string
	// Key verifies the assertion's signature (RS256 or ES256).
	Key crypto.PublicKey
}

// Standing is how a user stands with the directory, as far as applications that act on their behalf are concerned.
type Standing struct {
	// NoConsent: nobody consented to the application for this user.
	NoConsent bool `json:"noConsent,omitempty"`
	// StepUp: conditional access wants more than the user's token shows, and no token is exchanged.
	StepUp bool `json:"stepUp,omitempty"`
	// Revoked: Graph challenges the user's tokens, new ones included.
	Revoked bool `json:"revoked,omitempty"`
	// ReportsReader: the user has a role with which the usage report may be read.
	ReportsReader bool `json:"reportsReader,omitempty"`
}

// audiences are those of tokens that are for the application itself.
func (a *App) audiences() []string {
	uris := a.URIs
	if uris == nil {
		uris = []string{DemoAudience}
	}
	return append([]string{a.ClientID, "api://" + a.ClientID}, uris...)
}
