package readers_test

import (
	"context"
	"errors"
	"testing"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// callRecords answers with one version of any call, in which u and v have a part, and counts.
type callRecords struct {
	asked   int
	version int64
	partial bool
	err     error
}

func (r *callRecords) Event(context.Context, string, string, source.Ref) (*parleyv1.Event, error) {
	r.asked++
	if r.err != nil {
		return nil, r.err
	}
	participants := []*parleyv1.CallParticipant{{Id: "u"}, {Id: "v"}}
	return &parleyv1.Event{Version: r.version, Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Partial: r.partial, Participants: participants}}}, nil
}

// TestRecordsAreCachedByVersion asks for whole call records and counts what reaches Graph.
func TestRecordsAreCachedByVersion(t *testing.T) {
	t.Parallel()
	failed := errors.New("gone")
	ask := func(version int64) source.Ref { return source.Ref{ID: "c", Version: version} }
	for name, tc := range map[string]struct {
		graph *callRecords
		refs  []source.Ref
		users []string
		asked int
	}{
		"one version":        {graph: &callRecords{version: 2}, refs: []source.Ref{ask(2), ask(2), ask(2)}, asked: 1},
		"a newer version":    {graph: &callRecords{version: 3}, refs: []source.Ref{ask(2), ask(3), ask(2), ask(3)}, asked: 2},
		"any version":        {graph: &callRecords{version: 2}, refs: []source.Ref{ask(0), ask(0)}, asked: 2},
		"an older version":   {graph: &callRecords{version: 1}, refs: []source.Ref{ask(2), ask(2)}, asked: 2},
		"a partial record":   {graph: &callRecords{version: 2, partial: true}, refs: []source.Ref{ask(2), ask(2)}, asked: 2},
		"a failure":          {graph: &callRecords{err: failed}, refs: []source.Ref{ask(2), ask(2)}, asked: 2},
		"two users":          {graph: &callRecords{version: 2}, refs: []source.Ref{ask(2), ask(2), ask(2)}, users: []string{"u", "v", "u"}, asked: 1},
		"two calls of one v": {graph: &callRecords{version: 2}, refs: []source.Ref{ask(2), {ID: "d", Version: 2}, ask(2)}, asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, cache.Config{}).Records(tc.graph, scope("a"))
			for i, ref := range tc.refs {
				user := "u"
				if tc.users != nil {
					user = tc.users[i]
				}
				event, err := r.Event(t.Context(), user, user, ref)
				if !errors.Is(err, tc.graph.err) || err == nil && event.GetVersion() != tc.graph.version {
					t.Errorf("%v, %v", event, err)
				}
			}
			if tc.graph.asked != tc.asked {
				t.Errorf("%d requests, want %d", tc.graph.asked, tc.asked)
			}
		})
	}
}

// TestACachedRecordIsRefusedToOthers asks for a cached record in which the user has no part.
func TestACachedRecordIsRefusedToOthers(t *testing.T) {
	t.Parallel()
	graph := &callRecords{version: 2}
	r := open(t, cache.Config{}).Records(graph, scope("a"))
	ref := source.Ref{ID: "c", Version: 2}
	for range 2 {
		if _, err := r.Event(t.Context(), "u", "u", ref); err != nil {
			t.Fatal(err)
		}
		if event, err := r.Event(t.Context(), "w", "w", ref); !errors.Is(err, source.ErrNotParticipant) || event != nil {
			t.Errorf("%v, %v", event, err)
		}
	}
	if graph.asked != 1 {
		t.Errorf("%d requests, want 1", graph.asked)
	}
}

// callProofs says the same of any call and counts.
type callProofs struct {
	asked int
	said  error
}

func (p *callProofs) VerifyParticipant(context.Context, string, source.Ref) error {
	p.asked++
	return p.said
}

// TestVerifiedParticipantsAreCachedByVersion: what a version of a record says of a user is kept, for or against; that it could not be read is
// not.
func TestVerifiedParticipantsAreCachedByVersion(t *testing.T) {
	t.Parallel()
	ask := func(version int64) source.Ref { return source.Ref{ID: "c", Version: version} }
	for name, tc := range map[string]struct {
		said  error
		refs  []source.Ref
		users []string
		asked int
	}{
		"proved":       {refs: []source.Ref{ask(1), ask(1), ask(1)}, asked: 1},
		"refuted":      {said: source.ErrNotParticipant, refs: []source.Ref{ask(1), ask(1)}, asked: 1},
		"unread":       {said: errors.New("gone"), refs: []source.Ref{ask(1), ask(1)}, asked: 2},
		"two versions": {refs: []source.Ref{ask(1), ask(2), ask(1)}, asked: 2},
		"two users":    {refs: []source.Ref{ask(1), ask(1), ask(1)}, users: []string{"u", "v", "v"}, asked: 2},
		"two calls":    {refs: []source.Ref{ask(1), {ID: "d", Version: 1}}, asked: 2},
		"no version":   {refs: []source.Ref{ask(0), ask(0)}, asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			graph := &callProofs{said: tc.said}
			p := open(t, cache.Config{}).Participants(graph, scope("a"))
			for i, ref := range tc.refs {
				user := "u"
				if tc.users != nil {
					user = tc.users[i]
				}
				if err := p.VerifyParticipant(t.Context(), user, ref); !errors.Is(err, tc.said) {
					t.Errorf("%v, want %v", err, tc.said)
				}
			}
			if graph.asked != tc.asked {
				t.Errorf("%d requests, want %d", graph.asked, tc.asked)
			}
		})
	}
}
