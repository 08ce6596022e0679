package service

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/timeline/query"
)

// Assertion is a signed-in user with the token that they called with, which Entra ID is asked to exchange.
type Assertion struct {
	// User is the user's object id, Token the accepted access token, and Expires its end.
	User, Token string
	Expires     time.Time
}

// GraphAccess is what Graph is asked through: by the tenant's application, or on behalf of one user. On behalf of a user, the sources are
// absent that Graph offers to applications alone.
type GraphAccess struct {
	Sources  query.Sources
	Reports  ReportDownloader
	Contents ContentReader
}

// Delegates asks Graph on behalf of users.
type Delegates interface {
	// OnBehalfOf has the user's token exchanged, unless it was, and returns what Graph is asked through. Errors are
	// *graph.Error.
	OnBehalfOf(ctx context.Context, user Assertion) (GraphAccess, error)
}

// onBehalf returns what Graph is asked through on behalf of the caller. The token is exchanged before anything is looked up in the cache:
// a user whose sign-in, consent or device Entra ID does not accept any more reads no page that was cached earlier.
func onBehalf(ctx context.Context, target callTarget) (GraphAccess, error) {
	if target.tenant.Delegates == nil {
		return GraphAccess{}, apierror.New(parleyv1.ErrorReason_ERROR_REASON_DELEGATION_UNAVAILABLE,
			"the policy has Graph asked on behalf of the user, and the gateway's credential for this tenant cannot do so; "+
				"it takes an app registration with a client secret, a certificate or a workload identity")
	}
	token, ok := authn.Token(ctx)
	if !ok {
		return GraphAccess{}, errDenied(authz.NoUser)
	}
	return target.tenant.Delegates.OnBehalfOf(ctx, Assertion{User: target.caller.UserID(), Token: token, Expires: target.caller.Expires})
}
