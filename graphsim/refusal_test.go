package graphsim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// unlicensed finds a user without Copilot.
func unlicensed(s *graphsim.Sim) string {
	for p := range s.Oracle("").Users() {
		if !s.Oracle("").Licensed(p.ID) {
			return p.ID
		}
	}
	return ""
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	u := "/v1.0/users/" + s.DemoUser().ID
	var chat string
	for id := range s.Oracle("").Chats(s.DemoUser().ID) {
		chat = url.PathEscape(id)
	}
	copilot := "/v1.0/copilot/users/" + s.DemoUser().ID + "/interactionHistory/getAllEnterpriseInteractions"
	export, messages, calls := u+"/chats/getAllMessages", u+"/chats/"+chat+"/messages", "/v1.0/communications/callRecords"
	report := "getMicrosoft365CopilotUsageUserDetail"
	var call string
	for r := range s.Oracle("").Records(graphsim.SourceCall, "", time.Time{}, time.Time{}) {
		call = calls + "/" + r.ID
	}
	for _, q := range []struct {
		path   string
		status int
		want   string
	}{
		{"/v2.0/users", 400, "Invalid version"},
		{"/v1.0", 400, "Empty segment"},
		{"/v1.0/nothing", 400, "Resource not found for the segment 'nothing'."},
		{u + "/chats/" + chat + "/pins", 400, "Resource not found for the segment 'pins'."},
		{"/v1.0/chats", 412, "application-only"},
		{"/v1.0/me/chats", 412, "application-only"},
		{"/v1.0/me", 400, "/me request is only valid with delegated authentication flow."},
		{"/v1.0/users?$skip=5", 400, "'Skip' is not allowed"},
		{"/v1.0/users?$top=1000", 400, "The limit of '999' for Top query has been exceeded."},
		{"/v1.0/users?$top=0", 400, "$top"},
		{"/v1.0/users?$select=shoeSize", 400, "shoeSize"},
		{"/v1.0/users?$filter=" + url.QueryEscape("assignedPlans/any(p:p/capabilityStatus eq 'Enabled')"), 400, "Unsupported or invalid query filter clause"},
		{"/v1.0/users?$filter=" + url.QueryEscape("displayName ne 'Ada'"), 400, "Unsupported Query."},
		{"/v1.0/users?$filter=" + url.QueryEscape("startswith(id,'a')"), 400, "Unsupported Query."},
		{"/v1.0/users?$filter=" + url.QueryEscape("id eq 'ada'"), 400, "Invalid object identifier 'ada'."},
		{"/v1.0/users?$filter=" + url.QueryEscape("id in ('ada')"), 400, "Invalid object identifier 'ada'."},
		{"/v1.0/users?$filter=" + url.QueryEscape("accountEnabled eq 'yes'"), 400, "Invalid filter clause"},
		{"/v1.0/users?$filter=" + url.QueryEscape("displayName eq 5"), 400, "Invalid filter clause"},
		{"/v1.0/users?$filter=" + url.QueryEscape("displayName in ('"+strings.Repeat("a','", 15)+"a')"), 400, "Max allowed: 15."},
		{"/v1.0/users?$filter=" + url.QueryEscape("displayName in ('a'"), 400, "Invalid filter clause"},
		{"/v1.0/users?$count=true", 400, "$count is not currently supported."},
		{"/v1.0/users?$count=many", 400, "$count"},
		{"/v1.0/users?$search=x", 400, "'Search' is not allowed"},
		{u + "?$filter=" + url.QueryEscape("id eq 'a'"), 400, "'Filter' is not allowed"},
		{u + "/chats?$filter=" + url.QueryEscape("startswith(topic,'a')"), 400, ""},
		{"/v1.0/users?$skiptoken=???", 400, "Invalid continuation token"},
		{"/v1.0/users?$top=1&$top=2", 400, "more than once"},
		{"/v1.0/users/nobody@lindenhall.example", 404, "does not exist"},
		{"/v1.0/users/11111111-aaaa-4aaa-8aaa-111111111111/chats", 404, "does not exist"},
		{u + "/chats?$top=51", 400, "The limit of '50'"},
		{u + "/chats?$orderby=topic", 400, "order by"},
		{u + "/chats?$expand=tabs", 400, "tabs"},
		{u + "/chats?" + filter("topic eq 'x'"), 400, "Invalid $filter query."},
		{u + "/chats?$select=id", 400, "'Select' is not allowed"},
		{u + "/chats?$skiptoken=zzz", 400, "Invalid continuation token"},
		{u + "/chats/19:nothing@thread.v2", 404, ""},
		{u + "/chats/19%3Anothing%40thread.v2/messages", 404, ""},
		{messages + "?$top=51", 400, "The limit of '50'"},
		{messages + "?$orderby=createdDateTime", 400, "order by"},
		{messages + "?$orderby=createdDateTime%20desc&" + filter("createdDateTime le 2026-01-01T00:00:00Z"), 400, "The entity property 'createdDateTime' and operationKind 'LessThanOrEqual' is not allowed in $filter query."},
		{messages + "?$orderby=lastModifiedDateTime%20desc&" + filter("lastModifiedDateTime ge 2026-01-01T00:00:00Z"), 400, "operationKind 'GreaterThanOrEqual'"},
		{messages + "?" + filter("createdDateTime gt 2026-01-01T00:00:00Z"), 400, "'GreaterThan'"},
		{messages + "/notanumber", 404, ""},
		{messages + "/1", 404, ""},
		{export + "?" + filter("lastModifiedDateTime gt 2026-01-01T00:00:00Z"), 400, "Invalid $filter query."},
		{export + "?" + filter("lastModifiedDateTime ge 2026-01-01T00:00:00Z and lastModifiedDateTime le 2026-02-01T00:00:00Z"), 400, "Invalid $filter query."},
		{export + "?" + filter("lastModifiedDateTime gt 2026-01-01T00:00:00Z or lastModifiedDateTime lt 2026-02-01T00:00:00Z"), 400, "Invalid $filter query."},
		{export + "?" + filter("subject eq 'x'"), 400, "Invalid $filter query."},
		{export + "?" + filter("from/user/id eq"), 400, "Invalid $filter query."},
		{export + "?$skiptoken=U2tpcA", 400, "Invalid continuation token"},
		{export + "?model=C", 400, "model"},
		{export + "?$orderby=createdDateTime", 400, "not allowed"},
		{copilot + "?" + filter("createdDateTime gt 2026-01-01T00:00:00Z"), 400, "Invalid $filter query."},
		{copilot + "?" + filter("sessionId eq 'x'"), 400, "Invalid $filter query."},
		{copilot + "?$orderby=createdDateTime", 400, "not allowed"},
		{strings.Replace(copilot, s.DemoUser().ID, unlicensed(s), 1), 403, "UnknownError"},
		{calls + "?$top=5", 400, "'Top' is not allowed"},
		{calls + "?$expand=sessions", 400, "'Expand' is not allowed"},
		{calls + "?" + filter("endDateTime gt 2026-01-01T00:00:00Z"), 400, "enddatetime"},
		{calls + "?$select=weather", 400, "weather"},
		{calls + "/11111111-aaaa-4aaa-8aaa-111111111111", 404, "30 days ago"},
		{call + "?$expand=sessions,participants_v2", 400, "single relationship"},
		{call + "?$expand=sessions($expand=segments),participants_v2", 400, "single relationship"},
		{call + "?$expand=weather", 400, "weather"},
		{call + "/sessions?$expand=weather", 400, "weather"},
		{"/v1.0/reports/" + report + "(period='D7')", 400, "Resource not found for the segment '" + report + "'."},
		{"/v1.0/copilot/reports/" + report + "(period='D28')", 400, "period"},
		{"/v1.0/copilot/reports/" + report + "(period='D30',version='v2')", 400, "period"},
		{"/v1.0/copilot/reports/" + report + "(period='D7',version='v3')", 400, "version"},
		{"/v1.0/copilot/reports/" + report, 400, "period"},
		{"/beta/reports/" + report + "(period='D7')?$format=xml", 400, "xml"},
		{"/beta/reports/" + report + "(period=D7)", 400, "URI"},
		{"/v1.0/users?nonsense=1", 400, "nonsense"},
	} {
		a := c.get(q.path)
		_, message := refusal(t, a)
		if a.status != q.status || !strings.Contains(message, q.want) {
			t.Errorf("GET %s: %d %q, want %d %q", q.path, a.status, message, q.status, q.want)
		}
	}
	if a := c.post(u+"/chats", ""); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.status)
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]graphsim.Config{
		"addr":    {Addr: "192.0.2.1:80"},
		"no port": {Addr: "localhost"},
		"report":  {ReportAddr: "0.0.0.0:0"},
		"users":   {Users: 2},
		"minus":   {Messages: -1},
		"days":    {Days: 100_000},
		"tenants": {Tenants: []graphsim.Tenant{{ID: "x"}, {ID: "x"}}},
		"fault":   {Faults: []faults.Fault{{Kind: "earthquake"}}},
	} {
		if _, err := graphsim.New(c); err == nil || !strings.HasPrefix(err.Error(), "graphsim: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
