package graphmap_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/graphmap"
)

func TestAChatRecordBecomesAConversation(t *testing.T) {
	t.Parallel()
	got, err := newTable(t).Conversation([]byte(`{"id":"19:a@thread.v2","topic":null,"chatType":"meeting","viewpoint":{"isHidden":false,
		"lastMessageReadDateTime":"0001-01-01T00:00:00Z"},"onlineMeetingInfo":{"joinWebUrl":"https://j","organizer":{"id":"o","displayName":null,
		"userIdentityType":"aadUser"}},"members@odata.context":"c","members":[{"@odata.type":"#microsoft.graph.aadUserConversationMember","id":"m",
		"roles":[],"displayName":"Ada","userId":"u","email":null,"tenantId":"t","shoeSize":44}],"lastMessagePreview@odata.context":"c",
		"lastMessagePreview":{"id":"1","isDeleted":true,"body":{"contentType":"text","content":"hi"},"mood":"good"},"tabs":[{"id":"t"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &parleyv1.Conversation{}
	if err := protojson.Unmarshal([]byte(`{"chatId":"19:a@thread.v2","chatType":"CHAT_TYPE_MEETING","viewpoint":{"isHidden":false},
		"onlineMeeting":{"joinWebUrl":"https://j","organizer":{"id":"o","identityType":"IDENTITY_TYPE_AAD_USER"}},
		"members":[{"id":"m","memberType":"aadUserConversationMember","displayName":"Ada","userId":"u","tenantId":"t"}],
		"lastMessage":{"id":"1","isDeleted":true,"body":{"contentType":"CONTENT_TYPE_TEXT","content":"hi"}},
		"unmapped":{"members":{"0":{"shoeSize":44}},"lastMessagePreview":{"mood":"good"},"tabs":[{"id":"t"}]}}`), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestAUserRecordBecomesAUser(t *testing.T) {
	t.Parallel()
	got, err := newTable(t).User([]byte(`{"id":"u","displayName":"Ada","userPrincipalName":"ada@contoso.example","mail":"x"}`))
	want := &parleyv1.User{Id: "u", DisplayName: "Ada", UserPrincipalName: "ada@contoso.example"}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestARowOfAReportBecomesARowForEachPeriod(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, record string
		want         []string
	}{
		{"one period", `{"reportRefreshDate":"2026-11-01","userPrincipalName":"a@b.example","lastActivityDate":"","wordCopilotLastActivityDate":null,"copilotActivityUserDetailsByPeriod":[{"reportPeriod":7}]}`, []string{`{"reportRefreshDate":"2026-11-01","userPrincipalName":"a@b.example","reportPeriod":7}`}},
		{"several periods", `{"copilotActivityUserDetailsByPeriod":[{"reportPeriod":7,"x":1},null,3,{"reportPeriod":28}],"displayName":"A","y":2}`, []string{`{"displayName":"A","reportPeriod":7,"unmapped":{"y":2,"copilotActivityUserDetailsByPeriod":{"2":3,"0":{"x":1}}}}`, `{"displayName":"A","reportPeriod":28,"unmapped":{"y":2,"copilotActivityUserDetailsByPeriod":{"2":3}}}`}},
		{"no period", `{"displayName":"A","copilotActivityUserDetailsByPeriod":[]}`, []string{`{"displayName":"A"}`}},
		{"periods of no sense", `{"copilotActivityUserDetailsByPeriod":"x"}`, []string{`{"unmapped":{"copilotActivityUserDetailsByPeriod":"x"}}`}},
		{"columns", `{"Report Refresh Date":"2026-11-01","Report Period":"30","PowerPoint Copilot Last Activity Date":"2026-10-30","Copilot Chat (work) Last Activity Date":"2026-10-29","Prompts submitted for all apps":"12","Copilot Chat Last Activity Date":"2026-10-28","Loop Copilot Last Activity Date":"","Mood":"fine"}`, []string{`{"reportRefreshDate":"2026-11-01","reportPeriod":30,"powerPointCopilotLastActivityDate":"2026-10-30","copilotChatWorkLastActivityDate":"2026-10-29","promptsSubmittedAllApps":"12","copilotChatLastActivityDate":"2026-10-28","unmapped":{"Mood":"fine"}}`}},
		{"days written as times", `{"reportRefreshDate":"2026-11-20T00:00:00Z","lastActivityDate":"2026-11-19T00:00:00","wordCopilotLastActivityDate":" 2026-11-18t23:59:59.9999999+13:00 ","excelCopilotLastActivityDate":"2026-11-17 00:00:00"}`, []string{`{"reportRefreshDate":"2026-11-20","lastActivityDate":"2026-11-19","wordCopilotLastActivityDate":"2026-11-18","excelCopilotLastActivityDate":"2026-11-17"}`}},
		{"days that are none", `{"reportRefreshDate":"20.11.2026","lastActivityDate":"2026-02-30","wordCopilotLastActivityDate":"2026-11-20Z","excelCopilotLastActivityDate":20261120,"loopCopilotLastActivityDate":"2026-11-20T25:00:00Z","oneNoteCopilotLastActivityDate":"11/20/2026 12:00:00 AM","outlookCopilotLastActivityDate":"Never","edgeLastActivityDate":true}`, []string{`{"unmapped":{"reportRefreshDate":"20.11.2026","lastActivityDate":"2026-02-30","wordCopilotLastActivityDate":"2026-11-20Z","excelCopilotLastActivityDate":20261120,"loopCopilotLastActivityDate":"2026-11-20T25:00:00Z","oneNoteCopilotLastActivityDate":"11/20/2026 12:00:00 AM","outlookCopilotLastActivityDate":"Never","edgeLastActivityDate":true}}`}},
		{"days that are unset", `{"lastActivityDate":"0001-01-01T00:00:00Z","wordCopilotLastActivityDate":"0001-01-01","excelCopilotLastActivityDate":" "}`, []string{`{"unmapped":{"excelCopilotLastActivityDate":" "}}`}},
		{"columns spelt as properties", `{"promptsSubmittedForAllApps":3,"activeUsageDaysForAllApps":"x"}`, []string{`{"promptsSubmittedAllApps":"3","unmapped":{"activeUsageDaysForAllApps":"x"}}`}},
	}
	table := newTable(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := table.UsageRows([]byte(test.record))
			if err != nil {
				t.Fatal(err)
			}
			want := make([]*parleyv1.CopilotUsageRow, len(test.want))
			for i := range want {
				want[i] = &parleyv1.CopilotUsageRow{}
				if err := protojson.Unmarshal([]byte(test.want[i]), want[i]); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNestedLinksAreFoundWithTheirPaths(t *testing.T) {
	t.Parallel()
	got, err := newTable(t).NestedLinks(graphmap.RootCallRecord, []byte(`{"@odata.nextLink":"own","participants_v2@odata.nextLink":"https:\/\/g\/p?$skiptoken=%2B","sessions":[{"id":"1"},
		{"segments":[{"id":"s"}],"segments@odata.nextLink":"https://g/s"}],"sessions@odata.nextLink":"https://g/q","x@odata.nextLink":null,"y@odata.nextLink":""}`))
	want := []graphmap.NestedLink{
		{Path: []string{"participants_v2"}, URL: "https://g/p?$skiptoken=%2B"},
		{Path: []string{"sessions", "1", "segments"}, URL: "https://g/s"},
		{Path: []string{"sessions"}, URL: "https://g/q"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	// Any spelling, as Microsoft's own pages print them.
	got, err = newTable(t).NestedLinks(graphmap.RootCallRecord, []byte(`{"sessions@odata.nextlink":"a","participants_v2@odata.NextLink":"b","x@nextLink":"c","y@odata.deltaLink":"d","hasNextLink":"e"}`))
	want = []graphmap.NestedLink{{Path: []string{"sessions"}, URL: "a"}, {Path: []string{"participants_v2"}, URL: "b"}, {Path: []string{"x"}, URL: "c"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got, err := newTable(t).NestedLinks(graphmap.RootCallRecord, []byte(`{"sessions":[]}`)); err != nil || got != nil {
		t.Error(got, err)
	}
}

func TestMergePutsAStructUnderItsPath(t *testing.T) {
	t.Parallel()
	object := func(text string) *structpb.Struct {
		s := &structpb.Struct{}
		if err := protojson.Unmarshal([]byte(text), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if got := graphmap.Merge(nil, &structpb.Struct{}, "sessions", "0"); got != nil {
		t.Errorf("nothing was merged to %v", got)
	}
	tests := []struct{ dst, extra, want string }{
		{`{}`, `{"a":1}`, `{"sessions":{"7":{"a":1}}}`},
		{`{"sessions":{"7":{"b":{"c":1}},"6":{"d":2}},"e":3}`, `{"a":1,"b":{"f":4}}`, `{"sessions":{"7":{"a":1,"b":{"c":1,"f":4}},"6":{"d":2}},"e":3}`},
	}
	for _, test := range tests {
		got := graphmap.Merge(object(test.dst), object(test.extra), "sessions", "7")
		if diff := cmp.Diff(object(test.want), got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
}

// TestNavigationThatIsNotExpandedIsKept sends what Parley never asks Graph to expand: it has no field, and is not lost.
func TestNavigationThatIsNotExpandedIsKept(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	const entity = `{"@odata.type":"#microsoft.graph.chatMessage","id":"7","body":{"content":"text"},"list":[1,{"a":true}]}`
	want, err := structpb.NewValue(map[string]any{
		"@odata.type": "#microsoft.graph.chatMessage", "id": "7", "body": map[string]any{"content": "text"}, "list": []any{1, map[string]any{"a": true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"installedApps", "messages", "operations", "permissionGrants", "pinnedMessages", "tabs", "targetedMessages"} {
		chat, err := table.Conversation([]byte(`{"id":"c","` + name + `":[` + entity + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := chat.GetUnmapped().GetFields()[name].GetListValue().GetValues(); len(got) != 1 || !proto.Equal(got[0], want) {
			t.Errorf("chat.%s: %v", name, got)
		}
	}
	message, err := table.Event(graphmap.RootChatMessage, []byte(`{"id":"c","replies":[`+entity+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := message.GetUnmapped().GetFields()["replies"].GetListValue().GetValues(); len(got) != 1 || !proto.Equal(got[0], want) {
		t.Errorf("chatMessage.replies: %v", got)
	}
	_, extra, err := table.Member([]byte(`{"id":"m","user":` + entity + `}`))
	if err != nil || !proto.Equal(extra.GetFields()["user"], want) {
		t.Errorf("aadUserConversationMember.user: %v %v", extra, err)
	}
}
