package authz

import (
	"cmp"
	"slices"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/authn"
)

// Tenant is a tenant of the deployment.
type Tenant struct {
	// Alias is its name in the configuration.
	Alias string
	// ID is its Entra tenant id.
	ID string
	// Only is set where the deployment has no other.
	Only bool
}

// Request describes the data that a call asks for.
type Request struct {
	// RPC is the method's name, such as "ListEvents".
	RPC string
	// Tenant is whose data are read.
	Tenant Tenant
	// User is the object id of the user whose data are read, resource.AnyUser for the data of the whole tenant, or empty for methods that name no user.
	User string
	// UPN is the user principal name of a user whose object id is not known yet; User is then empty. Where Graph refuses to look the user up,
	// User is the name: a rule for all users alone can allow it.
	UPN string
	// Sources are the sources asked for; never empty.
	Sources []parleyv1.Source
	// View is the view asked for, defaults applied; unspecified for methods without one.
	View parleyv1.EventView
	// Conversation is set where the call is about one conversation.
	Conversation bool
}

// Answer is the answer of the rules to a Request.
type Answer int

// Answers.
const (
	// Denied: no rule allows the call.
	Denied Answer = iota
	// Allowed: the call may be made.
	Allowed
	// NeedsUserID: a rule would decide by the user's object id, which is not known. Look it up and ask again.
	NeedsUserID
)

// Decision is an Answer with what follows from it.
type Decision struct {
	Answer Answer
	// Rule is the name of the rule that allows the call; empty when none does.
	Rule string
	// AllUsers is set where the rule allows the data of every user. Where it is not set, data are handed out only if they are
	// proved to be the requested user's.
	AllUsers bool
	// OnBehalf is set where the rule has Graph asked on behalf of the caller, with the permission that the user has there and
	// not with the application's.
	OnBehalf bool
	// Obstacle is why a rule that has Graph asked on behalf of the caller cannot allow the call; NoObstacle when no such rule
	// is for the caller. It means something in a denial alone.
	Obstacle Obstacle
	// Digest identifies the policy that decided.
	Digest string
}

// Policy is one version of the rules. It is never changed once made.
type Policy struct {
	rules  []rule
	digest string
}

// Digest identifies the policy: a hash of its file and the files that it names.
func (p *Policy) Digest() string { return p.digest }

// Rules returns the names of the rules, in order.
func (p *Policy) Rules() []string {
	names := make([]string, 0, len(p.rules))
	for i := range p.rules {
		names = append(names, p.rules[i].name)
	}
	return names
}

// Loopback is the policy of a deployment that admits loopback callers only and has no file: one rule, which allows
// everything.
func Loopback() *Policy {
	everything := rule{
		name: "loopback", kinds: []authn.Kind{authn.KindAnonymous},
		view: parleyv1.EventView_EVENT_VIEW_FULL, users: usersAll, everyTenant: true,
	}
	for _, method := range Methods() {
		everything.rpcs = append(everything.rpcs, method.Name)
	}
	for number := range parleyv1.Source_name {
		everything.sources = append(everything.sources, parleyv1.Source(number))
	}
	return &Policy{rules: []rule{everything}, digest: "builtin:loopback"}
}

// Decide decides whether a caller may make a request. The decision names the first rule that allows the whole request.
func (p *Policy) Decide(caller *authn.Caller, req Request) Decision {
	decision := Decision{Digest: p.digest}
	if caller == nil || len(req.Sources) == 0 {
		return decision
	}
	for i := range p.rules {
		r := &p.rules[i]
		if !r.matches(caller) {
			continue
		}
		if obstacle := r.obstacle(caller, &req); obstacle != NoObstacle {
			decision.Obstacle = max(decision.Obstacle, obstacle)
			continue
		}
		if !r.allowsAllButUser(caller, &req) {
			continue
		}
		switch r.allowsUser(caller, &req) {
		case Allowed:
			return Decision{Answer: Allowed, Rule: r.name, AllUsers: r.users == usersAll, OnBehalf: r.onBehalf, Digest: p.digest}
		case NeedsUserID:
			decision.Answer = NeedsUserID
		case Denied:
		}
	}
	return decision
}

