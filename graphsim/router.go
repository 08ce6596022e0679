package graphsim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/graphsim/refusal"
)

// Sources, as [Request], [Fault] and the admin pages name them.
const (
	SourceUsers   = "users"
	SourceChats   = "chats"
	SourceChat    = "chat"
	SourceCopilot = "copilot"
	SourceCall    = "call"
	SourceUsage   = "usage"
)

// route is one API: its path below the version, who may call it and which query options it takes.
type route struct {
	source      string
	path        string
	roles       []string
	scopes      []string // delegated permissions; none = applications only
	options     []string
	onlyVersion string // the one version that has it; "" = both
	handle      func(*exchange) (*reply, *refusal.Error)
	segments    []string
}

var (
	chatRoles    = []string{"Chat.ReadBasic.All", "Chat.Read.All", "Chat.ReadWrite.All"}
	messageRoles = []string{"Chat.Read.All", "Chat.ReadWrite.All"}
	memberRoles  = []string{"ChatMember.Read.All", "ChatMember.ReadWrite.All", "Chat.ReadBasic.All", "Chat.Read.All", "Chat.ReadWrite.All"}
	copilotRoles = []string{"AiEnterpriseInteraction.Read.All"}
	callRoles    = []string{"CallRecords.Read.All"}
	reportRoles  = []string{"Reports.Read.All"}
	chatScopes   = []string{"Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"}
	msgScopes    = []string{"Chat.Read", "Chat.ReadWrite"}
	memberScopes = []string{"ChatMember.Read", "ChatMember.ReadWrite", "Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"}
	userRoles    = []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
)

// routeTable is built once per simulator; the order decides between literal and placeholder.
func routeTable() []route {
	messages := []string{"$top", "$orderby", "$filter", "$skiptoken"}
	table := slices.Concat(reportRoutes(), []route{
		{source: SourceUsers, path: "users", roles: userRoles, options: []string{"$select", "$top", "$skiptoken", "$count", "$filter"}, handle: listUsers},
		{source: SourceChats, path: "chats", roles: chatRoles, handle: appOnly},
		{source: SourceChats, path: "me/chats", roles: chatRoles, handle: appOnly},
		{source: SourceChats, path: "me/{rest}", handle: appOnly},
		{source: SourceUsers, path: "me", roles: userRoles, handle: appOnly},
		{source: SourceUsers, path: "users/{user}", roles: userRoles, options: []string{"$select"}, handle: getUser},
		{source: SourceChats, path: "users/{user}/chats", roles: chatRoles, scopes: chatScopes, options: []string{"$expand", "$top", "$orderby", "$filter", "$skiptoken"}, handle: listChats},
		{source: SourceChat, path: "users/{user}/chats/getallmessages", roles: messageRoles, options: []string{"$top", "$filter", "$skiptoken", "model"}, handle: exportMessages},
		{source: SourceChat, path: "users/{user}/chats/getallretainedmessages", roles: messageRoles, options: []string{"$top", "$filter", "$skiptoken"}, handle: exportRetained},
		{source: SourceChats, path: "users/{user}/chats/{chat}", roles: chatRoles, scopes: chatScopes, options: []string{"$expand"}, handle: getChat},
		{source: SourceChats, path: "chats/{chat}", roles: chatRoles, scopes: chatScopes, options: []string{"$expand"}, handle: getChat},
		{source: SourceChats, path: "users/{user}/chats/{chat}/members", roles: memberRoles, scopes: memberScopes, handle: listMembers},
		{source: SourceChats, path: "chats/{chat}/members", roles: memberRoles, scopes: memberScopes, handle: listMembers},
		{source: SourceChat, path: "users/{user}/chats/{chat}/messages", roles: messageRoles, scopes: msgScopes, options: messages, handle: listMessages},
		{source: SourceChat, path: "chats/{chat}/messages", roles: messageRoles, scopes: msgScopes, options: messages, handle: listMessages},
		{source: SourceChat, path: "users/{user}/chats/{chat}/messages/{message}", roles: messageRoles, scopes: msgScopes, handle: getMessage},
		{source: SourceChat, path: "chats/{chat}/messages/{message}", roles: messageRoles, scopes: msgScopes, handle: getMessage},
		{source: SourceChat, path: "users/{user}/chats/{chat}/messages/{message}/hostedcontents/{content}/$value", roles: messageRoles, scopes: msgScopes, handle: getHostedContent},
		{source: SourceChat, path: "chats/{chat}/messages/{message}/hostedcontents/{content}/$value", roles: messageRoles, scopes: msgScopes, handle: getHostedContent},
		{source: SourceCopilot, path: "copilot/users/{user}/interactionhistory/getallenterpriseinteractions", roles: copilotRoles, options: []string{"$top", "$filter", "$skiptoken"}, handle: exportInteractions},
		{source: SourceCall, path: "communications/callrecords", roles: callRoles, options: []string{"$select", "$filter", "$skiptoken"}, handle: listCalls},
		{source: SourceCall, path: "communications/callrecords/{call}", roles: callRoles, options: []string{"$select", "$expand"}, handle: getCall},
		{source: SourceCall, path: "communications/callrecords/{call}/sessions", roles: callRoles, options: []string{"$expand", "$select", "$skiptoken"}, handle: listSessions},
		{source: SourceCall, path: "communications/callrecords/{call}/participants_v2", roles: callRoles, options: []string{"$select", "$skiptoken"}, handle: listParticipants},
		{source: SourceCall, path: "communications/callrecords/{call}/organizer_v2", roles: callRoles, handle: getOrganizer},
	})
	for i := range table {
		table[i].segments = strings.Split(table[i].path, "/")
	}
	return table
}

