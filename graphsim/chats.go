package graphsim

import (
	"cmp"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

const (
	chatsMaxTop   = 50
	expandMembers = 25
)

// notAChat is how the service answers for threads that are no chats.
func notAChat() *refusal.Error {
	return refusal.BadRequest("The requested thread is not a ChatThread.")
}

// isNoChat reports whether an id is of a kind that every user has, which holds messages and is no chat.
func isNoChat(id string) bool { return strings.HasPrefix(id, "48:") }

// threadOf resolves the path's thread, for its messages: a chat, or the notes of the user whom the path names or who is signed
// in.
func (x *exchange) threadOf() (uint32, *refusal.Error) {
	if !isNoChat(x.params["chat"]) {
		return x.chatOf()
	}
	u := x.view.Viewer
	if _, below := x.params["user"]; below {
		var g *refusal.Error
		if u, g = x.user(); g != nil {
			return 0, g
		}
	} else if !x.delegated {
		return 0, notAChat()
	}
	c, ok := x.world.NotesOf(u)
	if !ok || x.params["chat"] != data.NotesThread {
		return 0, refusal.NotFound("NotFound")
	}
	return c, nil
}

// chatOf resolves the path's chat; below a user it must be one of the user's.
func (x *exchange) chatOf() (uint32, *refusal.Error) {
	id := x.params["chat"]
	if isNoChat(id) {
		return 0, notAChat()
	}
	c, ok := x.world.FindChat(id)
	if _, below := x.params["user"]; below {
		u, g := x.user()
		if g != nil {
			return 0, g
		}
		ok = ok && x.world.IsMember(c, u)
	} else if x.delegated {
		ok = ok && x.world.IsMember(c, x.view.Viewer)
	}
	if !ok || x.world.ChatCreated(c) > x.now {
		return 0, refusal.NotFound("NotFound")
	}
	return c, nil
}

// chatExpand is what $expand asks for beside a chat.
type chatExpand struct{ members, preview bool }

// Relations that $expand takes: of a list of chats, and of one chat.
var (
	listExpands = []string{"members", "lastMessagePreview"}
	chatExpands = []string{"members"}
)

// chatExpand reads $expand, which takes the known relations.
func (x *exchange) chatExpand(known []string) (chatExpand, *refusal.Error) {
	var e chatExpand
	for _, name := range x.query.list("$expand") {
		switch {
		case !data.ContainsFold(known, name):
			return e, refusal.BadRequest("Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.chat'.", name)
		case strings.EqualFold(name, "members"):
			e.members = true
		default:
			e.preview = true
		}
	}
	return e, nil
}

// context is the part of @odata.context that names the chats and what is expanded.
func (e chatExpand) context() string {
	var parts []string
	if e.members {
		parts = append(parts, "members()")
	}
	if e.preview {
		parts = append(parts, "lastMessagePreview()")
	}
	if len(parts) == 0 {
		return "chats"
	}
	return "chats(" + strings.Join(parts, ",") + ")"
}

// expandedChat is a chat with at most 25 members, as the service cuts them without a word.
func (x *exchange) expandedChat(c uint32, e chatExpand) data.Object {
	w := x.world
	o := w.RenderChat(c, x.view)
	if e.members {
		members := w.Chats().Members(c)
		rows := make(data.List, 0, expandMembers)
		for _, m := range members[:min(len(members), expandMembers)] {
			rows = append(rows, w.RenderMember(c, m))
		}
		o = append(o, data.Member("members@odata.context", x.root()+"/$metadata#chats('"+data.PathEscape(w.ChatID(c))+"')/members"), data.Member("members", rows))
	}
	if e.preview {
		var preview any
		if m, ok := w.LastMessage(c, x.now); ok {
			preview = w.RenderPreview(&m, x.view)
		}
		o = append(o, data.Member("lastMessagePreview", preview))
	}
	return o
}

func listChats(x *exchange) (*reply, *refusal.Error) {
	u, g := x.user()
	if g != nil {
		return nil, g
	}
	size, g := x.query.top(x.sim.cfg.ChatPageSize, chatsMaxTop)
	if g != nil {
		return nil, g
	}
	e, g := x.chatExpand(listExpands)
	if g != nil {
		return nil, g
	}
	order, g := x.chatOrder()
	if g != nil {
		return nil, g
	}
	keep, g := x.chatFilter()
	if g != nil {
		return nil, g
	}
	chats := x.userChats(u, order, keep)
	from := 0
	if text, ok := x.query.get("$skiptoken"); ok {
		if from, g = parseChatToken(text, order); g != nil {
			return nil, g
		}
	}
	from = min(from, len(chats))
	to := min(from+size, len(chats))
	rep := &reply{context: e.context(), count: true, rows: make(data.List, 0, to-from)}
	for _, c := range chats[from:to] {
		rep.rows = append(rep.rows, x.expandedChat(c, e))
	}
	if to < len(chats) {
		rep.next = x.query.link(x.root()+"/users/"+data.PathEscape(x.params["user"])+"/chats", chatToken(to, order))
	}
	return rep, nil
}

// userChats returns the chats of a user that exist by now and that keep accepts; a nil keep accepts all.
func (x *exchange) userChats(u data.Ref, order chatOrder, keep func(uint32) bool) []uint32 {
	type place struct {
		chat uint32
		at   int64
	}
	var places []place
	for _, c := range x.world.Chats().ChatsOf(u) {
		if x.world.Chats().Kinds[c] == data.NotesChat || x.world.ChatCreated(c) > x.now || (keep != nil && !keep(c)) {
			continue
		}
		p := place{chat: c, at: x.world.ChatCreated(c)}
		if order == byLastMessage {
			p.at = 0
			if m, ok := x.world.LastMessage(c, x.now); ok {
				p.at = m.Created
			}
		}
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.chat, b.chat)) })
	out := make([]uint32, len(places))
	for i, p := range places {
		out[i] = p.chat
	}
	return out
}

