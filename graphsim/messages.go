package graphsim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

const (
	messagesDefault = 20
	messagesMax     = 50
)

// span is an interval of instants in milliseconds, both ends exclusive.
type span struct{ lo, hi int64 }

func everything() span { return span{lo: -1, hi: math.MaxInt64} }

// narrow applies a gt or lt comparison. Records carry whole milliseconds, so a finer bound is rounded away from them.
func (s *span) narrow(n *node) {
	ms := n.when.UnixMilli()
	if n.op == "gt" {
		s.lo = max(s.lo, ms)
		return
	}
	if n.when.After(time.UnixMilli(ms)) {
		ms++
	}
	s.hi = min(s.hi, ms)
}

var operationKinds = map[string]string{"le": "LessThanOrEqual", "ge": "GreaterThanOrEqual", "gt": "GreaterThan", "eq": "Equal", "ne": "NotEqual", "lt": "LessThan"}

// messageOrder is the property by which messages are sorted, the newest first, in lower case.
type messageOrder string

const (
	byChange   messageOrder = "lastmodifieddatetime"
	byCreation messageOrder = "createddatetime"
)

// messageOrder reads $orderby; given is false without one.
func (x *exchange) messageOrder() (order messageOrder, given bool, g *refusal.Error) {
	text, ok := x.query.get("$orderby")
	if !ok {
		return byChange, false, nil
	}
	words := strings.Fields(strings.ToLower(text))
	if len(words) != 2 || words[1] != "desc" || (messageOrder(words[0]) != byChange && messageOrder(words[0]) != byCreation) {
		return "", false, refusal.BadRequest("QueryOptions to order by '%s' is not supported.", text)
	}
	return messageOrder(words[0]), true, nil
}

// messageFilter reads the filter of a chat's messages. A bound has an effect only beside an $orderby of its property: ordered says that
// there is an $orderby.
func (x *exchange) messageFilter(order messageOrder, ordered bool) (span, *refusal.Error) {
	s := everything()
	text, ok := x.query.get("$filter")
	if !ok {
		return s, nil
	}
	n, err := parseFilter(text)
	if err != nil {
		return s, refusal.BadRequest("Invalid $filter query.")
	}
	for _, leaf := range n.conjuncts() {
		switch {
		case leaf.kind != litTime || (leaf.path != "lastmodifieddatetime" && leaf.path != "createddatetime"):
			return s, refusal.BadRequest("Invalid $filter query.")
		case leaf.op != "lt" && (leaf.op != "gt" || leaf.path == "createddatetime"):
			name := "lastModifiedDateTime"
			if leaf.path == "createddatetime" {
				name = "createdDateTime"
			}
			return s, refusal.BadRequest("The entity property '%s' and operationKind '%s' is not allowed in $filter query.", name, operationKinds[leaf.op])
		}
		if ordered && leaf.path == string(order) {
			s.narrow(leaf)
		}
	}
	return s, nil
}

func listMessages(x *exchange) (*reply, *refusal.Error) {
	c, g := x.threadOf()
	if g != nil {
		return nil, g
	}
	size, g := x.query.top(messagesDefault, messagesMax)
	if g != nil {
		return nil, g
	}
	order, ordered, g := x.messageOrder()
	if g != nil {
		return nil, g
	}
	s, g := x.messageFilter(order, ordered)
	if g != nil {
		return nil, g
	}
	rows := data.Indexed(x.world, fmt.Sprintf("messages %d %s %d %d", c, order, s.lo, s.hi), s.hi, x.now, func() []data.Message {
		return thread(x.world, c, s, order, x.now)
	})
	from, to, token, g := x.plainPage(len(rows), size)
	if g != nil {
		return nil, g
	}
	rep := &reply{context: "chats('" + data.PathEscape(x.params["chat"]) + "')/messages", count: true, rows: make(data.List, 0, to-from)}
	for i := from; i < to; i++ {
		rep.rows = append(rep.rows, x.world.RenderMessage(&rows[i], x.view))
	}
	if token != "" {
		path := x.root() + "/chats('" + data.PathEscape(x.world.ChatID(c)) + "')/messages"
		if user, ok := x.params["user"]; ok {
			path = x.root() + "/users('" + data.PathEscape(user) + "')/chats('" + data.PathEscape(x.world.ChatID(c)) + "')/messages"
		}
		rep.next = x.query.link(path, token)
	}
	return rep, nil
}

// thread returns the messages of one chat within s in an order; s bounds the property of the order.
func thread(w *data.World, c uint32, s span, order messageOrder, now int64) []data.Message {
	key := func(m *data.Message) int64 {
		if order == byCreation {
			return m.Created
		}
		return m.Modified
	}
	var out []data.Message
	first, last := data.Day(max(s.lo, 0))-data.LateDays, data.Day(min(s.hi, now))
	w.ChatMessages(c, first, last, now, func(m data.Message) {
		if k := key(&m); k > s.lo && k < s.hi {
			out = append(out, m)
		}
	})
	slices.SortFunc(out, func(a, b data.Message) int {
		return cmp.Or(cmp.Compare(key(&b), key(&a)), cmp.Compare(b.Created, a.Created))
	})
	return out
}

// message finds the message of the path in its thread.
func (x *exchange) message() (m data.Message, g *refusal.Error) {
	c, g := x.threadOf()
	if g != nil {
		return m, g
	}
	id, err := strconv.ParseInt(x.params["message"], 10, 64)
	if err != nil || id < 0 || id > math.MaxInt64/2 {
		return m, refusal.NotFound("NotFound")
	}
	m, ok := x.world.FindMessage(c, id, x.now)
	if !ok {
		return m, refusal.NotFound("NotFound")
	}
	return m, nil
}

// getHostedContent answers with the bytes of a picture that the message shows, and with nothing that it does not.
func getHostedContent(x *exchange) (*reply, *refusal.Error) {
	m, g := x.message()
	if g != nil {
		return nil, g
	}
	picture, mime, ok := x.world.HostedContent(&m, x.params["content"])
	if !ok {
		return nil, refusal.NotFound("NotFound")
	}
	return &reply{raw: picture, mime: mime}, nil
}

func getMessage(x *exchange) (*reply, *refusal.Error) {
	m, g := x.message()
	if g != nil {
		return nil, g
	}
	return &reply{context: "chats('" + data.PathEscape(x.params["chat"]) + "')/messages/$entity", entity: x.world.RenderMessage(&m, x.view)}, nil
}
