package service

import (
	"context"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
)

const (
	me          = "me"
	fieldParent = "parent"
	fieldName   = "name"
)

// accessScope is the part of a request that the audit records show, and that the policy decides about but for the interval: sources, view,
// interval, and whether it is about one conversation. The user is not in it.
type accessScope struct {
	sources    []parleyv1.Source
	view       parleyv1.EventView // defaults applied; unspecified for methods without a view
	start, end time.Time
	// conversation is set for calls about one conversation.
	conversation bool
	// candidates are set where the request names no sources: the call reads those of them that the caller may read (chooseSources).
	candidates []parleyv1.Source
}

// accessRequest describes the access that a call asks for, as its caller wrote it. It is never changed once made.
type accessRequest struct {
	rpc      string
	caller   *authn.Caller
	callerID string
	scope    accessScope
	// named is the user segment of a resource name, and field the field of the request that has the name; empty where the call names
	// no user.
	named, field string
}

func newAccessRequest(info *callinfo.Info, scope accessScope, field, user string) accessRequest {
	return accessRequest{rpc: info.RPC, caller: info.Caller, callerID: info.CallerID, scope: scope, named: user, field: field}
}

// callTarget is a resolved accessRequest: the tenant, and the user whose data are read. It is never changed once made; each
// step that finds out more returns another one.
type callTarget struct {
	accessRequest

	tenant     *Tenant // &noTenant while it is not known
	alias      string  // of the tenant
	onlyTenant bool    // the deployment has no other
	// owner is the user whose data are read: an object id, a user principal name that Graph refuses to look up, `-` for the whole
	// tenant, or empty for methods that name no user. It is the user segment of the names in the answer.
	owner string
	// upn is a user principal name that has not been looked up; owner is then empty.
	upn string
	// unresolved is set where owner is a user principal name.
	unresolved bool
}

// noTenant is the tenant of calls whose tenant is not known.
var noTenant Tenant

// policyRequest is the question to the policy.
func (t *callTarget) policyRequest() authz.Request {
	request := authz.Request{
		RPC: t.rpc, User: t.owner, UPN: t.upn, Sources: t.scope.sources, View: t.scope.view, Conversation: t.scope.conversation,
	}
	if t.tenant != &noTenant {
		request.Tenant = authz.Tenant{Alias: t.alias, ID: t.tenant.ID, Only: t.onlyTenant}
	}
	return request
}

// graphUser is the user whom Graph is asked about; empty for the whole tenant.
func (t *callTarget) graphUser() string {
	if t.owner == resource.AnyUser {
		return ""
	}
	return t.owner
}

// refuseWildcard refuses `users/-` where it has no meaning.
func (t *callTarget) refuseWildcard(field string) error {
	if t.owner == resource.AnyUser {
		return apierror.Invalid(field, "`users/-` holds call records only; name a user")
	}
	return nil
}

// checkAvailable refuses a source that the tenant's cloud lacks; Graph is not asked.
func (t *callTarget) checkAvailable(src parleyv1.Source) error {
	if _, lacking := t.tenant.Unavailable[src]; lacking {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	return nil
}

// findTenant returns a request's target without its user. The tenant is the one that the caller names, or else the only one of the
// deployment, or else the only one of which the policy allows the caller anything.
func (a *authorizer) findTenant(ctx context.Context, request accessRequest) (callTarget, error) {
	target := callTarget{accessRequest: request, tenant: &noTenant}
	alias := callinfo.Header(ctx, callinfo.HeaderTenant)
	if alias == "" {
		var err error
		if alias, err = a.defaultTenant(ctx, target); err != nil {
			return target, err
		}
	}
	if tenant, ok := a.tenants[alias]; ok {
		target.tenant, target.alias, target.onlyTenant = tenant, alias, len(a.tenants) == 1
	}
	// For an unknown alias the policy decides as for a tenant that the caller may not read, so that a caller without access does not
	// learn which tenants there are.
	return target, nil
}

// defaultTenant is the alias of the tenant of a caller who names none.
func (a *authorizer) defaultTenant(ctx context.Context, target callTarget) (string, error) {
	if len(a.tenants) == 1 {
		for alias := range a.tenants {
			return alias, nil
		}
	}
	known := make([]authz.Tenant, 0, len(a.tenants))
	for alias, tenant := range a.tenants {
		known = append(known, authz.Tenant{Alias: alias, ID: tenant.ID})
	}
	rules := a.policy.Current()
	switch allowed := rules.Tenants(target.caller, known); len(allowed) {
	case 0:
		return "", deny(ctx, target, authz.Decision{Digest: rules.Digest()})
	case 1:
		return allowed[0], nil
	default:
		return "", errTenant()
	}
}

// withUser returns the target with the user whom the request names; the caller's own id is in the place of `me`.
func (t *callTarget) withUser() (callTarget, error) {
	next, user := *t, t.named
	if user == me {
		if user = t.caller.UserID(); user == "" {
			return next, apierror.Invalid(t.field, "`me` is a signed-in user's own id, and this caller is not one; name the user")
		}
	}
	if strings.Contains(user, "@") {
		next.upn = user
	} else {
		next.owner = user
	}
	return next, nil
}

// withUserID returns the target with the object id behind its user principal name; the name stands for the user where Graph refuses to
// tell.
func (t *callTarget) withUserID(ctx context.Context) (callTarget, error) {
	next := *t
	next.owner, next.upn, next.unresolved = t.upn, "", true
	if t.tenant.Sources.Users == nil {
		return next, nil
	}
	id, err := t.tenant.Sources.Users.UserID(ctx, t.upn)
	switch {
	case err == nil:
		next.owner, next.unresolved = id, false
	case !deniedByGraph(err):
		return next, apierror.WithSource(parleyv1.Source_SOURCE_USER, err)
	}
	return next, nil
}
