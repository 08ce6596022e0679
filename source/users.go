package source

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
)

const (
	usersPageSize = "999" // the maximum
	userFields    = "id,displayName,userPrincipalName"
)

// Users reads the directory.
type Users struct{ base }

var _ UserReader = (*Users)(nil)

// NewUsers returns the source of users.
func NewUsers(client Graph, opt Options) *Users {
	return &Users{base: newBase(client, opt, parleyv1.Source_SOURCE_USER)}
}

// Users implements UserReader.
func (u *Users) Users(ctx context.Context, link string) (*Page[*parleyv1.User], error) {
	table, err := u.table()
	if err != nil {
		return nil, err
	}
	answer, err := u.graph.Page(ctx, u.request(ctx, "/users", link,
		graph.Param{Name: "$select", Value: userFields}, graph.Param{Name: "$top", Value: usersPageSize}))
	if err != nil {
		return nil, err
	}
	return itemsOf(ctx, answer, func(record []byte) (*parleyv1.User, error) {
		user, err := table.User(record)
		if err != nil {
			return nil, malformed("a user cannot be read", err)
		}
		if user.GetId() != "" {
			user.Name = resource.User(user.GetId())
		}
		return user, nil
	})
}

// UserID implements UserReader.
func (u *Users) UserID(ctx context.Context, upn string) (string, error) {
	path, err := userPath(upn, "")
	if err != nil {
		return "", err
	}
	answer, err := u.graph.Object(ctx, u.request(ctx, path, "", graph.Param{Name: "$select", Value: "id"}))
	if err != nil {
		return "", err
	}
	all, err := properties(answer.Body)
	if err != nil {
		return "", err
	}
	id, ok := jsonText(find(all, "id"))
	if !ok || id == "" {
		return "", malformed("a user has no id", nil)
	}
	return id, nil
}
