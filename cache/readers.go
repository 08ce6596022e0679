package cache

import (
	"context"
	"errors"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

type events struct {
	c     *Cache
	next  source.EventReader
	scope Scope
	// answers is the beginning of all keys of answers.
	answers keyed
}

type conversations struct {
	source.ConversationReader

	c     *Cache
	scope Scope
}

type usage struct {
	c     *Cache
	next  source.UsageReader
	scope Scope
}

type users struct {
	c     *Cache
	next  source.UserReader
	scope Scope
}

var (
	_ source.EventReader        = (*events)(nil)
	_ source.ConversationReader = (*conversations)(nil)
	_ source.UsageReader        = (*usage)(nil)
	_ source.UserReader         = (*users)(nil)
)

// Events decorates a reader of events.
func (c *Cache) Events(next source.EventReader, scope Scope) source.EventReader {
	return &events{c, next, scope, newKey("answer", scope)}
}

// Conversations decorates a reader of chats. Single chats are cached as pages of one: they verify membership for each page of a
// chat's events, and Graph allows one request a second for a chat. A member who leaves is seen after Config.Other.
func (c *Cache) Conversations(next source.ConversationReader, scope Scope) source.ConversationReader {
	return &conversations{next, c, scope}
}

// Usage decorates a reader of the usage report. Its pages are cached for Config.Usage, or until a newer refresh date is seen on any
// report of the tenant.
func (c *Cache) Usage(next source.UsageReader, scope Scope) source.UsageReader {
	return &usage{c, next, scope}
}

// Users decorates a reader of the directory. Object ids of user principal names are cached like pages.
func (c *Cache) Users(next source.UserReader, scope Scope) source.UserReader {
	return &users{c, next, scope}
}

// Events implements source.EventReader.
func (r *events) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	if inReading(ctx) {
		r.c.cfg.Observer.CacheRequest(shortName(r.scope.Source), resultMiss)
		page, err := r.next.Events(ctx, q, link)
		if err != nil {
			recorderOf(ctx).record(false, time.Time{})
			return nil, err
		}
		recorderOf(ctx).record(false, page.Read)
		return page, nil
	}
	key := r.key(&q)
	return look(ctx, r.c, request[source.Item]{
		source: r.scope.Source, key: key, link: link,
		life:  func(*entry) time.Duration { return r.c.windowTTL(&r.scope, q.End) },
		size:  func(i source.Item) int64 { return int64(len(i.Key)) + int64(cap(i.Basic)+cap(i.Unmapped)) },
		fetch: func(ctx context.Context) (*source.Page[source.Item], error) { return r.next.Events(ctx, q, link) },
	})
}

// key returns the key of a query: everything that its pages depend on.
func (r *events) key(q *source.EventQuery) keyed {
	key := newKey("events", r.scope)
	key.text(q.Owner, q.User, q.Conversation)
	key.time(q.Start)
	key.time(q.End)
	key.flags(q.ByCreateTime, q.Descending, q.Clause.SystemOnly, q.Clause.NoSystem)
	key.list(q.Clause.AppClasses)
	key.list(q.Clause.UserIDs)
	key.list(q.Clause.UserTypes)
	key.list(q.Clause.ApplicationTypes)
	key.text(q.Clause.ParticipantID)
	return key
}

// Conversations implements source.ConversationReader.
func (r *conversations) Conversations(
	ctx context.Context, q source.ConversationQuery, link string,
) (*source.Page[*parleyv1.Conversation], error) {
	key := newKey("conversations", r.scope)
	key.text(q.Owner, q.User, q.MemberName, q.InstalledApp)
	key.flags(q.ByLastMessage)
	return look(ctx, r.c, request[*parleyv1.Conversation]{
		source: r.scope.Source, key: key, link: link,
		life: func(*entry) time.Duration { return r.c.cfg.Other },
		size: func(m *parleyv1.Conversation) int64 { return resident(m) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.Conversation], error) {
			return r.ConversationReader.Conversations(ctx, q, link)
		},
	})
}

// Conversation implements source.ConversationReader.
func (r *conversations) Conversation(ctx context.Context, owner, user, id string) (*parleyv1.Conversation, error) {
	key := newKey("conversation", r.scope)
	key.text(owner, user, id)
	page, err := look(ctx, r.c, request[*parleyv1.Conversation]{
		source: r.scope.Source, key: key,
		life: func(*entry) time.Duration { return r.c.cfg.Other },
		size: func(m *parleyv1.Conversation) int64 { return resident(m) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.Conversation], error) {
			conversation, err := r.ConversationReader.Conversation(ctx, owner, user, id)
			return &source.Page[*parleyv1.Conversation]{Items: []*parleyv1.Conversation{conversation}, Read: time.Now()}, err
		},
	})
	if err != nil {
		return nil, err
	}
	return page.Items[0], nil
}

// Usage implements source.UsageReader.
func (r *usage) Usage(ctx context.Context, q source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	key := usageKey("usage", r.scope, q)
	return look(ctx, r.c, request[*parleyv1.CopilotUsageRow]{
		source: r.scope.Source, key: key, link: link,
		life: func(e *entry) time.Duration { return r.c.reportLife(e, &r.scope) },
		size: func(m *parleyv1.CopilotUsageRow) int64 { return resident(m) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.CopilotUsageRow], error) {
			return r.next.Usage(ctx, q, link)
		},
	})
}

// usageKey returns the key of a report: everything that its pages depend on.
func usageKey(kind string, scope Scope, q source.UsageQuery) keyed {
	key := newKey(kind, scope)
	key.text(q.Period, q.Version)
	return key
}

// Users implements source.UserReader.
func (r *users) Users(ctx context.Context, link string) (*source.Page[*parleyv1.User], error) {
	key := newKey("users", r.scope)
	return look(ctx, r.c, request[*parleyv1.User]{
		source: r.scope.Source, key: key, link: link,
		life:  func(*entry) time.Duration { return r.c.cfg.Other },
		size:  func(m *parleyv1.User) int64 { return resident(m) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.User], error) { return r.next.Users(ctx, link) },
	})
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
