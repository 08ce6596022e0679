package graphclient

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// The former places of names that have moved to graph.
type (
	Error    = graph.Error
	Kind     = graph.Kind
	Cause    = graph.Cause
	Request  = graph.Request
	Param    = graph.Param
	Priority = graph.Priority
	Observer = graph.Observer
	Cloud    = graph.Cloud
)

// The former places of names that have moved to auth.
type CredentialConfig = auth.CredentialConfig

const (
	CredentialClientSecret      = auth.CredentialClientSecret
	CredentialClientCertificate = auth.CredentialClientCertificate
	CredentialWorkloadIdentity  = auth.CredentialWorkloadIdentity
	CredentialManagedIdentity   = auth.CredentialManagedIdentity
	CredentialAzureCLI          = auth.CredentialAzureCLI
	CredentialNone              = auth.CredentialNone
)

// NewCredential is auth.NewCredential.
func NewCredential(cfg CredentialConfig) (azcore.TokenCredential, error) {
	return auth.NewCredential(cfg)
}

// CredentialKinds is auth.CredentialKinds.
func CredentialKinds() []string { return auth.CredentialKinds() }

// DelegatingKinds is auth.DelegatingKinds.
func DelegatingKinds() []string { return auth.DelegatingKinds() }

// The former places of names that have moved to ratelimit.
type (
	LimitTable = ratelimit.LimitTable
	LimitRow   = ratelimit.LimitRow
	Limit      = ratelimit.Limit
	Scope      = ratelimit.Scope
	CallerKey  = ratelimit.CallerKey
)

const (
	PerTenant           = ratelimit.PerTenant
	PerUser             = ratelimit.PerUser
	PerResource         = ratelimit.PerResource
	DefaultPaymentPause = ratelimit.DefaultPaymentPause
)

// DefaultLimits is ratelimit.DefaultLimits.
func DefaultLimits() LimitTable { return ratelimit.DefaultLimits() }

// WithCaller is ratelimit.WithCaller.
func WithCaller(ctx context.Context, key string) context.Context {
	return ratelimit.WithCaller(ctx, key)
}

// CallerOf is ratelimit.CallerOf.
func CallerOf(ctx context.Context) string { return ratelimit.CallerOf(ctx) }

// The former places of constants.
const (
	KindUnexpected        = graph.KindUnexpected
	KindBadRequest        = graph.KindBadRequest
	KindCredential        = graph.KindCredential
	KindPaymentRequired   = graph.KindPaymentRequired
	KindTenantNotLicensed = graph.KindTenantNotLicensed
	KindUserNotLicensed   = graph.KindUserNotLicensed
	KindUserRefused       = graph.KindUserRefused
	KindUserRole          = graph.KindUserRole
	KindForbidden         = graph.KindForbidden
	KindAccessDenied      = graph.KindAccessDenied
	KindRefused           = graph.KindRefused
	KindNotFound          = graph.KindNotFound
	KindLinkNotFound      = graph.KindLinkNotFound
	KindGone              = graph.KindGone
	KindThrottled         = graph.KindThrottled
	KindUnavailable       = graph.KindUnavailable
	KindLoginUnavailable  = graph.KindLoginUnavailable
	KindLinkRefused       = graph.KindLinkRefused
	KindTooLarge          = graph.KindTooLarge
	KindMalformed         = graph.KindMalformed
	KindCanceled          = graph.KindCanceled
	KindCallerLimit       = graph.KindCallerLimit
	KindConsent           = graph.KindConsent
	KindSignIn            = graph.KindSignIn
	CauseDNS              = graph.CauseDNS
	CauseTLS              = graph.CauseTLS
	CauseProxy            = graph.CauseProxy
	CauseRefused          = graph.CauseRefused
	CauseUnreachable      = graph.CauseUnreachable
	CauseTimeout          = graph.CauseTimeout
	CauseReset            = graph.CauseReset
	CauseCut              = graph.CauseCut
	CauseConnection       = graph.CauseConnection
	SourceCopilot         = graph.SourceCopilot
	SourceChat            = graph.SourceChat
	SourceCall            = graph.SourceCall
	SourceConversations   = graph.SourceConversations
	SourceUsage           = graph.SourceUsage
	SourceUsers           = graph.SourceUsers
	V1                    = graph.V1
	Beta                  = graph.Beta
	Interactive           = graph.Interactive
	Background            = graph.Background
	CloudGlobal           = graph.CloudGlobal
	CloudUSL4             = graph.CloudUSL4
	CloudUSL5             = graph.CloudUSL5
	CloudChina            = graph.CloudChina
)

// Escape is graph.Escape.
func Escape(segment string) string { return graph.Escape(segment) }

// Clouds is graph.Clouds.
func Clouds() []graph.Cloud { return graph.Clouds() }

// CloudByName is graph.CloudByName.
func CloudByName(name string) (graph.Cloud, error) { return graph.CloudByName(name) }

// ReportRoles is graph.ReportRoles.
func ReportRoles() []string { return graph.ReportRoles() }
