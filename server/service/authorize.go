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
	if user, err = target.setUser(field, user); err != nil {
		return nil, err
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
	if err := z.record(ctx, target.lookupIntent(ctx, decision)); err != nil {
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
	if err := z.record(ctx, target.intent(ctx, decision)); err != nil {
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
