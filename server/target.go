package server

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/source/names"
)

const (
	headerTenant = "parley-tenant"
	me           = "me"
	fieldParent  = "parent"
	fieldName    = "name"
)

// asked is one call's answer to who asks, which tenant is read, and whose data.
type asked struct {
	caller Caller
	alias  string
	tenant *Tenant
	// owner is the user segment of names: an object id, a user principal name that could not be resolved, or "-".
	owner string
	// user is whom Graph is asked about; empty for the whole tenant.
	user string
	// unresolved is true when Graph refused to say the object id behind a user principal name.
	unresolved bool
}

// ask resolves the tenant of a call.
func (s *Server) ask(ctx context.Context) (*asked, error) {
	info := infoOf(ctx)
	alias := header(ctx, headerTenant)
	if alias == "" && len(s.cfg.Tenants) == 1 {
		for only := range s.cfg.Tenants {
			alias = only
		}
	}
	tenant, ok := s.cfg.Tenants[alias]
	if !ok {
		return nil, &fault.Error{
			Code: codes.InvalidArgument, Reason: fault.ReasonTenantRequired, Field: headerTenant,
			Message: "name a configured tenant by its alias in this header",
		}
	}
	info.tenant = alias
	return &asked{caller: info.caller, alias: alias, tenant: tenant}, nil
}

// askFor resolves the tenant and the user segment of a name, which came in the given field.
func (s *Server) askFor(ctx context.Context, field, user string) (*asked, error) {
	a, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case user == names.AnyUser:
		a.owner = names.AnyUser
		return a, nil
	case user == me:
		if user = a.caller.ObjectID; user == "" {
			return nil, fault.Invalid(field, "`me` is a signed-in user's own id, and this caller is not one; name the user")
		}
	case strings.Contains(user, "@") && a.tenant.Sources.Users != nil:
		id, err := a.tenant.Sources.Users.UserID(ctx, user)
		switch {
		case err == nil:
			user = id
		case isKind(err, graphclient.KindForbidden):
			a.unresolved = true
		default:
			return nil, of(parleyv1.Source_SOURCE_USER, err)
		}
	case strings.Contains(user, "@"):
		a.unresolved = true
	}
	a.owner, a.user = user, user
	return a, nil
}

// noWildcard refuses `users/-` where it has no meaning.
func (a *asked) noWildcard(field string) error {
	if a.owner == names.AnyUser {
		return fault.Invalid(field, "`users/-` holds call records only; name a user")
	}
	return nil
}

// available refuses a source that the tenant's cloud lacks; Graph is not asked.
func (a *asked) available(src parleyv1.Source) error {
	if _, lacking := a.tenant.Unavailable[src]; lacking {
		return ofReason(fault.ReasonSourceNotInCloud)
	}
	return nil
}

// binding is what cursors are bound to beside the request.
func (a *asked) binding() (caller, tenant string) {
	tenant = a.tenant.ID
	if tenant == "" {
		tenant = a.alias
	}
	return a.caller.ID, tenant
}

func errUserID(field string) error {
	return &fault.Error{
		Code: codes.FailedPrecondition, Reason: fault.ReasonUserIDRequired, Field: field,
		Message: "call records are found by object id, and Graph refuses to look this user up; name the user by object id, or other sources",
	}
}

func isKind(err error, kind graphclient.Kind) bool {
	var graph *graphclient.Error
	return errors.As(err, &graph) && graph.Kind == kind
}
