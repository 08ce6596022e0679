package pager

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// ListUsers answers one page of users.
func (l *Lister) ListUsers(
	ctx context.Context, have query.Sources, req query.Users, token string, size int,
) (*parleyv1.ListUsersResponse, error) {
	c := &chain[*parleyv1.User]{
		cfg: &l.cfg, src: parleyv1.Source_SOURCE_USER,
		bound: req.Digest(),
		key:   func(u *parleyv1.User) string { return u.GetName() },
		fetch: func(ctx context.Context, link string) (*source.Page[*parleyv1.User], error) {
			return have.Users.Users(ctx, link)
		},
	}
	if err := openChain(c, token, "page_token"); err != nil {
		return nil, err
	}
	page, err := listChain(ctx, l, c, size, func(u *parleyv1.User) *parleyv1.User { return u })
	if err != nil {
		return nil, err
	}
	return &parleyv1.ListUsersResponse{
		Users: page.rows, NextPageToken: page.token, Complete: page.complete, Notices: c.News(), Sources: c.reports(),
	}, nil
}
