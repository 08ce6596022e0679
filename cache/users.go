package cache

import (
	"context"
	"errors"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// Directory is a reader of users and of their names.
type Directory interface {
	source.UserReader
	source.NameReader
}

type users struct {
	c     *Cache
	next  Directory
	scope Scope
}

var _ Directory = (*users)(nil)

// Users decorates a reader of the directory. Single users, object ids of user principal names and names are cached like pages of one.
func (c *Cache) Users(next Directory, scope Scope) Directory {
	return &users{c, next, scope}
}

// Users implements source.UserReader.
func (r *users) Users(ctx context.Context, q source.UserQuery, link string) (*source.Page[*parleyv1.User], error) {
	key := newKey("users", r.scope)
	key.list(q.IDs)
	key.list(q.PrincipalNames)
	key.text(q.DisplayName, q.NamePrefix)
	return look(ctx, r.c, request[*parleyv1.User]{
		source: r.scope.Source, key: key, link: link,
		life:  func(*entry) time.Duration { return r.c.cfg.Other },
		size:  func(m *parleyv1.User) int64 { return resident(m) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.User], error) { return r.next.Users(ctx, q, link) },
	})
}

// User implements source.UserReader.
func (r *users) User(ctx context.Context, user string) (*parleyv1.User, error) {
	key := newKey("user", r.scope)
	key.text(strings.ToLower(user))
	page, err := look(ctx, r.c, request[*parleyv1.User]{
		source: r.scope.Source, key: key,
		life: func(*entry) time.Duration { return r.c.cfg.Other },
		size: func(m *parleyv1.User) int64 { return resident(m) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.User], error) {
			found, err := r.next.User(ctx, user)
			return &source.Page[*parleyv1.User]{Items: []*parleyv1.User{found}, Read: time.Now()}, err
		},
	})
	if err != nil {
		return nil, err
	}
	return page.Items[0], nil
}

const (
	// nameLife is how long a name is cached, and that the directory knows none.
	nameLife = time.Hour
	// nameSize is the memory of a name beside its key.
	nameSize = 96
)

// Names implements source.NameReader. Each name is cached by itself; the ids that are missing are asked for together. Like an object id, a
// name is no content: of cache-control only only-if-cached reaches it, so that Graph is not asked.
func (r *users) Names(ctx context.Context, ids []string) (map[string]string, error) {
	offline := ControlOf(ctx).OnlyIfCached || ControlOf(ctx).OnlyUnderWay
	ctx = WithControl(context.WithValue(ctx, RecorderKey{}, (*Recorder)(nil)), Control{})
	names := make(map[string]string, len(ids))
	var missing []string
	for _, id := range ids {
		id = strings.ToLower(id)
		e, _ := r.c.get(ctx, r.nameKey(id).with(""), "")
		if e == nil {
			missing = append(missing, id)
			continue
		}
		if page, ok := e.value.(*source.Page[string]); ok && page.Items[0] != "" {
			names[id] = page.Items[0]
		}
	}
	r.observe(len(ids)-len(missing), len(missing))
	switch {
	case len(missing) == 0:
		return names, nil
	case offline:
		return names, ErrNotCached
	}
	found, err := r.next.Names(ctx, missing)
	for _, id := range missing {
		name, known := found[id]
		if known {
			names[id] = name
		}
		if known || err == nil {
			r.putName(id, name)
		}
	}
	return names, err
}

func (r *users) nameKey(id string) keyed {
	key := newKey("name", r.scope)
	key.text(id)
	return key
}

func (r *users) putName(id, name string) {
	put := request[string]{
		source: r.scope.Source, key: r.nameKey(id),
		life: func(*entry) time.Duration { return nameLife },
		size: func(name string) int64 { return nameSize + int64(len(name)) },
	}
	put.put(r.c, put.key.with(""), &source.Page[string]{Items: []string{name}, Read: time.Now()})
}

func (r *users) observe(hits, misses int) {
	name := shortName(r.scope.Source)
	for range hits {
		r.c.cfg.Observer.CacheRequest(name, resultHit)
	}
	for range misses {
		r.c.cfg.Observer.CacheRequest(name, resultMiss)
	}
}

// lookedUp is the directory's answer about a name: an object id, or that nobody has the name.
type lookedUp struct {
	id     string
	nobody *graph.Error
}

// lookUpLife is how long the answer to a look-up is cached. It is the same whether somebody has the name or not: who may learn that a
// user is not on a list, and not whether there is one, must not learn it from the time of the answer.
const lookUpLife = 5 * time.Minute

// UserID implements source.UserReader. Cache-control does not reach it: an identity is not content.
func (r *users) UserID(ctx context.Context, upn string) (string, error) {
	key := newKey("user id", r.scope)
	key.text(upn)
	ctx = WithControl(context.WithValue(ctx, RecorderKey{}, (*Recorder)(nil)), Control{})
	page, err := look(ctx, r.c, request[lookedUp]{
		source: r.scope.Source, key: key,
		life: func(*entry) time.Duration { return lookUpLife },
		size: func(lookedUp) int64 { return lookUpSize },
		fetch: func(ctx context.Context) (*source.Page[lookedUp], error) {
			id, err := r.next.UserID(ctx, upn)
			found := lookedUp{id: id}
			if graphErr, ok := errors.AsType[*graph.Error](err); ok && graphErr.Kind == graph.KindNotFound && graphErr.Status != 0 {
				found.nobody, err = graphErr, nil
			}
			return &source.Page[lookedUp]{Items: []lookedUp{found}, Read: time.Now()}, err
		},
	})
	if err != nil {
		return "", err
	}
	if len(page.Items) != 1 {
		return r.next.UserID(ctx, upn)
	}
	found := page.Items[0]
	if found.nobody == nil {
		return found.id, nil
	}
	nobody := *found.nobody
	if page.FromCache {
		nobody.Requests = 0
	}
	return "", &nobody
}

// lookUpSize is the memory of an answer beside its key.
const lookUpSize = 128
