package source_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// TestALostLinkIsReadOnceMoreFromTheStart: a link that Graph gave and answers with 404, 410 or 400 makes a list inside a Get be read once more, without
// repeating what was read; lost again, what lacks is told, and it is not an unknown user or chat.
func TestALostLinkIsReadOnceMoreFromTheStart(t *testing.T) {
	t.Parallel()
	chat := reply{body: `{"id":"` + chatID + `","chatType":"meeting","topic":"T"}`}
	for name, c := range map[string]struct {
		status, times int
		members       int
	}{
		"404 once":  {http.StatusNotFound, 1, 4},
		"400 once":  {http.StatusBadRequest, 1, 4},
		"410 once":  {http.StatusGone, 1, 4},
		"404 twice": {http.StatusNotFound, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			lost := c.times
			replies := script(map[string]reply{
				chatPrefix: chat, chatPrefix + "/members": list("/v1.0/m2", stranger, nameless, nameless), "/v1.0/m2": list("", member),
			})
			up, client := newUpstream(t, func(target string) reply {
				mu.Lock()
				defer mu.Unlock()
				if target == "/v1.0/m2" && lost > 0 {
					lost--
					return reply{status: c.status, body: graphError("ItemNotFound", "gone")}
				}
				return replies(target)
			})
			got, err := source.NewConversations(client, options("")).Conversation(t.Context(), userID, userID, chatID)
			if err != nil {
				t.Fatal(err)
			}
			lacking := c.times > 1
			if len(got.GetMembers()) != c.members || got.GetMembersTruncated() != lacking || (len(got.GetNotices()) > 0) != lacking {
				t.Errorf("%v, want %d members: %v", got, c.members, up.targets())
			}
		})
	}
}

// TestLostLinksInsideARecord: the link inside a call record that is lost leads to the list itself; one of segments, which have
// no list of their own, leaves the call partial.
func TestLostLinksInsideARecord(t *testing.T) {
	t.Parallel()
	const (
		record       = "/v1.0/communications/callRecords/c1?$expand=sessions%28%24expand%3Dsegments%29"
		participants = "/v1.0/communications/callRecords/c1/participants_v2"
		sessions     = "/v1.0/communications/callRecords/c1/sessions?$expand=segments"
	)
	me := `{"id":"` + userID + `","identity":{"user":{"id":"` + userID + `"}}}`
	for name, c := range map[string]struct {
		inside   string
		sessions int
		partial  bool
	}{
		"sessions": {`"sessions":[{"id":"a"}],"sessions@odata.nextLink":"{origin}/v1.0/gone"`, 2, false},
		"segments": {`"sessions":[{"id":"a","segments":[],"segments@odata.nextLink":"{origin}/v1.0/gone"}]`, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, script(map[string]reply{
				record:       {body: `{"id":"c1","startDateTime":"2026-11-20T10:00:00Z",` + c.inside + `}`},
				participants: list("", me), sessions: list("", `{"id":"a"}`, `{"id":"b"}`),
			}))
			event, err := source.NewCall(client, options("")).Event(t.Context(), userID, userID, source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: "c1"})
			if err != nil {
				t.Fatal(err)
			}
			call := event.GetCall()
			if len(call.GetSessions()) != c.sessions || call.GetPartial() != c.partial {
				t.Errorf("%d sessions, partial %t", len(call.GetSessions()), call.GetPartial())
			}
			if !slices.ContainsFunc(up.targets(), func(target string) bool { return strings.HasSuffix(target, "/gone") }) {
				t.Error("the link was not followed")
			}
		})
	}
}
