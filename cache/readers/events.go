package readers

import (
	"context"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/source"
)

type events struct {
	scoped

	next source.EventReader
	// answers is the beginning of all keys of answers.
	answers cache.Key
}

var _ source.EventReader = (*events)(nil)

// Events decorates a reader of events.
func (d *Decorator) Events(next source.EventReader, scope Scope) source.EventReader {
	return &events{d.in(scope), next, scope.key("answer")}
}

// Events implements source.EventReader.
func (r *events) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	if cache.InReading(ctx) {
		page, err := r.next.Events(ctx, q, link)
		if err != nil {
			r.cache.CountMiss(ctx, r.label, time.Time{})
			return nil, err
		}
		r.cache.CountMiss(ctx, r.label, page.ReadAt)
		return page, nil
	}
	return getPage(ctx, &r.scoped, r.key(&q), link, func(ctx context.Context) (cache.Fetched[*source.Page[source.Item]], error) {
		page, err := r.next.Events(ctx, q, link)
		return fetchedPage(page, err, r.windowLife(q.End, time.Now()), sizeOfItem)
	})
}

func sizeOfItem(i source.Item) int64 { return int64(len(i.Key)) + int64(cap(i.Basic)+cap(i.Unmapped)) }

// key returns the key of a query: everything that its pages depend on.
func (r *events) key(q *source.EventQuery) cache.Key {
	key := r.scope.key("events")
	key.Text(q.Owner, q.User, q.Conversation)
	key.Time(q.Start)
	key.Time(q.End)
	key.Flags(q.ByCreateTime, q.Descending, q.Clause.SystemOnly, q.Clause.NoSystem)
	key.List(q.Clause.AppClasses)
	for _, s := range [...]*source.Sender{&q.Clause.Sender, &q.Clause.AnySender} {
		key.List(s.UserIDs)
		key.List(s.UserTypes)
		key.List(s.ApplicationTypes)
	}
	key.Text(q.Clause.ParticipantID)
	return key
}