// reportRoutes are the Copilot usage reports, each with its older path.
func reportRoutes() []route {
	usage := []string{"$format", "$skiptoken", "version"}
	routes := make([]route, 0, 2*len(usageReports))
	for _, report := range usageReports {
		routes = append(routes,
			route{source: SourceUsage, path: "copilot/reports/" + report, roles: reportRoles, scopes: reportRoles, options: usage, handle: copilotReport(report)},
			route{source: SourceUsage, path: "reports/" + report, roles: reportRoles, scopes: reportRoles, options: usage, onlyVersion: "beta", handle: betaReport(report)},
		)
	}
	return routes
}

// keyedSegments are the segments that take a key in parentheses.
var keyedSegments = []string{"users", "chats", "messages", "hostedcontents", "callrecords", "sessions", "participants_v2", "members"}

// splitPath decodes a path into segments; users('x') becomes users and x, and the arguments of a function call are
// set apart.
func splitPath(escaped string) (segments []string, args map[string]string, err *refusal.Error) {
	for part := range strings.SplitSeq(strings.Trim(escaped, "/"), "/") {
		s, bad := url.PathUnescape(part)
		if bad != nil {
			return nil, nil, refusal.BadRequest("The request URI is not valid.")
		}
		name, inside, ok := strings.Cut(s, "(")
		inside, closed := strings.CutSuffix(inside, ")")
		switch {
		case !ok || !closed:
			segments = append(segments, s)
		case slices.Contains(keyedSegments, strings.ToLower(name)):
			key, ok := unquote(inside)
			if !ok {
				return nil, nil, refusal.BadRequest("The request URI is not valid.")
			}
			segments = append(segments, name, key)
		default:
			if args, ok = parseArgs(inside); !ok {
				return nil, nil, refusal.BadRequest("The request URI is not valid.")
			}
			segments = append(segments, name)
		}
	}
	return segments, args, nil
}

// unquote returns the text of an OData string; ok is false for any other text.
func unquote(s string) (text string, ok bool) {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", false
	}
	return strings.ReplaceAll(s[1:len(s)-1], "''", "'"), true
}

