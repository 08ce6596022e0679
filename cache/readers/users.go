package readers

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
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
	scoped

	next Directory
}

var _ Directory = (*users)(nil)

// Users decorates a reader of the directory. Single users, object ids of user principal names and names are cached too.
func (d *Decorator) Users(next Directory, scope Scope) Directory {
	return &users{d.in(scope), next}
}

// Users implements source.UserReader.
func (r *users) Users(ctx context.Context, q source.UserQuery, link string) (*source.Page[*parleyv1.User], error) {
	key := r.scope.key("users")
	key.List(q.IDs)
	key.List(q.PrincipalNames)
	key.Text(q.DisplayName, q.NamePrefix)
	return getPage(ctx, &r.scoped, key, link, func(ctx context.Context) (cache.Fetched[*source.Page[*parleyv1.User]], error) {
		if len(q.IDs)+len(q.PrincipalNames)+len(q.DisplayName)+len(q.NamePrefix) > 0 {
			page, err := r.next.Users(ctx, q, link)
			return fetchedPage(page, err, r.cfg.Other, resident)
		}
		return r.list(ctx, key.Page(link), link)
	})
}

// list fetches a page of the whole directory, which replicas share.
func (r *users) list(ctx context.Context, key, link string) (cache.Fetched[*source.Page[*parleyv1.User]], error) {
	found, done := r.claim(ctx, key)
	defer done()
	if found != nil {
		page, err := decodeUsers(found.Bytes)
		if err == nil {
			page.ReadAt = found.ReadAt
			r.cache.CountShared(ctx, r.label, found.ReadAt)
			return fetchedPage(page, nil, found.Expires.Sub(found.ReadAt), resident)
		}
		r.cfg.Shared.Invalid()
	}
	page, err := r.next.Users(ctx, source.UserQuery{}, link)
	fetched, err := fetchedPage(page, err, r.cfg.Other, resident)
	if err == nil && len(page.Doubts) == 0 {
		read := page.ReadAt
		if read.IsZero() {
			read = time.Now()
		}
		r.share(key, read, fetched.Life, fetched.Size, func() []byte { return encodeUsers(page) })
	}
	return fetched, err
}

// sharedUsers is a page of the directory as replicas share it.
type sharedUsers struct {
	Users [][]byte
	Next  string
	Rows  int
}

// encodeUsers is decodeUsers the other way round.
func encodeUsers(page *source.Page[*parleyv1.User]) []byte {
	list := sharedUsers{Next: page.Next, Rows: page.Rows}
	for _, user := range page.Items {
		encoded, err := proto.Marshal(user)
		if err != nil { // Graph's text is made valid before
			return nil
		}
		list.Users = append(list.Users, encoded)
	}
	return encodeShared(list)
}

func decodeUsers(encoded []byte) (*source.Page[*parleyv1.User], error) {
	list, err := decodeShared[sharedUsers](encoded)
	if err != nil {
		return nil, err
	}
	page := &source.Page[*parleyv1.User]{Next: list.Next, Rows: list.Rows, FromCache: true}
	for _, one := range list.Users {
		user := &parleyv1.User{}
		if err := proto.Unmarshal(one, user); err != nil {
			return nil, err
		}
		page.Items = append(page.Items, user)
	}
	return page, nil
}

// User implements source.UserReader.
func (r *users) User(ctx context.Context, user string) (*parleyv1.User, error) {
	key := r.scope.key("user")
	key.Text(strings.ToLower(user))
	answer, err := get(ctx, &r.scoped, key, "", func(ctx context.Context) (cache.Fetched[*parleyv1.User], error) {
		found, err := r.next.User(ctx, user)
		return cache.Fetched[*parleyv1.User]{Value: found, Life: r.cfg.Other, Size: rowOverhead + resident(found)}, err
	})
	return answer.Value, err
}

// Names and object ids of users are no content: of cache-control only only-if-cached reaches names, so that Graph is not asked, and
// nothing reaches object ids. The headers of a call do not count them.
func withoutControl(ctx context.Context) context.Context {
	return cache.WithControl(context.WithValue(ctx, cache.RecorderKey{}, (*cache.Recorder)(nil)), cache.Control{})
}

const (
	// nameLife is how long a name is cached, and that the directory knows none.
	nameLife = time.Hour
	// nameSize is the memory of a name beside its key and text.
	nameSize = rowOverhead + 96
)

