package service

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
)

// deny notes in the call's audit record that the policy refuses the call, and returns the error of the call.
func deny(ctx context.Context, target callTarget, decision authz.Decision) error {
	record, refused := &callinfo.FromContext(ctx).Record, intent(ctx, target, decision)
	if record.HasIntent() {
		refused = lookupIntent(ctx, target, decision) // the outcome will say who it was that the look-up found
	}
	record.Deny(refused)
	return errDenied(decision.Obstacle)
}

// recordIntent writes the intent of a call, to read or to look up a user. When the record cannot be written, the call fails and nothing is
// read.
func recordIntent(ctx context.Context, entry audit.Intent) error {
	if err := callinfo.FromContext(ctx).Record.Intent(entry); err != nil {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_AUDIT_UNAVAILABLE)
	}
	return nil
}

// intent is the audit record of a call and of the policy's decision about it.
func intent(ctx context.Context, target callTarget, decision authz.Decision) audit.Intent {
	info, scope := callinfo.FromContext(ctx), &target.scope
	owner := target.owner
	if owner == "" {
		owner = target.upn
	}
	sources := make([]string, 0, len(scope.sources))
	for _, src := range scope.sources {
		sources = append(sources, authz.SourceName(src))
	}
	return audit.Intent{
		RequestID: info.ID, TraceID: info.TraceID,
		Caller: audit.RecordedCaller{ID: target.callerID, Kind: target.caller.Kind.String(), Application: target.caller.AppID},
		Rule:   decision.Rule, Policy: decision.Digest, RPC: target.rpc, Protocol: info.Protocol,
		Tenant: target.alias, TenantID: target.tenant.ID, Owner: owner, Conversation: scope.conversation,
		Sources: sources, Start: scope.start, End: scope.end, View: authz.ViewName(scope.view),
		Reason: callinfo.Header(ctx, callinfo.HeaderReason),
		Graph:  graphIdentity(target, decision),
	}
}

// lookupIntent is the intent of a look-up. Names are looked up with the application's permission, whatever the rule says.
func lookupIntent(ctx context.Context, target callTarget, decision authz.Decision) audit.Intent {
	record := intent(ctx, target, decision)
	record.Graph = audit.GraphIdentity{Permission: authz.ByApplication, Identity: target.tenant.Application}
	return record
}

// graphIdentity returns as whom Graph is asked, for the record of an allowed call.
func graphIdentity(target callTarget, decision authz.Decision) audit.GraphIdentity {
	switch {
	case decision.Answer != authz.Allowed:
		return audit.GraphIdentity{}
	case decision.OnBehalf:
		return audit.GraphIdentity{Permission: authz.OnBehalfOf, Identity: target.caller.UserID()}
	default:
		return audit.GraphIdentity{Permission: authz.ByApplication, Identity: target.tenant.Application}
	}
}
