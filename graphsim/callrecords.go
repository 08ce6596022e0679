package graphsim

import (
	"math"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

const callMissing = "Could not find the requested call record. Records about calls or online meetings that started more than 30 days ago are not available."

// callProperties can be selected on the record.
var callProperties = []string{
	"id", "version", "type", "modalities", "lastModifiedDateTime", "startDateTime", "endDateTime", "joinWebUrl", "organizer",
	"participants", "organizer_v2", "participants_v2", "sessions",
}

// callSelect reads $select of call records.
func (x *exchange) callSelect() ([]string, *refusal.Error) {
	names := x.query.list("$select")
	for _, n := range names {
		if !data.ContainsFold(callProperties, n) {
			return nil, refusal.BadRequest("Could not find a property named '%s' on type 'microsoft.graph.callRecords.callRecord'.", n)
		}
	}
	return names, nil
}

// callFilter is the filter of a list of calls: bounds of startDateTime and participants, all of which must hold.
type callFilter struct {
	bounds       []*node
	lo, hi       int64    // in milliseconds: the calls of the days from lo to hi are looked at
	participants []string // object ids
}

// callFilter reads $filter of a list of calls.
func (x *exchange) callFilter() (callFilter, *refusal.Error) {
	f := callFilter{hi: math.MaxInt64}
	text, ok := x.query.get("$filter")
	if !ok {
		return f, nil
	}
	n, err := parseFilter(text)
	if err != nil {
		return f, refusal.BadRequest("Invalid filter clause: %s", text)
	}
	for _, leaf := range n.conjuncts() {
		switch {
		case leaf.path == "startdatetime" && leaf.kind == litTime && leaf.op != "eq" && leaf.op != "ne":
			f.bounds = append(f.bounds, leaf)
			if ms := leaf.when.UnixMilli(); leaf.op[0] == 'g' {
				f.lo = max(f.lo, ms)
			} else {
				f.hi = min(f.hi, ms)
			}
		case leaf.op == "any" && leaf.path == "participants_v2" && leaf.left.op == "eq" && leaf.left.path == "id" && leaf.left.kind == litString:
			f.participants = append(f.participants, leaf.left.text)
		default:
			return f, refusal.BadRequest("The property '%s' cannot be used in the $filter query option.", leaf.path)
		}
	}
	if len(f.bounds) > 0 && len(f.participants) > 0 && x.sim.cfg.RefuseCallFilterCombination {
		return f, refusal.BadRequest("The combination of filters on startDateTime and participants_v2 is not supported.")
	}
	return f, nil
}

// callMatches reports whether a filter holds for a call.
func (x *exchange) callMatches(f callFilter, cl *data.Call) bool {
	for _, bound := range f.bounds {
		if !bound.compareNS(cl.StartNS()) {
			return false
		}
	}
	if len(f.participants) == 0 || x.sim.cfg.IgnoreCallParticipant {
		return true
	}
	people := x.world.Attendees(cl)
	for _, id := range f.participants {
		if !slices.ContainsFunc(people, func(r data.Ref) bool { return strings.EqualFold(x.world.People.ID(r), id) }) {
			return false
		}
	}
	return true
}

// compareNS reports whether a comparison holds for a time in nanoseconds.
func (n *node) compareNS(v int64) bool {
	lit := n.when.UnixNano()
	switch n.op {
	case "lt":
		return v < lit
	case "le":
		return v <= lit
	case "gt":
		return v > lit
	default:
		return v >= lit
	}
}

// pageSize is a page size lowered by Prefer: odata.maxpagesize.
func (x *exchange) pageSize(def int) int {
	if x.maxPage == 0 {
		return def
	}
	x.w.Header().Set("Preference-Applied", "odata.maxpagesize="+itoa(x.maxPage))
	return min(def, x.maxPage)
}

func listCalls(x *exchange) (*reply, *refusal.Error) {
	f, g := x.callFilter()
	if g != nil {
		return nil, g
	}
	names, g := x.callSelect()
	if g != nil {
		return nil, g
	}
	filter, _ := x.query.get("$filter")
	rows := data.Indexed(x.world, "calls "+filter, math.MaxInt64, x.now, func() []data.Call {
		return x.world.Calls(f.lo, f.hi, x.now, func(cl *data.Call) bool { return x.callMatches(f, cl) })
	})
	from, to, token, g := x.plainPage(len(rows), x.pageSize(x.sim.cfg.CallPageSize))
	if g != nil {
		return nil, g
	}
	rep := &reply{context: "communications/callRecords", rows: make(data.List, 0, to-from)}
	for i := from; i < to; i++ {
		rep.rows = append(rep.rows, x.world.RenderCall(&rows[i], x.view).Selected(names))
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/communications/callRecords", token)
	}
	return rep, nil
}

// callOf resolves the path's record: not found while it is too new and again when it is too old.
func (x *exchange) callOf() (*data.Call, *refusal.Error) {
	cl, ok := x.world.FindCall(x.params["call"])
	if !ok || !cl.Available(x.now) {
		return nil, refusal.NotFound(callMissing)
	}
	return &cl, nil
}

// callExpand is the relation that $expand asks for beside a call record.
type callExpand uint8

const (
	expandNothing callExpand = iota
	expandSessions
	expandSegments
	expandParticipants
)

// callExpand reads $expand of a call record: one relation alone, of sessions with their segments.
func (x *exchange) callExpand() (callExpand, *refusal.Error) {
	text, ok := x.query.get("$expand")
	if !ok {
		return expandNothing, nil
	}
	switch strings.ToLower(strings.ReplaceAll(text, " ", "")) {
	case "sessions":
		return expandSessions, nil
	case "sessions($expand=segments)":
		return expandSegments, nil
	case "participants_v2":
		return expandParticipants, nil
	}
	if strings.Contains(strings.ReplaceAll(strings.ToLower(text), "sessions($expand=segments)", "sessions"), ",") {
		return 0, refusal.BadRequest("Only a single relationship can be expanded.")
	}
	return 0, refusal.BadRequest("Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.callRecords.callRecord'.", text)
}

func getCall(x *exchange) (*reply, *refusal.Error) {
	e, g := x.callExpand()
	if g != nil {
		return nil, g
	}
	names, g := x.callSelect()
	if g != nil {
		return nil, g
	}
	cl, g := x.callOf()
	if g != nil {
		return nil, g
	}
	id := x.world.CallID(cl)
	o := append(x.world.RenderCall(cl, x.view).Selected(names), data.Member("participants_v2@odata.context", data.CallContext(x.view.Root, id, "participants_v2")))
	context := "communications/callRecords"
	path := x.root() + "/communications/callRecords('" + id + "')"
	switch e {
	case expandNothing:
	case expandParticipants:
		context += "(participants_v2())"
		o = append(o, x.expandedParticipants(cl, path)...)
	case expandSessions:
		context += "(sessions())"
		o = append(o, x.expandedSessions(cl, path, data.WithoutSegments)...)
	case expandSegments:
		context += "(sessions(segments()))"
		o = append(o, x.expandedSessions(cl, path, data.WithSegments)...)
	}
	return &reply{context: context + "/$entity", entity: o}, nil
}

// expandedParticipants returns the members of a call record that $expand=participants_v2 adds: the first page, and the link to the next
// one. path is the URL of the record.
func (x *exchange) expandedParticipants(cl *data.Call, path string) data.Object {
	rows, size := x.world.ParticipantRows(cl), x.pageSize(x.sim.cfg.ParticipantPageSize)
	if len(rows) <= size {
		return data.Object{data.Member("participants_v2", rows)}
	}
	link := path + "/participants_v2?$skiptoken=" + offsetToken(size)
	return data.Object{data.Member("participants_v2@odata.nextLink", link), data.Member("participants_v2", rows[:size])}
}

// expandedSessions returns the members of a call record that $expand=sessions adds: the first page, and the link to the next one.
func (x *exchange) expandedSessions(cl *data.Call, path string, s data.Segments) data.Object {
	context, query := "sessions()", "?"
	if s == data.WithSegments {
		context, query = "sessions(segments())", "?$expand=segments&"
	}
	total, size := x.world.SessionCount(cl), x.pageSize(x.sim.cfg.SessionPageSize)
	o := data.Object{
		data.Member("sessions@odata.context", data.CallContext(x.view.Root, x.world.CallID(cl), context)),
		data.Member("sessions", x.sessionRows(cl, 0, min(size, total), s)),
	}
	if total > size {
		o = append(o, data.Member("sessions@odata.nextLink", path+"/sessions"+query+"$skiptoken="+offsetToken(size)))
	}
	return o
}

// sessionRows returns some of the sessions of a call.
func (x *exchange) sessionRows(cl *data.Call, from, to int, s data.Segments) data.List {
	rows := make(data.List, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, x.world.RenderSession(cl, i, s, x.view))
	}
	return rows
}

