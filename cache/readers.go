package cache

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
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

var (
	_ source.EventReader        = (*events)(nil)
	_ source.ConversationReader = (*conversations)(nil)
	_ source.UsageReader        = (*usage)(nil)
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
	for _, s := range [...]*source.Sender{&q.Clause.Sender, &q.Clause.AnySender} {
		key.list(s.UserIDs)
		key.list(s.UserTypes)
		key.list(s.ApplicationTypes)
	}
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
