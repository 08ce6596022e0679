package service

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
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

// Delegated is what Graph is asked through on behalf of one user. Sources that Graph offers to applications alone are absent.
type Delegated struct {
	Sources query.Sources
	Reports ReportDownloader
}

// Delegates asks Graph on behalf of users.
type Delegates interface {
	// OnBehalfOf has the user's token exchanged, unless it was, and returns what Graph is asked through. Errors are
	// *graph.Error.
	OnBehalfOf(ctx context.Context, user Assertion) (Delegated, error)
}

// delegate makes an allowed call one on behalf of its caller. The token is exchanged before anything is looked up in the cache:
// a user whose sign-in, consent or device Entra ID does not accept any more reads no page that was kept earlier.
func (t *callTarget) delegate(ctx context.Context) error {
	if t.tenant.Delegates == nil {
		return apierror.New(parleyv1.ErrorReason_ERROR_REASON_DELEGATION_UNAVAILABLE,
			"the policy has Graph asked on behalf of the user, and the gateway's credential for this tenant cannot do so; "+
				"it takes an app registration with a client secret, a certificate or a workload identity")
	}
	token, ok := authn.Token(ctx)
	if !ok {
		return errObstacle(authz.NoUser)
	}
	delegated, err := t.tenant.Delegates.OnBehalfOf(ctx, Assertion{User: t.caller.UserID(), Token: token, Expires: t.caller.Expires})
	if err != nil {
		return err
	}
	t.onBehalf, t.sources, t.reports = true, delegated.Sources, delegated.Reports
	return nil
}

// notIn reports whether Graph refused one chat to the user themselves: on behalf of a user that is how it answers for a chat that
// they are not in. A missing permission is another matter, and Graph names it.
func (t *callTarget) notIn(err error) bool {
	return t.onBehalf && (isKind(err, graph.KindRefused) || isKind(err, graph.KindAccessDenied))
}

// graphIdentity is whom Graph is asked as, for the record of an allowed call.
func (t *callTarget) graphIdentity(decision authz.Decision) audit.Graph {
	switch {
	case decision.Answer != authz.Allowed:
		return audit.Graph{}
	case decision.OnBehalf:
		return audit.Graph{Permission: authz.PermissionName(true), Identity: t.caller.UserID()}
	default:
		return audit.Graph{Permission: authz.PermissionName(false), Identity: t.tenant.Application}
	}
}

// errObstacle is the denial of a call, with the reason why Graph cannot be asked on behalf of the caller if that is one.
func errObstacle(obstacle authz.Obstacle) *apierror.Error {
	switch obstacle {
	case authz.NotOffered:
		return apierror.New(parleyv1.ErrorReason_ERROR_REASON_DELEGATION_UNAVAILABLE,
			"the rule for this caller has Graph asked on behalf of the user, and Graph gives this to applications alone; "+
				"on behalf of a user there are their chats, the events below one conversation, and the usage report. "+
				"For anything else the operator adds a rule without `graph: on_behalf_of`")
	case authz.NoUser:
		return apierror.New(parleyv1.ErrorReason_ERROR_REASON_DELEGATION_UNAVAILABLE,
			"the rule for this caller has Graph asked on behalf of a user, and that takes a signed-in user's access token of the tenant that is read; "+
				"a certificate or an application's own token has no user behind it")
	case authz.None:
	}
	return errDenied()
}
