package server

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	headerTenant = "parley-tenant"
	me           = "me"
	fieldParent  = "parent"
	fieldName    = "name"
)

// asked is one call's answer to who asks, which tenant is read, and whose data.
type asked struct {
	caller   *authn.Caller
	callerID string
	alias    string
	only     bool // the deployment has no other tenant
	unknown  bool // the caller named one that is not of the deployment
	tenant   *Tenant
	// sources and reports are what Graph is asked through: the tenant's, or those of the caller on whose behalf it is asked.
	// Nothing is there before the call is granted.
	sources  query.Sources
	reports  ReportDownloader
	onBehalf bool
	// allUsers says that the deciding rule is not narrower than all users.
	allUsers bool
	// owner is the user segment of names: an object id, a user principal name that could not be resolved, or "-".
	owner string
	// user is whom Graph is asked about; empty for the whole tenant.
	user string
	// unresolved is true when Graph refused to say the object id behind a user principal name.
	unresolved bool
}

// tenantOf resolves the tenant of a call: the one that the caller names, the only one there is, or the only one that the
// policy allows the caller anything of.
func (z *authorizer) tenantOf(ctx context.Context, what want) (*asked, error) {
	info := infoOf(ctx)
	only := len(z.tenants) == 1
	alias := header(ctx, headerTenant)
	if alias == "" {
		var err error
		if alias, err = z.defaultTenant(ctx, info.caller, what); err != nil {
			return nil, err
		}
	}
	tenant, ok := z.tenants[alias]
	if !ok {
		// The policy decides of it as of one that the caller may not read: who may not does not learn which there are.
		info.asked = asked{caller: info.caller, callerID: info.callerID, tenant: &Tenant{}, unknown: true}
		return &info.asked, nil
	}
	info.tenant = alias
	info.asked = asked{caller: info.caller, callerID: info.callerID, alias: alias, only: only, tenant: tenant}
	return &info.asked, nil
}

// defaultTenant is the tenant of a caller who names none.
func (z *authorizer) defaultTenant(ctx context.Context, caller *authn.Caller, what want) (string, error) {
	if len(z.tenants) == 1 {
		for alias := range z.tenants {
			return alias, nil
		}
	}
	known := make([]authz.Tenant, 0, len(z.tenants))
	for alias, tenant := range z.tenants {
		known = append(known, tenant.policy(alias, false))
	}
	rules := z.policy.Current()
	switch allowed := rules.Tenants(caller, known); len(allowed) {
	case 0:
		nowhere := &asked{caller: caller, callerID: caller.ID(), tenant: &Tenant{}}
		return "", z.denied(ctx, nowhere, nowhere.request(ctx, what), authz.Decision{Digest: rules.Digest()}, what)
	case 1:
		return allowed[0], nil
	default:
		return "", errTenant()
	}
}

func errTenant() error {
	return &apierror.Error{
		Code: codes.InvalidArgument, Reason: parleyv1.ErrorReason_ERROR_REASON_TENANT_REQUIRED, Field: headerTenant,
		Message: "name a configured tenant by its alias in this header",
	}
}

// noWildcard refuses `users/-` where it has no meaning.
func (a *asked) noWildcard(field string) error {
	if a.owner == resource.AnyUser {
		return apierror.Invalid(field, "`users/-` holds call records only; name a user")
	}
	return nil
}

// available refuses a source that the tenant's cloud lacks; Graph is not asked.
func (a *asked) available(src parleyv1.Source) error {
	if _, lacking := a.tenant.Unavailable[src]; lacking {
		return ofReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	return nil
}

// binding is what cursors are bound to beside the request; permission is empty for the application's.
func (a *asked) binding() (caller, tenant, permission string) {
	tenant = a.tenant.ID
	if tenant == "" {
		tenant = a.alias
	}
	if a.onBehalf {
		permission = authz.PermissionName(true)
	}
	return a.callerID, tenant, permission
}

func errUserID(field string) error {
	return &apierror.Error{
		Code: codes.FailedPrecondition, Reason: parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED, Field: field,
		Message: "call records are found by object id, and Graph refuses to look this user up; name the user by object id, or other sources",
	}
}

// denied says that Graph does not let the application read what was asked for.
func denied(err error) bool {
	graph, ok := errors.AsType[*graphclient.Error](err)
	return ok && graph.Kind.Denied()
}

func isKind(err error, kind graphclient.Kind) bool {
	var graph *graphclient.Error
	return errors.As(err, &graph) && graph.Kind == kind
}