// parseArgs returns the arguments of a function call by their names in lower case; ok is false if one has no value.
func parseArgs(s string) (args map[string]string, ok bool) {
	args = map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value = strings.TrimSpace(value)
		if !strings.HasPrefix(value, "@") { // a parameter alias stands without quotes
			var quoted bool
			if value, quoted = unquote(value); !quoted {
				return nil, false
			}
		}
		if !ok {
			return nil, false
		}
		args[strings.ToLower(strings.TrimSpace(name))] = value
	}
	return args, true
}

// match finds the route of a path; params holds its placeholders. Without one, the error names the first segment
// that nothing knows.
func (s *Sim) match(version string, segments []string) (*route, map[string]string, *refusal.Error) {
	deepest := 0
	for i := range s.routes {
		r := &s.routes[i]
		n, params := r.matchPrefix(segments)
		if r.onlyVersion != "" && r.onlyVersion != version { // the segments before the last one are known in both versions
			deepest = max(deepest, min(n, len(r.segments)-1))
			continue
		}
		if n == len(segments) && n == len(r.segments) {
			return r, params, nil
		}
		deepest = max(deepest, n)
	}
	return nil, nil, refusal.UnknownSegment(segments[min(deepest, len(segments)-1)])
}

// matchPrefix returns how many leading segments fit the route, and the values of its placeholders.
func (r *route) matchPrefix(segments []string) (int, map[string]string) {
	params := map[string]string(nil)
	for i, word := range r.segments {
		if i == len(segments) {
			return i, params
		}
		if name, ok := strings.CutPrefix(word, "{"); ok && segments[i] != "" {
			if params == nil {
				params = make(map[string]string, 3)
			}
			params[strings.TrimSuffix(name, "}")] = segments[i]
			continue
		}
		if !strings.EqualFold(word, segments[i]) {
			return i, params
		}
	}
	return len(r.segments), params
}

// serveGraph answers one request below /v1.0 or /beta.
func (x *exchange) serveGraph(segments []string) {
	if g := x.authenticate(); g != nil {
		x.fail(g)
		return
	}
	rest, args, g := splitPath(x.afterVersion())
	if g != nil {
		x.fail(g)
		return
	}
	rest = x.asUser(rest)
	x.version, x.args = strings.ToLower(segments[0]), args
	x.view.Beta, x.view.Root, x.view.Now = x.version == "beta", x.root(), x.now
	r, params, g := x.sim.match(x.version, rest)
	if g != nil {
		x.fail(g)
		return
	}
	x.source, x.params = r.source, params
	if x.answeredByFault() {
		return
	}
	x.answer(r)
}

// answer checks permissions, query options and limits of a route, and sends what its handler returns.
func (x *exchange) answer(r *route) {
	if x.r.Method != http.MethodGet {
		x.fail(&refusal.Error{Status: http.StatusMethodNotAllowed, Code: "Request_BadRequest", Message: "Specified HTTP method is not allowed for the request target."})
		return
	}
	if g := x.allowed(r); g != nil {
		x.fail(g)
		return
	}
	q, g := parseQuery(x.r.URL.RawQuery)
	if g == nil {
		g = q.check(r.options)
	}
	if g == nil && x.sim.cfg.Throttle {
		g = x.sim.limits.admit(x, r)
	}
	if g != nil {
		x.fail(g)
		return
	}
	x.query = q
	rep, g := r.handle(x)
	if g != nil {
		x.fail(g)
		return
	}
	x.send(rep)
}

// appOnly refuses paths that need a signed-in user.
func appOnly(x *exchange) (*reply, *refusal.Error) {
	if x.source == SourceChats && x.params == nil {
		return nil, &refusal.Error{Status: http.StatusPreconditionFailed, Code: "PreconditionFailed", Message: "Requested API is not supported in application-only context"}
	}
	return nil, refusal.BadRequest("/me request is only valid with delegated authentication flow.")
}
