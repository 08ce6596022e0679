package server_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/reload"
	"github.com/parley-gateway/parley/timeline/query"
)

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// matrixRow is what a test must know of a method: how to ask for it, and who may.
type matrixRow struct {
	// name or parent is the resource below users/{user}; period is set for usage.
	below  string
	rest   string // path; {user} stands for the user
	period bool
	may    map[string]string  // a dash = denied, ! = denied since Graph cannot be asked on behalf of the caller
	absent parleyv1.EventView // the view of a request that names none
	// uncached is set where nothing is ever cached.
	uncached bool
}

var (
	// What each caller may see of Anna's data and, after the slash, of anybody else's.
	conversations = map[string]string{
		"owner": "full/-", "officer": "full/full", "export": "full/full", "dashboard": "metadata/metadata", "adoption": "-/-",
		"stranger": "-/-", "machine": "basic/-", "foreigner": "-/-", "forged": "401", "": "401",
		"delegate": "full/-", "reader": "-/-", "robot": "!/!",
		"scoped": "-/-", "unsaid": "-/-", "impostor": "-/-", "hostname": "-/-",
	}
	// The same of what Graph gives to applications alone.
	exports = with(conversations, map[string]string{"delegate": "!/!", "reader": "!/!", "robot": "!/!"})
	// Who may read of the whole tenant.
	directory = map[string]string{
		"owner": "-", "officer": "full", "export": "full", "dashboard": "metadata", "adoption": "-", "stranger": "-", "machine": "-",
		"foreigner": "-", "forged": "401", "": "401", "delegate": "!", "reader": "!", "robot": "!",
		"scoped": "-", "unsaid": "-", "impostor": "-", "hostname": "-",
	}
	// Who may read one person of the directory.
	people      = with(exports, map[string]string{"machine": "-/-"})
	usageReport = map[string]string{
		"owner": "-", "officer": "-", "export": "yes", "dashboard": "-", "adoption": "yes", "stranger": "-", "machine": "-",
		"foreigner": "-", "forged": "401", "": "401", "delegate": "-", "reader": "yes", "robot": "-",
		"scoped": "-", "unsaid": "-", "impostor": "-", "hostname": "-",
	}
	usageCounts = with(usageReport, map[string]string{"dashboard": "yes"})
	// Who may read the events of many users in one stream.
	nights = with(directory, map[string]string{"officer": "-", "dashboard": "-"})
	// narrow are the callers whose rules are narrower than all users.
	narrow = []string{"owner", "machine", "delegate"}
	// onBehalf are the callers whose rules have Graph asked on their behalf.
	onBehalf = []string{"delegate", "reader", "robot"}
)

// with is a copy of cells with others in their place.
func with(cells, other map[string]string) map[string]string {
	merged := maps.Clone(cells)
	maps.Copy(merged, other)
	return merged
}

const (
	viewMetadata = parleyv1.EventView_EVENT_VIEW_METADATA
	viewBasic    = parleyv1.EventView_EVENT_VIEW_BASIC
	viewFull     = parleyv1.EventView_EVENT_VIEW_FULL
)

// matrix has a row for each method of the API, or several where the policy tells kinds of requests apart.
var matrix = map[string][]matrixRow{
	"ListConversations":   {{rest: "/v1/users/{user}/conversations", may: conversations, absent: viewBasic}},
	"StreamConversations": {{rest: "/v1/users/{user}/conversations:stream", may: conversations, absent: viewBasic}},
	"GetConversation": {
		{below: belowChat, rest: "/v1/users/{user}" + belowChat, may: conversations, absent: viewFull},
		{below: belowNotes, rest: "/v1/users/{user}" + belowNotes, may: conversations, absent: viewFull},
	},
	"ListEvents": {
		{rest: "/v1/users/{user}/events", may: exports, absent: viewBasic},
		{below: belowChat, rest: "/v1/users/{user}" + belowChat + "/events", may: conversations, absent: viewBasic},
		{below: belowNotes, rest: "/v1/users/{user}" + belowNotes + "/events", may: conversations, absent: viewBasic},
	},
	"StreamEvents": {
		{rest: "/v1/users/{user}/events:stream", may: exports, absent: viewBasic},
		{below: belowChat, rest: "/v1/users/{user}" + belowChat + "/events:stream", may: conversations, absent: viewBasic},
		{below: belowNotes, rest: "/v1/users/{user}" + belowNotes + "/events:stream", may: conversations, absent: viewBasic},
	},
	"StreamTenantEvents": {{rest: "/v1:streamTenantEvents", may: nights, absent: viewBasic}},
	"GetEvent": {
		{below: "/events/call,1", rest: "/v1/users/{user}/events/call,1", may: exports, absent: viewFull},
		{below: message, rest: "/v1/users/{user}" + message, may: conversations, absent: viewFull},
		{below: note, rest: "/v1/users/{user}" + note, may: conversations, absent: viewFull},
	},
	"DownloadHostedContent": {
		{below: message + "/hostedContents/h", rest: "/v1/users/{user}" + message + "/hostedContents/h:download", may: conversations, absent: viewFull, uncached: true},
	},
	"ListCopilotUsage":     {{rest: "/v1/copilotUsage", period: true, may: usageReport}},
	"StreamCopilotUsage":   {{rest: "/v1/copilotUsage:stream", period: true, may: usageReport}},
	"DownloadCopilotUsage": {{rest: "/v1/copilotUsage:download", period: true, may: usageReport}},
	// Counts name nobody, so dashboards may read them.
	"SummarizeCopilotUsage":  {{rest: "/v1/copilotUsage:summarize", period: true, may: usageCounts}},
	"ListCopilotUsageTrends": {{rest: "/v1/copilotUsageTrends", period: true, may: usageCounts}},
	"ListUsers":              {{rest: "/v1/users", may: directory, absent: viewBasic}},
	"GetUser":                {{rest: "/v1/users/{user}", may: people, absent: viewFull}},
}

