package service

import (
	"context"
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
)

// accessScope is the part of a request that the policy decides about and the audit records show: sources, view and interval. The user
// is not in it.
type accessScope struct {
	sources    []parleyv1.Source
	view       parleyv1.EventView // defaults applied; unspecified for methods without a view
	start, end time.Time
	// conversation is set for calls about one conversation.
	conversation bool
}

// authorizer authorizes each call once: it resolves the target of the call, asks the policy, and records the call before anything is
// read.
type authorizer struct {
	tenants map[string]*Tenant
	policy  authz.Source
	audit   *audit.Log // nil = nothing is recorded
}

// authorize authorizes a call that names no user.
func (a *authorizer) authorize(ctx context.Context, scope accessScope) (*callTarget, error) {
	target, err := a.target(ctx, scope)
	if err != nil {
		return nil, err
	}
	decision, err := a.decide(ctx, target)
	if err != nil {
		return nil, err
	}
	return target, a.allow(ctx, target, decision)
}

// authorizeUser authorizes a call about one user, or about all with `users/-`; user is the segment of the name in the given field.
//
// Rules about some users decide by object id. For a user principal name the policy is asked twice: first whether any rule could
// allow the call, then, after the look-up, whether one does. A call that no rule could allow causes no look-up.
func (a *authorizer) authorizeUser(ctx context.Context, field, user string, scope accessScope) (*callTarget, error) {
	target, err := a.target(ctx, scope)
	if err != nil {
		return nil, err
	}
	if user, err = target.setUser(field, user); err != nil {
		return nil, err
	}
	decision, err := a.decide(ctx, target)
	if err != nil {
		return nil, err
	}
	if user == resource.AnyUser {
		target.owner = resource.AnyUser
		return target, a.allow(ctx, target, decision)
	}
	if target.request.UPN != "" {
		if err := a.lookUp(ctx, field, target, decision); err != nil {
			return nil, err
		}
	}
	if decision.Answer == authz.NeedsUserID {
		if decision, err = a.decide(ctx, target); err != nil {
			return nil, err
		}
	}
	target.owner, target.user = target.request.User, target.request.User
	return target, a.allow(ctx, target, decision)
}

// lookUp replaces the user principal name of the request by the object id; the name stands for the user where Graph refuses to tell.
// It is recorded first.
func (a *authorizer) lookUp(ctx context.Context, field string, target *callTarget, decision authz.Decision) error {
	if err := a.record(ctx, target.lookupIntent(ctx, decision)); err != nil {
		return err
	}
	if decision.Answer == authz.NeedsUserID && cache.ControlOf(ctx).OnlyIfCached {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // see allow
	}
	user, err := target.resolve(ctx, target.request.UPN)
	if decision.Answer == authz.NeedsUserID && isKind(err, graph.KindNotFound) {
		// A caller who may not read every user does not learn which users there are.
		return a.denied(ctx, target, decision)
	}
	if err != nil {
		return err
	}
	if decision.Answer == authz.NeedsUserID && target.unresolved {
		return errPolicyUserID(field)
	}
	target.request.User, target.request.UPN = user, ""
	return nil
}

// decide asks the policy. Without an error, the decision allows the call, or waits for the look-up of its user.
func (a *authorizer) decide(ctx context.Context, target *callTarget) (authz.Decision, error) {
	decision := a.policy.Current().Decide(target.caller, target.request)
	if decision.Answer == authz.Allowed || decision.Answer == authz.NeedsUserID && target.request.UPN != "" {
		if target.unknownTenant {
			return decision, errTenant() // the caller may read every tenant there is
		}
		return decision, nil
	}
	return decision, a.denied(ctx, target, decision)
}

// allow records the allowed call, and then gives its target the sources: the tenant's, or those of the caller on whose behalf Graph
// is asked.
func (a *authorizer) allow(ctx context.Context, target *callTarget, decision authz.Decision) error {
	info := callinfo.FromContext(ctx)
	if err := a.record(ctx, target.intent(ctx, decision)); err != nil {
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

func errDenied() *apierror.Error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED)
}

func errPolicyUserID(field string) error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED,
		"the policy decides by object id, and Graph refuses to look this user up; name the user by object id").WithField(field)
}
