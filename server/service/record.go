package service

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
)

// denied returns the error of a call that the policy refuses, and records it.
func (a *authorizer) denied(ctx context.Context, target *callTarget, decision authz.Decision) error {
	err := errObstacle(decision.Obstacle)
	info := callinfo.FromContext(ctx)
	switch {
	case a.audit == nil:
	case info.Recorded:
		// The outcome will say who it was that a look-up found.
		info.Record.Correct(target.lookupIntent(ctx, decision))
	default:
		a.audit.Denied(target.intent(ctx, decision),
			audit.Outcome{Code: audit.CodeName(err.Code), ErrorReason: reasons.Text(err.Reason)})
	}
	return err
}

// record writes the intent of a call, to read or to look up a user. A call that is on record already gets a further intent, if that says
// anything new. When the record cannot be written, the call fails and nothing is read.
func (a *authorizer) record(ctx context.Context, intent audit.Intent) error {
	info := callinfo.FromContext(ctx)
	var err error
	switch {
	case a.audit == nil:
	case info.Recorded:
		err = info.Record.Learn(intent)
	default:
		err = a.audit.Begin(&info.Record, intent)
		info.Recorded = err == nil
	}
	if err != nil {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_AUDIT_UNAVAILABLE)
	}
	return nil
}

// intent is the audit record of a request and of the policy's decision about it.
func (t *callTarget) intent(ctx context.Context, decision authz.Decision) audit.Intent {
	info, scope := callinfo.FromContext(ctx), &t.scope
	owner := t.request.User
	if owner == "" {
		owner = t.request.UPN
	}
	sources := t.sourceNames[:0]
	for _, src := range scope.sources {
		sources = append(sources, authz.SourceName(src))
	}
	return audit.Intent{
		RequestID: info.ID,
		Caller:    audit.Caller{ID: t.callerID, Kind: t.caller.Kind.String(), Application: t.caller.AppID},
		Rule:      decision.Rule, Policy: decision.Digest, RPC: info.RPC, Protocol: info.Protocol,
		Tenant: t.alias, TenantID: t.tenant.ID, Owner: owner, Conversation: scope.conversation,
		Sources: sources, Start: scope.start, End: scope.end, View: authz.ViewName(scope.view),
		Reason: callinfo.Header(ctx, callinfo.HeaderReason),
		Graph:  t.graphIdentity(decision),
	}
}

// lookupIntent is the intent of a look-up. Names are looked up with the application's permission, whatever the rule says.
func (t *callTarget) lookupIntent(ctx context.Context, decision authz.Decision) audit.Intent {
	intent := t.intent(ctx, decision)
	intent.Graph = audit.Graph{Permission: authz.PermissionName(false), Identity: t.tenant.Application}
	return intent
}