const (
	belowChat = "/conversations/" + chatID
	message   = "/events/chat," + chatID + ",1700000000000"
	// The thread with oneself has one id for every user.
	belowNotes = "/conversations/48:notes"
	note       = "/events/chat,48:notes,1700000000000"
)

// allowed reads a cell: the highest view, yes, or a dash.
func allowed(cell string, view parleyv1.EventView) bool {
	switch cell {
	case "yes":
		return true
	case "-", "!":
		return false
	default:
		return view <= parleyv1.EventView(parleyv1.EventView_value["EVENT_VIEW_"+strings.ToUpper(cell)])
	}
}

// TestAuthorizationMatrix calls every method as every caller with every view, over gRPC and REST. A method without a row
// fails.
func TestAuthorizationMatrix(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	methods := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("parley.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				methods++
				method := service.Methods().Get(j)
				rows := matrix[string(method.Name())]
				if len(rows) == 0 {
					t.Errorf("%s has no row: who may call it?", method.FullName())
				}
				for _, row := range rows {
					for caller, cells := range row.may {
						g.try(t, method, row, caller, cells)
					}
				}
			}
		}
		return true
	})
	rules, err := authz.Parse(g.policy, []string{"contoso"}, reload.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rules.Rules() {
		if !g.allowed[name] && name != robots {
			t.Errorf("rule %s allowed nothing: no caller has it", name)
		}
	}
	if methods != len(matrix) {
		t.Errorf("%d methods, %d rows", methods, len(matrix))
	}
}

// try makes the calls of one caller and method.
func (g *guarded) try(t *testing.T, method protoreflect.MethodDescriptor, row matrixRow, caller, cells string) {
	t.Helper()
	hasView := method.Input().Fields().ByName("view") != nil
	perUser := strings.Contains(row.rest, "{user}")
	views := []parleyv1.EventView{0}
	if hasView {
		views = []parleyv1.EventView{0, viewMetadata, viewBasic, viewFull}
	}
	users := []string{""}
	if perUser {
		users = []string{annaID, carlaID}
	}
	for _, view := range views {
		asked := view
		if asked == 0 {
			asked = row.absent
		}
		for i, user := range users {
			cell := cells
			if before, after, found := strings.Cut(cells, "/"); found {
				cell = []string{before, after}[i]
			}
			want := outcome{codes.PermissionDenied, "POLICY_DENIED"}
			switch {
			case cell == "401":
				want = outcome{codes.Unauthenticated, "CALLER_UNAUTHENTICATED"}
			case cell == "!":
				want.reason = "DELEGATION_UNAVAILABLE"
			case allowed(cell, asked):
				want = outcome{}
			}
			g.check(t, method, row, caller, user, view, want)
			if want == (outcome{}) && perUser && view == 0 {
				g.checkKept(t, row, caller, user)
			}
		}
	}
}

// outcome is how a call ends; the zero value is well.
type outcome struct {
	code   codes.Code
	reason string
}

