package service

import (
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/timeline/query"
)

// accessGrant is the access of an allowed call: its target, and what Graph is asked through. It is never changed once made.
type accessGrant struct {
	callTarget

	// sources, reports and contents are the tenant's, or the caller's where Graph is asked on behalf of the caller.
	sources  query.Sources
	reports  ReportDownloader
	contents ContentReader
	onBehalf bool
	// allUsers is set where the deciding rule is not narrower than all users.
	allUsers bool
}

// binding returns the values that cursors are bound to beside the request; permission is empty for the application's.
func (g *accessGrant) binding() (caller, tenant, permission string) {
	tenant = g.tenant.ID
	if tenant == "" {
		tenant = g.alias
	}
	if g.onBehalf {
		permission = authz.OnBehalfOf
	}
	return g.callerID, tenant, permission
}

// isNotMember reports whether an error says that the user is not in the chat that Graph was asked about. Graph refuses such a chat when
// it is asked on behalf of the user; a missing permission is another error.
func (g *accessGrant) isNotMember(err error) bool {
	return g.onBehalf && (isKind(err, graph.KindRefused) || isKind(err, graph.KindAccessDenied))
}
