package service

import (
	"context"
	"strings"
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
)

// accessScope is what a call asks to read, beside whose data it is, as far as the policy and the audit records are concerned.
type accessScope struct {
	sources    []parleyv1.Source
	view       parleyv1.EventView // defaults applied; unspecified for methods without a view
	start, end time.Time
	// conversation is set for calls about one conversation.
	conversation bool
}

// authorizer authorizes each call once: it resolves what the call is about, asks the policy, and records the call before
// anything is read.
type authorizer struct {
	tenants map[string]*Tenant
	policy  authz.Source
	audit   *audit.Log // nil = nothing is recorded
}

// authorize authorizes a call that names no user.
func (z *authorizer) authorize(ctx context.Context, scope accessScope) (*callTarget, error) {
	target, err := z.target(ctx, scope)
	if err != nil {
		return nil, err
	}
	decision, err := z.decide(ctx, target)
	if err != nil {
		return nil, err
	}
	return target, z.allow(ctx, target, decision)
}

// authorizeUser authorizes a call about the user whose segment of a name came in the given field. Nothing is looked up for a
// call that no rule allows whoever the user is.
func (z *authorizer) authorizeUser(ctx context.Context, field, user string, scope accessScope) (*callTarget, error) {
	target, err := z.target(ctx, scope)
	if err != nil {
		return nil, err
	}
	if user == me {
		if user = target.caller.UserID(); user == "" {
			return nil, apierror.Invalid(field, "`me` is a signed-in user's own id, and this caller is not one; name the user")
		}
	}
	switch {
	case user == resource.AnyUser:
		target.request.User = authz.WholeTenant
	case strings.Contains(user, "@"):
		target.request.UPN = user
	default:
		target.request.User = user
	}
	decision, err := z.decide(ctx, target)
	if err != nil {
		return nil, err
	}
	if user == resource.AnyUser {
		target.owner = resource.AnyUser
		return target, z.allow(ctx, target, decision)
	}
	if target.request.UPN != "" {
		if err := z.lookUp(ctx, field, target, decision); err != nil {
			return nil, err
		}
	}
	if decision.Lookup {
		if decision, err = z.decide(ctx, target); err != nil {
			return nil, err
		}
	}
	target.owner, target.user = target.request.User, target.request.User
	return target, z.allow(ctx, target, decision)
}

// lookUp puts the object id behind a user principal name in its place; the name itself where Graph refuses to tell.
func (z *authorizer) lookUp(ctx context.Context, field string, target *callTarget, decision authz.Decision) error {
	// Whoever may have names looked up cannot do so unseen.
	if err := z.record(ctx, z.lookupIntent(ctx, target, decision)); err != nil {
		return err
	}
	if decision.Lookup && cache.ControlOf(ctx).OnlyIfCached {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // see allow
	}
	user, err := target.resolve(ctx, target.request.UPN)
	if decision.Lookup && isKind(err, graph.KindNotFound) {
		// Who may not read every user does not learn which users there are.
		return z.denied(ctx, target, decision)
	}
	if err != nil {
		return err
	}
	if decision.Lookup && target.unresolved {
		return errPolicyUserID(field)
	}
	target.request.User, target.request.UPN = user, ""
	return nil
}

// decide asks the policy. The decision either allows the call or waits for the look-up of its user.
func (z *authorizer) decide(ctx context.Context, target *callTarget) (authz.Decision, error) {
	decision := z.policy.Current().Decide(target.caller, target.request)
	if decision.Allowed || decision.Lookup && target.request.UPN != "" {
		if target.unknownTenant {
			return decision, errTenant() // the caller may read every tenant there is
		}
		return decision, nil
	}
	return decision, z.denied(ctx, target, decision)
}

// allow records what the call is about to read, and gives its target what Graph is asked through.
func (z *authorizer) allow(ctx context.Context, target *callTarget, decision authz.Decision) error {
	info := callinfo.FromContext(ctx)
	if err := z.record(ctx, z.intent(ctx, target, decision)); err != nil {
		return err
	}
	info.Allow(callinfo.AccessGrant{Request: target.request, AllUsers: decision.AllUsers, OnBehalf: decision.OnBehalf})
	target.allUsers = decision.AllUsers
	if !decision.AllUsers && cache.ControlOf(ctx).OnlyIfCached {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // a cached page tells that somebody has read it
	}
	if decision.OnBehalf {
		return target.delegate(ctx)
	}
	target.sources, target.reports = target.tenant.Sources, target.tenant.Reports
	return nil
}

// denied returns the error of a call that the policy refuses, and records it.
func (z *authorizer) denied(ctx context.Context, target *callTarget, decision authz.Decision) error {
	err := errObstacle(decision.Obstacle)
	info := callinfo.FromContext(ctx)
	switch {
	case z.audit == nil:
	case info.Recorded:
		// The outcome will say who it was that a look-up found.
		info.Record.Correct(z.lookupIntent(ctx, target, decision))
	default:
		z.audit.Denied(z.intent(ctx, target, decision),
			audit.Outcome{Code: audit.CodeName(err.Code), ErrorReason: reasons.Text(err.Reason)})
	}
	return err
}

// record records what a call is about to read or to look up, unless that is on record; nothing is read that is not.
func (z *authorizer) record(ctx context.Context, intent audit.Intent) error {
	info := callinfo.FromContext(ctx)
	var err error
	switch {
	case z.audit == nil:
	case info.Recorded:
		err = info.Record.Learn(intent)
	default:
		err = z.audit.Begin(&info.Record, intent)
		info.Recorded = err == nil
	}
	if err != nil {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_AUDIT_UNAVAILABLE)
	}
	return nil
}

// intent is the audit record of what a call asks for and of what the policy decided.
func (z *authorizer) intent(ctx context.Context, target *callTarget, decision authz.Decision) audit.Intent {
	info, scope := callinfo.FromContext(ctx), &target.scope
	owner := target.request.User
	if owner == "" {
		owner = target.request.UPN
	}
	sources := target.sourceNames[:0]
	for _, src := range scope.sources {
		sources = append(sources, authz.SourceName(src))
	}
	return audit.Intent{
		RequestID: info.ID,
		Caller:    audit.Caller{ID: target.callerID, Kind: target.caller.Kind.String(), Application: target.caller.AppID},
		Rule:      decision.Rule, Policy: decision.Digest, RPC: info.RPC, Protocol: info.Protocol,
		Tenant: target.alias, TenantID: target.tenant.ID, Owner: owner, Conversation: scope.conversation,
		Sources: sources, Start: scope.start, End: scope.end, View: authz.ViewName(scope.view),
		Reason: callinfo.Header(ctx, callinfo.HeaderReason),
		Graph:  target.graphIdentity(decision),
	}
}

// lookupIntent is the intent of a look-up. Names are looked up with the application's permission, whatever the rule says.
func (z *authorizer) lookupIntent(ctx context.Context, target *callTarget, decision authz.Decision) audit.Intent {
	intent := z.intent(ctx, target, decision)
	intent.Graph = audit.Graph{Permission: authz.PermissionName(false), Identity: target.tenant.Application}
	return intent
}

func errDenied() *apierror.Error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED)
}

func errPolicyUserID(field string) error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED,
		"the policy decides by object id, and Graph refuses to look this user up; name the user by object id").WithField(field)
}
