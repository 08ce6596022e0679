package server

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/query"
)

// users is the UserService.
type users struct {
	parleyv1.UnimplementedUserServiceServer

	services
}

var _ parleyv1.UserServiceServer = (*users)(nil)

// ListUsers answers one page.
func (u *users) ListUsers(ctx context.Context, req *parleyv1.ListUsersRequest) (*parleyv1.ListUsersResponse, error) {
	a, err := u.access.ask(ctx, want{sources: []parleyv1.Source{parleyv1.Source_SOURCE_USER}})
	if err != nil {
		return nil, err
	}
	if err := a.available(parleyv1.Source_SOURCE_USER); err != nil {
		return nil, err
	}
	var walk query.Users
	walk.Caller, walk.Tenant, _ = a.binding()
	answer, err := u.engine.ListUsers(ctx, a.sources, walk, req.GetPageToken(), pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	infoOf(ctx).handed.list(len(answer.GetUsers()), answer.GetComplete())
	return answer, nil
}
