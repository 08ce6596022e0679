package authz

import (
	"slices"

	"go.yaml.in/yaml/v3"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/authn"
)

// Permissions with which Graph is asked, as rules and audit records spell them.
const (
	// ByApplication is the permission of the tenant's application.
	ByApplication = "application"
	// OnBehalfOf is the permission that a user has, on whose behalf Graph is asked.
	OnBehalfOf = "on_behalf_of"
)

// Methods that name one message of one chat.
const (
	getEvent              = "GetEvent"
	downloadHostedContent = "DownloadHostedContent"
)

// Obstacle is why Graph cannot be asked on behalf of a caller.
type Obstacle int

// Obstacles.
const (
	// NoObstacle: it can be asked.
	NoObstacle Obstacle = iota
	// NoUser: the caller is not a user with a token of the tenant that is read, so there is nothing to exchange.
	NoUser
	// NotOffered: Graph gives the requested data to applications alone.
	NotOffered
)

// obstacle returns why the rule, which matches the caller, cannot have Graph asked on behalf of the caller. Where Graph gives the data to
// applications alone, it does not matter whether the rule allows the request: the caller learns that no such rule can.
func (r *rule) obstacle(c *authn.Caller, req *Request) Obstacle {
	switch {
	case !r.onBehalf:
		return NoObstacle
	case !offeredToUsers(req):
		return NotOffered
	case r.allowsAllButUser(c, req) && (c.UserID() == "" || !sameTenant(c, req.Tenant)):
		return NoUser
	default:
		return NoObstacle
	}
}

// offeredToUsers reports whether Graph gives the requested data to users: their chats, the messages of one chat, and the usage
// report to those who have a role for it. The three exports and the directory are the application's.
func offeredToUsers(req *Request) bool {
	only := func(allowed ...parleyv1.Source) bool {
		return !slices.ContainsFunc(req.Sources, func(src parleyv1.Source) bool { return !slices.Contains(allowed, src) })
	}
	if only(parleyv1.Source_SOURCE_CONVERSATION, parleyv1.Source_SOURCE_USAGE) {
		return true
	}
	return only(parleyv1.Source_SOURCE_CHAT) && (req.Conversation || req.RPC == getEvent || req.RPC == downloadHostedContent)
}

// RulesOnBehalf returns the names of the rules that have Graph asked on behalf of their callers.
func (p *Policy) RulesOnBehalf() []string {
	var names []string
	for i := range p.rules {
		if p.rules[i].onBehalf {
			names = append(names, p.rules[i].name)
		}
	}
	return names
}

// checkOnBehalf refuses parts of a rule that cannot take effect on behalf of a user.
func (p *parser) checkOnBehalf(node *yaml.Node, r *rule) {
	const only = "with `graph: " + OnBehalfOf + "`"
	for _, src := range r.sources {
		switch src {
		case parleyv1.Source_SOURCE_CONVERSATION, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_USAGE:
		default:
			p.failf(node, "allows source %s %s, but Graph gives it to applications alone; leave it out, or put it into a rule without `graph`",
				SourceName(src), only)
		}
	}
	if r.users == usersListed {
		p.failf(node, "allows listed users %s, but on behalf of a user Graph shows what is that user's own; write `users: own`", only)
	}
	for _, name := range r.rpcs {
		if methods[name].PerUser && r.users == usersAll {
			p.failf(node, "allows %s of all users %s, but on behalf of a user Graph shows that user's own chats; write `users: own`, "+
				"and put the usage report into a rule of its own", name, only)
			return
		}
	}
	if len(r.kinds) > 0 && !slices.Contains(r.kinds, authn.KindUser) {
		p.failf(node, "asks Graph on behalf of callers of a kind that has no user behind it")
	}
}
