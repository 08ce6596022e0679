package timeline

import (
	"context"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// ListUsers answers one page of users.
func (e *Engine) ListUsers(
	ctx context.Context, have query.Sources, req query.Users, token string, size int,
) (*parleyv1.ListUsersResponse, error) {
	c := &chain[*parleyv1.User]{
		engine: e, src: parleyv1.Source_SOURCE_USER,
		bound: req.Digest(),
		key:   func(u *parleyv1.User) string { return u.GetName() },
		fetch: func(ctx context.Context, link string) (*source.Page[*parleyv1.User], error) {
			return have.Users.Users(ctx, link)
		},
	}
	if err := openChain(c, token, "page_token"); err != nil {
		return nil, err
	}
	page, err := listChain(ctx, e, c, size, func(u *parleyv1.User) *parleyv1.User { return u })
	if err != nil {
		return nil, err
	}
	return &parleyv1.ListUsersResponse{
		Users: page.rows, NextPageToken: page.token, Complete: page.complete, Notices: c.news(), Sources: c.reports(),
	}, nil
}

// chainPage is one List page of a chain.
type chainPage[T proto.Message] struct {
	rows     []T
	token    string
	complete bool
}

// listChain fills one List page.
func listChain[T proto.Message](ctx context.Context, e *Engine, c *chain[T], size int, show func(T) T) (chainPage[T], error) {
	var page chainPage[T]
	size, err := pageSize(size)
	if err != nil {
		return page, err
	}
	soft, cancel := e.listTime(ctx)
	defer cancel()
	rows, done, err := fillChain(soft, c, size, show)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return page, err
	}
	page.rows, page.complete = rows, done && c.complete()
	if !done {
		if page.token, err = c.token(); err != nil {
			return page, err
		}
	}
	return page, nil
}
