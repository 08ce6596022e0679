package service

import (
	"context"
	"errors"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	me          = "me"
	fieldParent = "parent"
	fieldName   = "name"
)

// callTarget is the target of one call: the tenant, the user whose data are read, and the sources through which Graph is asked. The
// authorizer fills it step by step; the sources come last, when the call is allowed.
type callTarget struct {
	caller   *authn.Caller
	callerID string
	scope    accessScope
	// request is the question to the policy. Its user is set step by step.
	request authz.Request

	alias         string
	tenant        *Tenant
	unknownTenant bool // the caller named one that the deployment does not have

	// sources and reports are what Graph is asked through: the tenant's, or those of the caller on whose behalf it is asked.
	// They are empty until the call is allowed.
	sources  query.Sources
	reports  ReportDownloader
	onBehalf bool
	// allUsers is set where the deciding rule is not narrower than all users.
	allUsers bool
	// owner is the user segment of names: an object id, a user principal name that could not be resolved, or "-".
	owner string
	// user is whom Graph is asked about; empty for the whole tenant.
	user string
	// unresolved is set where Graph refused to tell the object id behind a user principal name.
	unresolved bool

	sourceNames [4]string // room for the record of the call
}

// target resolves the tenant of a call: the one that the caller names, the only one there is, or the only one that the policy
// allows the caller anything of.
func (a *authorizer) target(ctx context.Context, scope accessScope) (*callTarget, error) {
	info := callinfo.FromContext(ctx)
	target := &callTarget{caller: info.Caller, callerID: info.CallerID, scope: scope, tenant: &noTenant}
	target.request = authz.Request{RPC: info.RPC, Sources: scope.sources, View: scope.view, Conversation: scope.conversation}
	alias := callinfo.Header(ctx, callinfo.HeaderTenant)
	if alias == "" {
		var err error
		if alias, err = a.defaultTenant(ctx, target); err != nil {
			return nil, err
		}
	}
	only := len(a.tenants) == 1
	if tenant, ok := a.tenants[alias]; ok {
		info.Tenant = alias
		target.alias, target.tenant = alias, tenant
		target.request.Tenant = authz.Tenant{Alias: alias, ID: tenant.ID, Only: only}
		return target, nil
	}
	// The policy decides as for a tenant that the caller may not read, so that a caller without access does not learn which tenants
	// there are.
	target.unknownTenant = true
	return target, nil
}

// noTenant is the tenant of calls whose tenant is not known.
var noTenant Tenant

// defaultTenant is the alias of the tenant of a caller who names none.
func (a *authorizer) defaultTenant(ctx context.Context, target *callTarget) (string, error) {
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
		return "", a.denied(ctx, target, authz.Decision{Digest: rules.Digest()})
	case 1:
		return allowed[0], nil
	default:
		return "", errTenant()
	}
}

// setUser puts the user segment of a name, which came in the given field, into the question to the policy. It returns the
// segment, with the caller's own id in the place of `me`.
func (t *callTarget) setUser(field, user string) (string, error) {
	if user == me {
		if user = t.caller.UserID(); user == "" {
			return "", apierror.Invalid(field, "`me` is a signed-in user's own id, and this caller is not one; name the user")
		}
	}
	switch {
	case user == resource.AnyUser:
		t.request.User = authz.WholeTenant
	case strings.Contains(user, "@"):
		t.request.UPN = user
	default:
		t.request.User = user
	}
	return user, nil
}

// resolve returns the object id behind a user principal name; the name itself where Graph refuses to tell.
func (t *callTarget) resolve(ctx context.Context, upn string) (string, error) {
	if t.tenant.Sources.Users == nil {
		t.unresolved = true
		return upn, nil
	}
	id, err := t.tenant.Sources.Users.UserID(ctx, upn)
	switch {
	case err == nil:
		return id, nil
	case deniedByGraph(err):
		t.unresolved = true
		return upn, nil
	default:
		return "", apierror.WithSource(parleyv1.Source_SOURCE_USER, err)
	}
}

func errTenant() error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_TENANT_REQUIRED).WithField(callinfo.HeaderTenant)
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

// binding is what cursors are bound to beside the request; permission is empty for the application's.
func (t *callTarget) binding() (caller, tenant, permission string) {
	tenant = t.tenant.ID
	if tenant == "" {
		tenant = t.alias
	}
	if t.onBehalf {
		permission = authz.PermissionName(true)
	}
	return t.callerID, tenant, permission
}

func errUserID(field string) error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED,
		"call records are found by object id, and Graph refuses to look this user up; name the user by object id, or other sources").WithField(field)
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
