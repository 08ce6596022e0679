package graphsim

import "net/http"

// interactionClause tells the documented clause beside the interval: an app.
func interactionClause(n *node) bool {
	return n.kind == litString && n.path == "appclass" && n.op == "eq"
}

// exportInteractions is getAllEnterpriseInteractions.
func exportInteractions(x *exchange) (*reply, *graphError) {
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
	if !x.world.licensed(u) {
		return nil, &graphError{status: http.StatusForbidden, code: "Forbidden", message: "UnknownError"}
	}
	filter, _ := x.query.get("$filter")
	rows := indexed(x.world, indexKey("copilot ", u, filter), s.hi, x.now, func() []interaction {
		var keep func(*interaction) bool
		if len(rest) > 0 {
			keep = func(in *interaction) bool {
				return allHold(rest, func(n *node) bool { return n.compareText(copilotApps[in.app].class) })
			}
		}
		return x.world.history(u, s.lo, s.hi, x.now, keep)
	})
	from, to, token, g := x.exportPage(len(rows), min(size, x.sim.cfg.MaxTop))
	if g != nil {
		return nil, g
	}
	rep := &reply{context: "Collection(microsoft.graph.aiInteraction)", count: true, rows: make(list, 0, to-from)}
	for i := from; i < to; i++ {
		rep.rows = append(rep.rows, x.world.renderInteraction(&rows[i], x.view))
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/copilot/users/"+pathEscape(x.params["user"])+"/interactionHistory/getAllEnterpriseInteractions", token)
	}
	return rep, nil
}
