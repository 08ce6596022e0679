package service

import (
	"context"
	"slices"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
)

// authorizer authorizes each call once, in three steps with a value each: an accessRequest is what the call asks for, resolve makes a
// callTarget of it, and newGrant an accessGrant, through which the method then reads. In between it writes into the call's audit record.
// authorizeUser alone notes the outcome in the call's info, for the interceptors.
type authorizer struct {
	tenants map[string]*Tenant
	policy  authz.PolicySource
}

// authorize authorizes a call that names no user.
func (a *authorizer) authorize(ctx context.Context, scope accessScope) (*accessGrant, error) {
	return a.authorizeUser(ctx, "", "", scope)
}

// authorizeUser authorizes a call about one user, or about all with `users/-`; user is the segment of the name in the given field.
func (a *authorizer) authorizeUser(ctx context.Context, field, user string, scope accessScope) (*accessGrant, error) {
	info := callinfo.FromContext(ctx)
	target, decision, err := a.resolve(ctx, newAccessRequest(info, scope, field, user))
	info.Tenant = target.alias
	if err != nil {
		return nil, err
	}
	if err := a.allow(ctx, target, decision); err != nil {
		return nil, err
	}
	info.NoteGrant(callinfo.Grant{Request: target.policyRequest(), AllUsers: decision.AllUsers, OnBehalf: decision.OnBehalf})
	return newGrant(ctx, target, decision)
}

// resolve finds the tenant and the user of a request, and asks the policy about them.
//
// Rules about some users decide by object id. For a user principal name the policy is asked first whether any rule could allow the
// call, and, after the look-up, which one does: a rule about the user may come before one for all users. A call that no rule could allow
// causes no look-up.
func (a *authorizer) resolve(ctx context.Context, request accessRequest) (callTarget, authz.Decision, error) {
	target, err := a.findTenant(ctx, request)
	if err != nil {
		return target, authz.Decision{}, err
	}
	if target, err = target.withUser(); err != nil {
		return target, authz.Decision{}, err
	}
	target = a.chooseSources(target)
	decision, err := a.decide(ctx, target)
	if err != nil || target.upn == "" {
		return target, decision, err
	}
	if target, err = a.lookUp(ctx, target, decision); err != nil {
		return target, decision, err
	}
	target = a.chooseSources(target)
	decision, err = a.decide(ctx, target)
	return target, decision, err
}

// chooseSources returns the target with the candidates that the call reads. Each is tried in turn: it is chosen if a rule allows it, or may
// allow it once the user's id is looked up, together with those chosen before it, and Graph is asked with the same permission as for the first
// chosen one. Where none is allowed, the policy is asked about the first candidate. A target without candidates stays as it is.
func (a *authorizer) chooseSources(target callTarget) callTarget {
	if target.scope.candidates == nil {
		return target
	}
	rules := a.policy.Current()
	var allowed []parleyv1.Source
	onBehalf := false
	for _, src := range target.scope.candidates {
		target.scope.sources = append(slices.Clone(allowed), src)
		decision := rules.Decide(target.caller, target.policyRequest())
		possible := decision.Answer == authz.Allowed || decision.Answer == authz.NeedsUserID && !target.unresolved
		if !possible || len(allowed) > 0 && decision.OnBehalf != onBehalf {
			continue
		}
		allowed, onBehalf = target.scope.sources, decision.OnBehalf
	}
	if len(allowed) == 0 {
		allowed = target.scope.candidates[:1:1]
	}
	target.scope.sources = slices.Sorted(slices.Values(allowed))
	return target
}

// decide asks the policy. Without an error, the decision allows the call, or waits for the look-up of its user.
func (a *authorizer) decide(ctx context.Context, target callTarget) (authz.Decision, error) {
	decision := a.policy.Current().Decide(target.caller, target.policyRequest())
	switch {
	case decision.Answer == authz.Denied:
		return decision, deny(ctx, target, decision)
	case target.tenant == &noTenant:
		return decision, errTenant() // the caller may read every tenant there is
	default:
		return decision, nil
	}
}

// lookUp returns the target with the object id of its user. The look-up is recorded first.
func (a *authorizer) lookUp(ctx context.Context, target callTarget, decision authz.Decision) (callTarget, error) {
	if err := recordIntent(ctx, lookupIntent(ctx, target, decision)); err != nil {
		return target, err
	}
	undecided := decision.Answer == authz.NeedsUserID && !a.allowsEveryUser(target)
	if undecided && cache.ControlOf(ctx).OnlyIfCached {
		return target, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // see newGrant
	}
	found, err := target.withUserID(ctx)
	switch {
	case undecided && isKind(err, graph.KindNotFound):
		// A caller who may not read every user does not learn which users there are.
		return target, deny(ctx, target, decision)
	case err != nil:
		return target, err
	case undecided && found.unresolved:
		return target, errPolicyUserID(target.field)
	default:
		return found, nil
	}
}

// allowsEveryUser reports whether the policy allows some of the call without knowing the user's id.
func (a *authorizer) allowsEveryUser(target callTarget) bool {
	target.unresolved = true
	target = a.chooseSources(target)
	return a.policy.Current().Decide(target.caller, target.policyRequest()).Answer == authz.Allowed
}

// allow records an allowed call, and refuses any other one.
func (a *authorizer) allow(ctx context.Context, target callTarget, decision authz.Decision) error {
	if decision.Answer != authz.Allowed {
		return deny(ctx, target, decision)
	}
	return recordIntent(ctx, intent(ctx, target, decision))
}

// newGrant returns the access of an allowed call, through the tenant's sources, or through the caller's where Graph is asked on behalf of the
// caller. A caller who may not read every user is refused only-if-cached, with NOT_CACHED.
func newGrant(ctx context.Context, target callTarget, decision authz.Decision) (*accessGrant, error) {
	if !decision.AllUsers && cache.ControlOf(ctx).OnlyIfCached {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // a cached page tells that somebody has read it
	}
	through := GraphAccess{Sources: target.tenant.Sources, Reports: target.tenant.Reports, Contents: target.tenant.Contents}
	if decision.OnBehalf {
		var err error
		if through, err = onBehalf(ctx, target); err != nil {
			return nil, err
		}
	}
	return &accessGrant{
		callTarget: target, sources: through.Sources, reports: through.Reports, contents: through.Contents,
		onBehalf: decision.OnBehalf, allUsers: decision.AllUsers,
	}, nil
}
