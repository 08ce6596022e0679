package service

import (
	"errors"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
)

// errTenant is the error of a call whose tenant is not known: the caller must name one.
func errTenant() error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_TENANT_REQUIRED).WithField(callinfo.HeaderTenant)
}

func errPolicyUserID(field string) error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED,
		"the policy decides by object id, and Graph refuses to look this user up; name the user by object id").WithField(field)
}

func errUserID(field string) error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED,
		"call records are found by object id, and Graph refuses to look this user up; name the user by object id, or other sources").WithField(field)
}

// errDenied is the denial of a call, with the reason why Graph cannot be asked on behalf of the caller if that is one.
func errDenied(obstacle authz.Obstacle) *apierror.Error {
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
	case authz.NoObstacle:
	}
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED)
}

// deniedByGraph reports whether Graph denies the application the requested data.
func deniedByGraph(err error) bool {
	graphErr, ok := errors.AsType[*graph.Error](err)
	return ok && graphErr.Kind.Denied()
}

func isKind(err error, kind graph.Kind) bool {
	var graphErr *graph.Error
	return errors.As(err, &graphErr) && graphErr.Kind == kind
}
