package graphsim

import (
	"strings"

	"github.com/parley-gateway/parley/graphsim/data"
)

const (
	usersDefault = 100
	usersMax     = 999
)

// userFields are returned without $select; id comes always, as Graph's directory does.
func renderUser(w *data.World, r data.Ref) data.Object {
	name := w.People.Name(r)
	given, family, _ := strings.Cut(name, " ")
	kind := "Member"
	if w.People.IsGuest(r.Index()) {
		kind = "Guest"
	}
	return data.Object{
		member("businessPhones", []string{}),
		member("displayName", name),
		member("givenName", given),
		member("jobTitle", nil),
		member("mail", w.People.Mail(r)),
		member("mobilePhone", nil),
		member("officeLocation", nil),
		member("preferredLanguage", nil),
		member("surname", family),
		member("userPrincipalName", w.People.UPN(r)),
		member("id", w.People.ID(r)),
		// Only on request:
		member("userType", kind),
		member("accountEnabled", true),
	}
}

const userDefaults = 11 // how many of the fields above come unasked

func (x *exchange) selectUser(r data.Ref) data.Object {
	o := renderUser(x.world, r)
	if names := x.query.list("$select"); len(names) > 0 {
		return o.Selected(names)
	}
	return o[:userDefaults]
}

func (x *exchange) checkUserSelect() *graphError {
	known := renderUser(x.world, 0)
	for _, n := range x.query.list("$select") {
		found := false
		for _, f := range known {
			found = found || strings.EqualFold(f.Key, n)
		}
		if !found {
			return badRequest("Could not find a property named '%s' on type 'microsoft.graph.user'.", n)
		}
	}
	return nil
}

func (x *exchange) userContext() string {
	if names := x.query.list("$select"); len(names) > 0 {
		return "users(" + strings.Join(names, ",") + ")"
	}
	return "users"
}

func listUsers(x *exchange) (*reply, *graphError) {
	if _, ok := x.query.get("$filter"); ok {
		return nil, badRequest("Unsupported Query.")
	}
	size, g := x.query.top(usersDefault, usersMax)
	if g != nil {
		return nil, g
	}
	if g := x.checkUserSelect(); g != nil {
		return nil, g
	}
	from, to, token, g := x.plainPage(x.world.Users(), size)
	if g != nil {
		return nil, g
	}
	rep := &reply{context: x.userContext(), rows: make(data.List, 0, to-from)}
	for i := from; i < to; i++ {
		rep.rows = append(rep.rows, x.selectUser(data.Ref(i)))
	}
	if token != "" {
		rep.next = x.query.link(x.root()+"/users", token)
	}
	return rep, nil
}

func getUser(x *exchange) (*reply, *graphError) {
	u, g := x.user()
	if g != nil {
		return nil, g
	}
	if g := x.checkUserSelect(); g != nil {
		return nil, g
	}
	return &reply{context: x.userContext() + "/$entity", entity: x.selectUser(u)}, nil
}
