package service

import (
	"context"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline/query"
)

// users is the UserService.
type users struct {
	parleyv1.UnimplementedUserServiceServer

	*Services
}

var _ parleyv1.UserServiceServer = (*users)(nil)

// ListUsers answers with one page.
func (u *users) ListUsers(ctx context.Context, req *parleyv1.ListUsersRequest) (*parleyv1.ListUsersResponse, error) {
	q := query.Users{View: req.GetView(), Filter: req.GetFilter()}
	if err := q.CheckFilter(); err != nil {
		return nil, err
	}
	access, err := u.authorizer.authorize(ctx, usersScope(view.OfList(req.GetView())))
	if err != nil {
		return nil, err
	}
	if err := access.checkAvailable(parleyv1.Source_SOURCE_USER); err != nil {
		return nil, err
	}
	q.Caller, q.Tenant, _ = access.binding()
	return u.engine.ListUsers(ctx, access.sources, q, req.GetPageToken(), pageSize(req.GetPageSize()))
}

// usersScope is the scope of a call about the directory.
func usersScope(shape parleyv1.EventView) accessScope {
	return accessScope{sources: []parleyv1.Source{parleyv1.Source_SOURCE_USER}, view: shape}
}

// GetUser reads one user.
func (u *users) GetUser(ctx context.Context, req *parleyv1.GetUserRequest) (*parleyv1.User, error) {
	const src = parleyv1.Source_SOURCE_USER
	user, err := resource.ParseUserName(req.GetName())
	if err != nil {
		return nil, err
	}
	shape := view.OfOne(req.GetView())
	access, err := u.authorizer.authorizeUser(ctx, fieldName, user, usersScope(shape))
	if err != nil {
		return nil, err
	}
	if access.owner == resource.AnyUser {
		return nil, apierror.Invalid(fieldName, "names no user; GET /v1/users lists them")
	}
	if err := access.checkAvailable(src); err != nil {
		return nil, err
	}
	if access.sources.Users == nil {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	found, err := access.sources.Users.User(ctx, access.graphUser())
	if err != nil {
		return nil, apierror.WithSource(src, err)
	}
	shown, ok := view.Apply(found, shape).(*parleyv1.User)
	if !ok {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
	return shown, nil
}