// chatOrder is the order of a list of chats.
type chatOrder int

const (
	ownOrder      chatOrder = iota // the service's own: the chat that was made last comes first
	byLastMessage                  // by $orderby
)

// chatOrder reads $orderby of a list of chats.
func (x *exchange) chatOrder() (chatOrder, *refusal.Error) {
	text, ok := x.query.get("$orderby")
	if !ok {
		return ownOrder, nil
	}
	for _, f := range x.faults {
		switch f.Kind {
		case faults.RefuseOrder:
			return 0, refusal.BadRequest("QueryOptions to order by '%s' is not supported.", text)
		case faults.IgnoreOrder:
			return ownOrder, nil
		}
	}
	if !strings.EqualFold(strings.Join(strings.Fields(text), " "), "lastMessagePreview/createdDateTime desc") {
		return 0, refusal.BadRequest("QueryOptions to order by '%s' is not supported.", text)
	}
	return byLastMessage, nil
}

// installedApps are the apps of a chat: those of its bots.
func installedApps(w *data.World, c uint32) []string {
	var out []string
	for _, m := range w.Chats().Members(c) {
		if m.Kind() == data.KindBot {
			out = append(out, w.People.ID(data.KindBot|data.Ref(m.Index()%len(data.Bots))))
		}
	}
	return out
}

// chatFilter knows the two documented forms: a member's display name and an installed app.
func (x *exchange) chatFilter() (func(uint32) bool, *refusal.Error) {
	text, ok := x.query.get("$filter")
	if !ok {
		return nil, nil
	}
	n, err := parseFilter(text)
	bad := err != nil
	if !bad {
		n.each(func(leaf *node) {
			inner := leaf.left
			known := leaf.op == "any" && inner.op == "eq" && inner.kind == litString &&
				((leaf.path == "members" && inner.path == "displayname") || (leaf.path == "installedapps" && inner.path == "teamsapp/id"))
			bad = bad || !known
		})
	}
	if bad {
		return nil, refusal.BadRequest("Invalid $filter query.")
	}
	return func(c uint32) bool {
		return n.holds(func(leaf *node) bool {
			if leaf.path == "installedapps" {
				return data.ContainsFold(installedApps(x.world, c), leaf.left.text)
			}
			return slices.ContainsFunc(x.world.Chats().Members(c), func(m data.Ref) bool {
				return m.Kind() != data.KindBot && strings.EqualFold(x.world.People.Name(m), leaf.left.text)
			})
		})
	}, nil
}

func getChat(x *exchange) (*reply, *refusal.Error) {
	c, g := x.chatOf()
	if g != nil {
		return nil, g
	}
	e, g := x.chatExpand(chatExpands)
	if g != nil {
		return nil, g
	}
	return &reply{context: e.context() + "/$entity", entity: x.expandedChat(c, e)}, nil
}

func listMembers(x *exchange) (*reply, *refusal.Error) {
	c, g := x.chatOf()
	if g != nil {
		return nil, g
	}
	members := x.world.Chats().Members(c)
	rep := &reply{context: "chats('" + data.PathEscape(x.params["chat"]) + "')/members", count: true, rows: make(data.List, 0, len(members))}
	for _, m := range members {
		if m.Kind() != data.KindBot {
			rep.rows = append(rep.rows, x.world.RenderMember(c, m))
		}
	}
	return rep, nil
}