// check makes one call over gRPC and over REST.
func (g *guarded) check(t *testing.T, method protoreflect.MethodDescriptor, row matrixRow, caller, user string, view parleyv1.EventView, want outcome) {
	t.Helper()
	about := string(method.Name()) + row.below + " as " + caller + " of " + user + " with " + view.String()
	request, answer := newMessage(t, method.Input()), newMessage(t, method.Output())
	fill(request, row, user, view)
	err := invoke(as(t.Context(), caller), g.conn, "/"+string(method.Parent().FullName())+"/"+string(method.Name()), method.IsStreamingServer(), request, answer)
	if have := (outcome{status.Code(err), apierror.Reason(status.Convert(err))}); have != want {
		t.Errorf("gRPC: %s: %v, want %+v", about, err, want)
	}
	if touched := g.touched(t, about, caller); touched != (want.code == codes.OK) && !strings.HasPrefix(string(method.Name()), "Download") {
		t.Errorf("gRPC: %s: what lies below was asked: %v", about, touched)
	}

	parameters := "?"
	if row.period {
		parameters += "period=D7&"
	}
	if view != 0 {
		parameters += "view=" + view.String()
	}
	headers := []string{}
	if caller != "" {
		headers = append(headers, "Authorization", "Bearer "+caller)
	}
	resp := g.get(t, strings.ReplaceAll(row.rest, "{user}", user)+strings.TrimSuffix(parameters, "&"), headers...)
	text := body(t, resp)
	code := map[codes.Code]int{codes.OK: http.StatusOK, codes.PermissionDenied: http.StatusForbidden, codes.Unauthenticated: http.StatusUnauthorized}[want.code]
	if resp.StatusCode != code || want.reason != "" && !strings.Contains(text, `"`+want.reason+`"`) || want.code == codes.Unauthenticated && resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("REST: %s: %d, want %d: %s", about, resp.StatusCode, code, text)
	}
	if touched := g.touched(t, about, caller); touched != (want.code == codes.OK) && !strings.HasPrefix(string(method.Name()), "Download") {
		t.Errorf("REST: %s: what lies below was asked: %v", about, touched)
	}
	g.checkRecords(t, about, caller, want.code)
}

// checkKept asks for what is kept alone: it tells that somebody has read it, so who may not read every user gets nothing.
func (g *guarded) checkKept(t *testing.T, row matrixRow, caller, user string) {
	t.Helper()
	path := strings.ReplaceAll(row.rest, "{user}", user)
	resp := g.get(t, path, "Authorization", "Bearer "+caller, "Cache-Control", "only-if-cached")
	text, hidden := body(t, resp), row.uncached || slices.Contains(narrow, caller)
	if hidden != (resp.StatusCode == http.StatusGatewayTimeout && strings.Contains(text, `"`+"NOT_CACHED"+`"`)) || hidden == (resp.StatusCode == http.StatusOK) {
		t.Errorf("%s as %s, only-if-cached: %d %s", path, caller, resp.StatusCode, text)
	}
	if touched := g.touched(t, path, caller); touched == hidden {
		t.Errorf("%s as %s, only-if-cached: what lies below was asked: %v", path, caller, touched)
	}
	g.records.take(t)
	g.users.take()
}

// touched says whether anything was asked of engine, cache or Graph since the last call. Who may read some users alone must have
// what is read proved to be theirs.
func (g *guarded) touched(t *testing.T, about, caller string) bool {
	t.Helper()
	requests, _, _ := g.take()
	for _, request := range requests {
		if events, ok := request.(query.Events); ok && events.Narrow != slices.Contains(narrow, caller) {
			t.Errorf("%s: what is read must be proved: %v", about, events.Narrow)
		}
	}
	calls := g.graph.n.Swap(0)
	return len(requests)+int(calls) > 0
}

// checkRecords expects a pair of records over each protocol for a call that was made, one for a denied one, none for a stranger.
func (g *guarded) checkRecords(t *testing.T, about, caller string, want codes.Code) {
	t.Helper()
	records := g.records.take(t)
	permission, asked := "application", 0
	if want != codes.OK {
		permission = ""
	} else if slices.Contains(onBehalf, caller) {
		permission, asked = "on_behalf_of", 2
	}
	if users := g.users.take(); len(users) != asked {
		t.Errorf("%s: Graph was asked on behalf of %+v", about, users)
	}
	kinds := make([]string, 0, len(records))
	for _, record := range records {
		kinds = append(kinds, record.Protocol+" "+record.Kind)
		if g.allowed[record.Rule] = true; record.Caller.ID == "" || (record.Rule == "") != (want != codes.OK) || record.Graph.Permission != permission {
			t.Errorf("%s: record %+v", about, record)
		}
	}
	expected := map[codes.Code][]string{
		codes.OK:               {"grpc intent", "grpc outcome", "rest intent", "rest outcome"},
		codes.PermissionDenied: {"grpc outcome", "rest outcome"},
	}[want]
	if !slices.Equal(kinds, expected) {
		t.Errorf("%s as %s: records %q, want %q", about, caller, kinds, expected)
	}
}

func newMessage(t *testing.T, descriptor protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(descriptor.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

// fill sets what a request needs.
func fill(request proto.Message, row matrixRow, user string, view parleyv1.EventView) {
	m := request.ProtoReflect()
	fields := m.Descriptor().Fields()
	for _, name := range []protoreflect.Name{"parent", "name"} {
		if field := fields.ByName(name); field != nil {
			m.Set(field, protoreflect.ValueOfString("users/"+user+row.below))
		}
	}
	if row.period {
		m.Set(fields.ByName("period"), protoreflect.ValueOfString("D7"))
	}
	if view != 0 {
		m.Set(fields.ByName("view"), protoreflect.ValueOfEnum(view.Number()))
	}
}