// Names implements source.NameReader. Each name is cached by itself; the ids that are missing are asked for together. An empty name
// says that the directory knows none.
func (r *users) Names(ctx context.Context, ids []string) (map[string]string, error) {
	offline := cache.ControlOf(ctx).OnlyIfCached || cache.ControlOf(ctx).OnlyUnderWay
	ctx = withoutControl(ctx)
	names := make(map[string]string, len(ids))
	var missing []string
	for _, id := range ids {
		id = strings.ToLower(id)
		name, cached := r.cache.Lookup(ctx, r.label, r.nameKey(id)).(string)
		switch {
		case !cached:
			r.cache.CountMiss(ctx, r.label, time.Time{})
			missing = append(missing, id)
		case name != "":
			names[id] = name
		}
	}
	switch {
	case len(missing) == 0:
		return names, nil
	case offline:
		return names, cache.ErrNotCached
	}
	found, err := r.next.Names(ctx, missing)
	for _, id := range missing {
		name, known := found[id]
		if known {
			names[id] = name
		}
		if known || err == nil {
			r.cache.Put(r.label, r.nameKey(id), cache.Fetched[any]{Value: name, Life: nameLife, Size: nameSize + int64(len(name))})
		}
	}
	return names, err
}

func (r *users) nameKey(id string) string {
	key := r.scope.key("name")
	key.Text(id)
	return key.Page("")
}

// foundUser is the directory's answer about a name: an object id, or that nobody has the name.
type foundUser struct {
	id     string
	nobody *graph.Error
}

const (
	// lookUpLife is how long the answer to a look-up is cached. It is the same whether somebody has the name or not: who may learn that
	// a user is not on a list, and not whether there is one, must not learn it from the time of the answer.
	lookUpLife = 5 * time.Minute
	// lookUpSize is the memory of an answer beside its key.
	lookUpSize = rowOverhead + 128
)

// UserID implements source.UserReader.
func (r *users) UserID(ctx context.Context, upn string) (string, error) {
	key := r.scope.key("user id")
	key.Text(upn)
	answer, err := get(withoutControl(ctx), &r.scoped, key, "", func(ctx context.Context) (cache.Fetched[foundUser], error) {
		if found, read, expires := r.idFromReplicas(ctx, key); found != nil {
			return cache.Fetched[foundUser]{Value: *found, ReadAt: read, Life: expires.Sub(read), Size: lookUpSize}, nil
		}
		id, err := r.next.UserID(ctx, upn)
		found := foundUser{id: id}
		if graphErr, ok := errors.AsType[*graph.Error](err); ok && graphErr.Kind == graph.KindNotFound && graphErr.Status != 0 {
			found.nobody, err = graphErr, nil
		}
		if err == nil {
			r.shareID(key, &found)
		}
		return cache.Fetched[foundUser]{Value: found, Life: lookUpLife, Size: lookUpSize}, err
	})
	if err != nil {
		return "", err
	}
	found := answer.Value
	if found.nobody == nil {
		return found.id, nil
	}
	nobody := *found.nobody
	if answer.Cached {
		nobody.Requests = 0
	}
	return "", &nobody
}

// sharedUser is the answer to a look-up as replicas share it.
type sharedUser struct {
	ID     string
	Nobody *sharedRefusal `json:",omitempty"`
}

// idFromReplicas returns the answer to a look-up that another replica has put; nil = there is none.
func (r *users) idFromReplicas(ctx context.Context, key cache.Key) (found *foundUser, read, expires time.Time) {
	if !r.isShared() {
		return nil, read, expires
	}
	answer, read, expires := sharedJSON[sharedUser](ctx, r.cfg.Shared, key.Page(""))
	if answer == nil {
		return nil, read, expires
	}
	found = &foundUser{id: answer.ID}
	if answer.Nobody != nil {
		found.nobody = answer.Nobody.error()
	}
	return found, read, expires
}

// shareID puts the answer to a look-up for other replicas.
func (r *users) shareID(key cache.Key, found *foundUser) {
	if !r.isShared() {
		return
	}
	answer := sharedUser{ID: found.id}
	if found.nobody != nil {
		nobody := refusalOf(found.nobody)
		answer.Nobody = &nobody
	}
	shareJSON(r.cfg.Shared, key.Page(""), time.Now(), lookUpLife, answer)
}
