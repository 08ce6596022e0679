package service

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/timeline/query"
)

// users is the UserService.
type users struct {
	parleyv1.UnimplementedUserServiceServer

	*Services
}

var _ parleyv1.UserServiceServer = (*users)(nil)

// ListUsers answers one page.
func (u *users) ListUsers(ctx context.Context, req *parleyv1.ListUsersRequest) (*parleyv1.ListUsersResponse, error) {
	access, err := u.authorizer.authorize(ctx, accessScope{sources: []parleyv1.Source{parleyv1.Source_SOURCE_USER}})
	if err != nil {
		return nil, err
	}
	if err := access.checkAvailable(parleyv1.Source_SOURCE_USER); err != nil {
		return nil, err
	}
	var q query.Users
	q.Caller, q.Tenant, _ = access.binding()
	answer, err := u.engine.ListUsers(ctx, access.sources, q, req.GetPageToken(), pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	callinfo.FromContext(ctx).Handed.List(len(answer.GetUsers()), answer.GetComplete())
	return answer, nil
}
