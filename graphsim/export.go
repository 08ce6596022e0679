package graphsim

import (
	"strings"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// interval takes the two bounds of property out of the filter's top conjunction, and returns the other clauses as rest. ok is false unless the
// filter has both bounds or neither.
func interval(n *node, property string) (s span, rest []*node, ok bool) {
	s = everything()
	lower, upper := 0, 0
	for _, leaf := range n.conjuncts() {
		switch {
		case leaf.path != property || leaf.op == "and" || leaf.op == "or":
			rest = append(rest, leaf)
			continue
		case leaf.kind == litTime && leaf.op == "gt":
			lower++
		case leaf.kind == litTime && leaf.op == "lt":
			upper++
		default:
			return s, nil, false
		}
		s.narrow(leaf)
	}
	for _, r := range rest {
		r.each(func(leaf *node) { ok = ok || leaf.path == property })
	}
	return s, rest, !ok && lower == upper && lower <= 1
}

// exportFilter reads the filter of an export: both bounds of property or neither, and clauses that known accepts.
func (x *exchange) exportFilter(property string, known func(*node) bool) (span, []*node, *refusal.Error) {
	text, given := x.query.get("$filter")
	if !given {
		return everything(), nil, nil
	}
	n, err := parseFilter(text)
	if err != nil {
		return span{}, nil, refusal.BadRequest("Invalid $filter query.")
	}
	s, rest, ok := interval(n, property)
	for _, r := range rest {
		r.each(func(leaf *node) { ok = ok && known(leaf) })
	}
	if !ok {
		return span{}, nil, refusal.BadRequest("Invalid $filter query.")
	}
	return s, rest, nil
}

// messageClause reports whether a clause is one of the documented ones: about the sender or about system events.
func messageClause(n *node) bool {
	if n.kind != litString {
		return false
	}
	switch n.path {
	case "from/user/useridentitytype", "from/application/applicationidentitytype", "from/user/id":
		return n.op == "eq"
	case "messagetype":
		return (n.op == "eq" || n.op == "ne") && strings.EqualFold(n.text, "systemEventMessage")
	}
	return false
}

// messageMatches reports whether a clause holds for a message.
func messageMatches(w *data.World, m *data.Message, n *node) bool {
	if n.path == "messagetype" {
		return m.System == (n.op == "eq")
	}
	if m.System {
		return false
	}
	who := w.Sender(m)
	isBot := who.Kind() == data.KindBot
	switch n.path {
	case "from/user/useridentitytype":
		return !isBot && n.compareText(data.IdentityType(who))
	case "from/application/applicationidentitytype":
		return isBot && n.compareText(data.Bots[who.Index()%len(data.Bots)].Kind)
	default:
		return !isBot && n.compareText(w.People.ID(who))
	}
}

// allHold reports whether all clauses hold; leaf decides a comparison.
func allHold(rest []*node, leaf func(*node) bool) bool {
	for _, n := range rest {
		if !n.holds(leaf) {
			return false
		}
	}
	return true
}

// Functions that export messages, as their links spell them.
const (
	getAllMessages         = "getallMessages"
	getAllRetainedMessages = "getallRetainedMessages"
)

// exportMessages is getAllMessages: every message of the user's chats, whoever sent it.
func exportMessages(x *exchange) (*reply, *refusal.Error) { return export(x, getAllMessages) }

// exportRetained is getAllRetainedMessages: the same messages, deleted ones with the text that they had. It takes no model.
func exportRetained(x *exchange) (*reply, *refusal.Error) { return export(x, getAllRetainedMessages) }

// export answers a function that exports messages.
func export(x *exchange, function string) (*reply, *refusal.Error) {
	u, g := x.user()
	if g != nil {
		return nil, g
	}
	if model, ok := x.query.get("model"); ok && model != "A" && model != "B" {
		return nil, refusal.BadRequest("query parameter 'model' does not support value '%s' for this API.", model)
	}
	size, g := x.query.top(x.sim.cfg.MessagePageSize, 0)
	if g != nil {
		return nil, g
	}
	s, rest, g := x.exportFilter("lastmodifieddatetime", messageClause)
	if g != nil {
		return nil, g
	}
	filter, _ := x.query.get("$filter")
	rows := data.Indexed(x.world, data.IndexKey("export ", u, filter), s.hi, x.now, func() []data.Message {
		var keep func(*data.Message) bool
		if len(rest) > 0 {
			keep = func(m *data.Message) bool {
				return allHold(rest, func(n *node) bool { return messageMatches(x.world, m, n) })
			}
		}
		return x.world.Mailbox(u, s.lo, s.hi, x.now, keep)
	})
	from, to, token, g := x.exportPage(len(rows), min(size, x.sim.cfg.MaxTop))
	if g != nil {
		return nil, g
	}
	v := x.view
	v.Typed, v.Retained = true, function == getAllRetainedMessages
	rep := &reply{context: "Collection(chatMessage)", count: true, rows: make(data.List, 0, to-from)}
	for i := from; i < to; i++ {
		rep.rows = append(rep.rows, x.world.RenderMessage(&rows[i], v))
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/users('"+data.PathEscape(x.params["user"])+"')/chats/"+function, token)
	}
	return rep, nil
}