// Tenants returns the aliases of the tenants that a caller may read anything of, sorted.
func (p *Policy) Tenants(caller *authn.Caller, known []Tenant) []string {
	var aliases []string
	for _, tenant := range known {
		if slices.ContainsFunc(p.rules, func(r rule) bool { return r.matches(caller) && r.allowsTenant(caller, tenant) }) {
			aliases = append(aliases, tenant.Alias)
		}
	}
	slices.Sort(aliases)
	return aliases
}

// users says whose data a rule is about.
type users int

const (
	usersOwn users = iota + 1
	usersListed
	usersAll
)

// rule is one rule. Of each kind of condition that it has, one value must hold.
type rule struct {
	name string

	authenticated                       bool
	kinds                               []authn.Kind
	roles, scopes, groups, applications []string
	subjects                            []subject

	rpcs        []string
	sources     []parleyv1.Source
	view        parleyv1.EventView
	users       users
	onBehalf    bool            // Graph is asked on behalf of the caller
	listed      map[string]bool // object ids in lower case
	tenants     []string        // aliases; none = the caller's own
	everyTenant bool
	weight      float64 // shares of the gateway that the caller has; 0 = the rule says nothing
}

// Weight is how many shares of the gateway a caller has while others wait: the most that a rule for the caller says, else one.
func (p *Policy) Weight(caller *authn.Caller) float64 {
	weight := 0.0
	for i := range p.rules {
		if r := &p.rules[i]; r.weight > weight && r.matches(caller) {
			weight = r.weight
		}
	}
	return cmp.Or(weight, 1)
}

// matches reports whether the rule is for a caller.
func (r *rule) matches(c *authn.Caller) bool {
	switch {
	case c == nil,
		r.authenticated && c.Kind == authn.KindAnonymous,
		len(r.kinds) > 0 && !slices.Contains(r.kinds, c.Kind),
		!hasAny(r.roles, c.Roles), !hasAny(r.scopes, c.Scopes), !hasAny(r.groups, c.Groups),
		len(r.subjects) > 0 && !isOne(r.subjects, c),
		len(r.applications) > 0 && (c.AppID == "" || !slices.Contains(r.applications, c.AppID)):
		return false
	default:
		return true
	}
}

// hasAny reports whether a caller has one of the wanted values. A rule without wanted values takes every caller.
func hasAny(want, have []string) bool {
	return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return slices.Contains(have, w) })
}

// allowsAllButUser reports whether the rule allows the request, apart from its user. Views ascend: METADATA, BASIC, FULL.
func (r *rule) allowsAllButUser(c *authn.Caller, req *Request) bool {
	return slices.Contains(r.rpcs, req.RPC) && r.allowsTenant(c, req.Tenant) && req.View <= r.view &&
		!slices.ContainsFunc(req.Sources, func(src parleyv1.Source) bool { return !slices.Contains(r.sources, src) })
}

// allowsTenant reports whether the rule allows a caller a tenant: each, the listed ones, or the one that vouches for the caller.
func (r *rule) allowsTenant(c *authn.Caller, tenant Tenant) bool {
	switch {
	case r.everyTenant:
		return true
	case len(r.tenants) > 0:
		return slices.Contains(r.tenants, tenant.Alias)
	case c.TenantID == "":
		// Nobody vouches for the caller's tenant, so it takes no other tenant to confuse it with.
		return tenant.Only
	default:
		return sameTenant(c, tenant)
	}
}

// sameTenant reports whether a tenant vouches for a caller.
func sameTenant(c *authn.Caller, tenant Tenant) bool {
	return c.TenantID != "" && strings.EqualFold(c.TenantID, tenant.ID)
}

// allowsUser answers for the user of the request alone.
func (r *rule) allowsUser(c *authn.Caller, req *Request) Answer {
	if r.users == usersAll {
		return Allowed
	}
	if req.UPN != "" {
		// An object id decides. The caller's own sign-in name saves the look-up of names that cannot be theirs.
		if r.users == usersListed || r.users == usersOwn && c.UserID() != "" && sameTenant(c, req.Tenant) && c.MayHaveName(req.UPN) {
			return NeedsUserID
		}
		return Denied
	}
	user := strings.ToLower(req.User)
	if user == "" || user == resource.AnyUser {
		return Denied
	}
	switch {
	case r.users == usersOwn && user == c.UserID() && sameTenant(c, req.Tenant), r.users == usersListed && r.listed[user]:
		return Allowed
	default:
		return Denied
	}
}
