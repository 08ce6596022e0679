package e2e_test

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/config"
)

// TestChatsByLastMessage asks for chats by their last message from a Graph that orders them, one that refuses to, one that does not
// know the order, and in a cloud whose chats have none: the answer is the same, in lists of every size and in streams.
func TestChatsByLastMessage(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, g *tenantUnderTest, size string) (names []string) {
		t.Helper()
		path := "/v1/users/" + g.sim.DemoUser().ID + "/conversations?orderBy=" + url.QueryEscape("last_message_time desc") + "&pageSize=" + size
		for token := ""; ; {
			var page parleyv1.ListConversationsResponse
			if status, body := g.get(t, path+"&pageToken="+url.QueryEscape(token), &page); status != http.StatusOK {
				t.Fatalf("HTTP %d %s", status, body)
			}
			for _, chat := range page.GetConversations() {
				names = append(names, chat.GetName())
			}
			if len(page.GetNotices()) > 0 {
				t.Errorf("notices %v", page.GetNotices())
			}
			if token = page.GetNextPageToken(); token == "" {
				if !page.GetComplete() {
					t.Errorf("not complete: %v", page.GetSources())
				}
				return names
			}
		}
	}
	want := read(t, serve(t, graphsim.Config{}, nil), "1000")
	if len(want) < 7 {
		t.Fatalf("%d chats", len(want))
	}
	for name, test := range map[string]struct {
		fault  string
		change func(*config.Settings)
	}{
		"refused":       {faults.RefuseOrder, nil},
		"ignored":       {faults.IgnoreOrder, nil},
		"US Government": {"", func(s *config.Settings) { s.GraphCloud = "us-l4" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := graphsim.Config{}
			if test.fault != "" {
				cfg.Faults = []faults.Fault{{Kind: test.fault, Match: graphsim.SourceChats}}
			}
			g := serve(t, cfg, test.change)
			for _, size := range []string{"1000", "3"} {
				if diff := cmp.Diff(want, read(t, g, size)); diff != "" {
					t.Errorf("pages of %s (-want +got):\n%s", size, diff)
				}
			}
			status, body := g.get(t, "/v1/users/"+g.sim.DemoUser().ID+"/conversations:stream?orderBy="+url.QueryEscape("last_message_time desc"), nil)
			at := make([]int, len(want))
			for i, chat := range want {
				at[i] = bytes.Index(body, []byte(`"name":"`+chat+`"`))
			}
			if status != http.StatusOK || slices.Contains(at, -1) || !slices.IsSorted(at) || !bytes.Contains(body, []byte(`"complete":true`)) {
				t.Errorf("stream: HTTP %d, chats at %v", status, at)
			}
		})
	}
}
