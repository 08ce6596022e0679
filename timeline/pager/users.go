package pager

import (
	"context"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/query"
)

// ListUsers answers one page of users.
func (l *Lister) ListUsers(
	ctx context.Context, sources query.Sources, req query.Users, token string, size int,
) (*parleyv1.ListUsersResponse, error) {
	compiled, err := req.CompileFilter()
	if err != nil {
		return nil, err
	}
	ask, pushed := compiled.PushUsers()
	users := api[*parleyv1.User]{
		source: parleyv1.Source_SOURCE_USER, digest: req.Digest(), key: func(u *parleyv1.User) string { return u.GetName() },
		read: func(ctx context.Context, link string) (graphPage[*parleyv1.User], error) {
			return single(sources.Users.Users(ctx, ask, link))
		},
	}
	if compiled != nil {
		users.pushed, users.evaluated = pushed, compiled.Evaluated()
		users.match = func(_ context.Context, row *parleyv1.User, _ bool) (matches, known bool, err error) {
			result := compiled.Match(row)
			return result == filter.True, result != filter.Unknown, nil
		}
	}
	p, err := open(&l.cfg, users, token, "page_token")
	if err != nil {
		return nil, err
	}
	page, err := list(ctx, &l.cfg, p, size, func(u *parleyv1.User) *parleyv1.User {
		shown, _ := view.Apply(u, req.ShownView()).(*parleyv1.User) // what goes in comes out
		return shown
	})
	if err != nil {
		return nil, err
	}
	return &parleyv1.ListUsersResponse{
		Users: page.rows, NextPageToken: page.token, Complete: page.complete, Notices: p.News(), Sources: page.reports(),
	}, nil
}
