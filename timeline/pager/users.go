package pager

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/query"
)

// ListUsers answers one page of users.
func (l *Lister) ListUsers(
	ctx context.Context, have query.Sources, req query.Users, token string, size int,
) (*parleyv1.ListUsersResponse, error) {
	users := api[*parleyv1.User]{
		source: parleyv1.Source_SOURCE_USER, digest: req.Digest(), key: func(u *parleyv1.User) string { return u.GetName() },
		read: func(ctx context.Context, link string) (answer[*parleyv1.User], error) {
			return single(have.Users.Users(ctx, link))
		},
	}
	p, err := open(&l.cfg, users, token, "page_token")
	if err != nil {
		return nil, err
	}
	page, err := list(ctx, p, size, func(u *parleyv1.User) *parleyv1.User { return u })
	if err != nil {
		return nil, err
	}
	return &parleyv1.ListUsersResponse{
		Users: page.rows, NextPageToken: page.token, Complete: page.complete, Notices: p.News(), Sources: p.reports(),
	}, nil
}