func listSessions(x *exchange) (*reply, *refusal.Error) {
	expanded := data.WithoutSegments
	if text, ok := x.query.get("$expand"); ok {
		if !strings.EqualFold(strings.TrimSpace(text), "segments") {
			return nil, refusal.BadRequest("Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.callRecords.session'.", text)
		}
		expanded = data.WithSegments
	}
	cl, g := x.callOf()
	if g != nil {
		return nil, g
	}
	from, to, token, g := x.plainPage(x.world.SessionCount(cl), x.pageSize(x.sim.cfg.SessionPageSize))
	if g != nil {
		return nil, g
	}
	id := x.world.CallID(cl)
	rep := &reply{context: "communications/callRecords('" + id + "')/sessions", rows: x.sessionRows(cl, from, to, expanded)}
	names := x.query.list("$select")
	for i, row := range rep.rows {
		rep.rows[i] = row.Selected(names)
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/communications/callRecords('"+id+"')/sessions", token)
	}
	return rep, nil
}

func listParticipants(x *exchange) (*reply, *refusal.Error) {
	cl, g := x.callOf()
	if g != nil {
		return nil, g
	}
	rows := x.world.ParticipantRows(cl)
	from, to, token, g := x.plainPage(len(rows), x.pageSize(x.sim.cfg.ParticipantPageSize))
	if g != nil {
		return nil, g
	}
	id, names := x.world.CallID(cl), x.query.list("$select")
	rep := &reply{context: "communications/callRecords('" + id + "')/participants_v2", rows: make(data.List, 0, to-from)}
	for _, row := range rows[from:to] {
		rep.rows = append(rep.rows, row.Selected(names))
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/communications/callRecords('"+id+"')/participants_v2", token)
	}
	return rep, nil
}

func getOrganizer(x *exchange) (*reply, *refusal.Error) {
	cl, g := x.callOf()
	if g != nil {
		return nil, g
	}
	return &reply{
		context: "communications/callRecords('" + x.world.CallID(cl) + "')/organizer_v2/$entity",
		entity:  x.world.RenderOrganizer(cl),
	}, nil
}
