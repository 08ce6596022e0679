package graphclient

import "testing"

// TestSpansShowNoIDsOfPaths holds that a path as spans show it has Graph's own words and nothing that may name somebody.
func TestSpansShowNoIDsOfPaths(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"/v1.0/users?$filter=startswith(displayName,'Ada')":                    "/v1.0/users",
		"/v1.0/users/ada@contoso.example/chats/getAllMessages?$top=50":         "/v1.0/users/{id}/chats/getAllMessages",
		"/v1.0/Users('ada@contoso.example')/chats/getallMessages?$skiptoken=x": "/v1.0/users/{id}/chats/getAllMessages",
		"/v1.0/users('a')/chats/getAllMessages()":                              "/v1.0/users/{id}/chats/getAllMessages",
		"/beta/chats/19:a@thread.v2/messages/17/hostedContents/x/$value":       "/beta/chats/{id}/messages/{id}/hostedContents/{id}/$value",
		"/beta/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')":     "/beta/reports/getMicrosoft365CopilotUsageUserDetail(…)",
		"/beta/reports/getMicrosoft365CopilotAda@contoso.example(period='D7')": "/beta/reports/{id}",
		"/v1.0/communications/callRecords('x')/sessions?$expand=segments":      "/v1.0/communications/callRecords/{id}/sessions",
		"/v1.0/(ada)/()/(": "/v1.0/{id}/{id}/{id}",
		"/v1.0/copilot/users/x/interactionHistory/getAllEnterpriseInteractions?a=b": "/v1.0/copilot/users/{id}/interactionHistory/getAllEnterpriseInteractions",
	} {
		if got := (target{uri: uri}).template(); got != want {
			t.Errorf("%s is shown as %s, want %s", uri, got, want)
		}
	}
}
