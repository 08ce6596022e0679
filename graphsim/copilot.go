package graphsim

import (
	"net/http"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// interactionClause reports whether a clause is the documented one beside the interval: an application.
func interactionClause(n *node) bool {
	return n.kind == litString && n.path == "appclass" && n.op == "eq"
}

// exportInteractions is getAllEnterpriseInteractions.
func exportInteractions(x *exchange) (*reply, *refusal.Error) {
	u, g := x.user()
	if g != nil {
		return nil, g
	}
	size, g := x.query.top(x.sim.cfg.InteractionPageSize, 0)
	if g != nil {
		return nil, g
	}
	s, rest, g := x.exportFilter("createddatetime", interactionClause)
	if g != nil {
		return nil, g
	}
	if !x.world.Licensed(u) {
		return nil, &refusal.Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "UnknownError"}
	}
	filter, _ := x.query.get("$filter")
	rows := data.Indexed(x.world, data.IndexKey("copilot ", u, filter), s.hi, x.now, func() []data.Interaction {
		var keep func(*data.Interaction) bool
		if len(rest) > 0 {
			keep = func(in *data.Interaction) bool {
				return allHold(rest, func(n *node) bool { return n.compareText(data.CopilotApps[in.App].Class) })
			}
		}
		return x.world.History(u, s.lo, s.hi, x.now, keep)
	})
	from, to, token, g := x.exportPage(len(rows), min(size, x.sim.cfg.MaxTop))
	if g != nil {
		return nil, g
	}
	rep := &reply{context: "Collection(microsoft.graph.aiInteraction)", count: true, rows: make(data.List, 0, to-from)}
	for i := from; i < to; i++ {
		rep.rows = append(rep.rows, x.world.RenderInteraction(&rows[i], x.view))
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/copilot/users/"+data.PathEscape(x.params["user"])+"/interactionHistory/getAllEnterpriseInteractions", token)
	}
	return rep, nil
}
