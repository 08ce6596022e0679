package export_test

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/export"
	"github.com/parley-gateway/parley/export/internal/dataset"
)

func noticeCodes(m manifest) []string {
	out := make([]string, 0, len(m.Notices))
	for _, notice := range m.Notices {
		out = append(out, notice.Code)
	}
	slices.Sort(out)
	return out
}

// TestConversations: a list whose connection was cut is read again without doubles; a refused or incomplete one is a notice, and the run is complete.
func TestConversations(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options(out)
	o.Datasets = []string{dataset.Conversations, dataset.Users}
	g := &gateway{users: 5, chats: map[int]string{1: "cut", 2: "refused", 3: "incomplete"}}
	result, err := run(t, g.serve(t), o)
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, out, result.Run)
	got := rows[dataset.Conversation](t, out, m, dataset.Conversations)
	keys := make([]string, 0, len(got))
	for _, row := range got {
		keys = append(keys, row.UserID[35:]+" "+row.UID)
	}
	equal(t, []string{
		"0 chat-0-0", "0 chat-shared-0", "0 chat-0-2", "1 chat-1-0", "1 chat-shared-0", "1 chat-1-2",
		"3 chat-3-0", "3 chat-shared-1", "3 chat-3-2", "4 chat-4-0", "4 chat-shared-2", "4 chat-4-2",
	}, keys)
	first := got[0]
	if first.ConversationID != "chat-0-0" || first.Kind != "CONVERSATION_KIND_GROUP" || first.ChatType != "CHAT_TYPE_GROUP" || first.Topic != "Plans" ||
		first.Members != `[{"displayName":"Mara"}]` || first.CreateTime == nil || !first.CreateTime.Equal(start) {
		t.Errorf("%+v", first)
	}
	equal(t, []string{"CONVERSATIONS_INCOMPLETE", "CONVERSATIONS_REFUSED"}, noticeCodes(m))
	if users := rows[dataset.User](t, out, m, dataset.Users); len(users) != 5 || users[0].DisplayName != "User 0" {
		t.Errorf("users %+v", users)
	}
}

// TestConversationsWithoutGraph: conversations that Graph does not give are a notice, as long as it gives those of others; where it gives nobody's,
// the run is incomplete, and the next one reads these lists and no events.
func TestConversationsWithoutGraph(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		chats map[int]string
		rows  int64
	}{
		"of one":    {map[int]string{5: "down"}, 5 * 3},
		"of some":   {map[int]string{0: "down", 1: "down", 2: "broken", 4: "down"}, 2 * 3},
		"of nobody": {map[int]string{0: "down", 1: "down", 2: "down", 3: "down", 4: "down", 5: "down"}, 0},
	} {
		out := t.TempDir()
		o := options(out)
		o.Datasets, o.Stream.Retries = []string{dataset.Conversations}, 2
		g := &gateway{users: 6, chats: c.chats}
		address := g.serve(t)
		result, err := run(t, address, o)
		if c.rows == 0 {
			m := readManifest(t, out, result.Run)
			if !errors.Is(err, export.ErrIncomplete) || m.Outcome != "INCOMPLETE" || m.Counts.UsersRead != 6 {
				t.Errorf("%s: %v, %+v", name, err, m.Manifest)
			}
			equal(t, []string{"DATASETS_MISSING"}, noticeCodes(m))
			g.mu.Lock()
			g.chats = nil
			g.mu.Unlock()
			if result, err = run(t, address, o); err != nil || len(g.requests) != 1 {
				t.Errorf("%s, again: %v, %d streams", name, err, len(g.requests))
			}
			m = readManifest(t, out, result.Run)
			if m.Outcome != "COMPLETE" || m.Counts.Rows[dataset.Conversations] != 6*3 || len(m.Notices) > 0 {
				t.Errorf("%s, again: %+v", name, m.Manifest)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m := readManifest(t, out, result.Run)
		equal(t, []string{"CONVERSATIONS_INCOMPLETE"}, noticeCodes(m))
		if m.Counts.Rows[dataset.Conversations] != c.rows {
			t.Errorf("%s: %+v", name, m.Counts)
		}
	}
}

// TestDoubtfulListsAreReported: a list of users and a usage report that are not whole are notices.
func TestDoubtfulListsAreReported(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options(out)
	o.Datasets = []string{dataset.Usage, dataset.Users}
	result, err := run(t, (&gateway{users: 2, doubtful: true}).serve(t), o)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, []string{"DIRECTORY_INCOMPLETE", "USAGE_INCOMPLETE"}, noticeCodes(readManifest(t, out, result.Run)))
}

func TestUsageIsWrittenOnceForAllShards(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	address := (&gateway{users: 4}).serve(t)
	var last export.Result
	for shard := range 2 {
		o := options(out)
		o.Datasets, o.Shard, o.Shards = []string{dataset.Usage}, shard, 2
		result, err := run(t, address, o)
		if err != nil {
			t.Fatal(err)
		}
		last = result
	}
	got := rows[dataset.UserUsage](t, out, readManifest(t, out, last.Run), dataset.Usage)
	if len(got) != 4 {
		t.Fatalf("%d rows of two shards, want one of each user: %+v", len(got), got)
	}
	row := got[3]
	if row.UserID != userID(3) || row.UserPrincipalName != "user3@contoso.example" || row.ReportRefreshDate != "2026-11-28" || *row.ReportPeriod != 7 || *row.Prompts != 3 {
		t.Errorf("%+v", row)
	}
}

func TestARefusedUsageReportIsANotice(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	o := options(out)
	o.Datasets = []string{dataset.Usage}
	result, err := run(t, (&gateway{users: 2, usage: failure(codes.PermissionDenied, "NOT_ALLOWED", -1)}).serve(t), o)
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, out, result.Run)
	equal(t, []string{"USAGE_REFUSED"}, noticeCodes(m))
	if m.Counts.Rows[dataset.Usage] != 0 || m.Outcome != "COMPLETE" {
		t.Errorf("%+v", m.Manifest)
	}
}
