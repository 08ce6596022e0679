package server

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authz"
)

const headerReason = "parley-reason"

// want is what a call asks for beside its user, as far as the policy and the audit records are concerned.
type want struct {
	sources    []parleyv1.Source
	view       parleyv1.EventView // defaults applied; unspecified for methods without a view
	start, end time.Time
	// conversation says that the call is about one conversation.
	conversation bool
}

// grant is what the policy allowed a call.
type grant struct {
	request authz.Request
	// allUsers says that the deciding rule is not narrower than all users.
	allUsers bool
	// onBehalf is the permission that the policy chose for asking Graph.
	onBehalf bool
}

// Short names of sources and views, as policies and audit records spell them.
var (
	sourceNames = func() map[parleyv1.Source]string {
		names := make(map[parleyv1.Source]string, len(parleyv1.Source_name))
		for number := range parleyv1.Source_name {
			src := parleyv1.Source(number)
			names[src] = authz.SourceNames([]parleyv1.Source{src})[0]
		}
		return names
	}()
	viewNames = func() map[parleyv1.EventView]string {
		names := make(map[parleyv1.EventView]string, len(parleyv1.EventView_name))
		for number := range parleyv1.EventView_name {
			names[parleyv1.EventView(number)] = authz.ViewName(parleyv1.EventView(number))
		}
		return names
	}()
)

// namesOf lists the names of sources in the given room, if it is large enough.
func namesOf(sources []parleyv1.Source, room []string) []string {
	for _, src := range sources {
		name, ok := sourceNames[src]
		if !ok {
			name = authz.SourceNames([]parleyv1.Source{src})[0]
		}
		room = append(room, name)
	}
	return room
}

// authorizer decides which calls may read what, and has each of them on record before anything is read.
type authorizer struct {
	tenants map[string]*Tenant
	policy  authz.Source
	audit   *audit.Log // nil = nothing is recorded
}

// ask resolves the tenant of a call that names no user, and has it allowed.
func (z *authorizer) ask(ctx context.Context, what want) (*asked, error) {
	a, err := z.tenantOf(ctx, what)
	if err != nil {
		return nil, err
	}
	request := a.request(ctx, what)
	decision, err := z.decide(ctx, a, request, what)
	if err != nil {
		return nil, err
	}
	return a, z.grant(ctx, a, request, decision, what)
}

// askFor resolves the tenant and the user segment of a name, which came in the given field, and has the call allowed.
// Nothing is looked up for a call that no rule allows whoever the user is.
func (z *authorizer) askFor(ctx context.Context, field, user string, what want) (*asked, error) {
	a, err := z.tenantOf(ctx, what)
	if err != nil {
		return nil, err
	}
	if user == me {
		if user = a.caller.UserID(); user == "" {
			return nil, apierror.Invalid(field, "`me` is a signed-in user's own id, and this caller is not one; name the user")
		}
	}
	request := a.request(ctx, what)
	switch {
	case user == resource.AnyUser:
		request.User = authz.WholeTenant
	case strings.Contains(user, "@"):
		request.UPN = user
	default:
		request.User = user
	}
	decision, err := z.decide(ctx, a, request, what)
	if err != nil {
		return nil, err
	}
	if user == resource.AnyUser {
		a.owner = resource.AnyUser
		return a, z.grant(ctx, a, request, decision, what)
	}
	if request.UPN != "" {
		// Whoever may have names looked up cannot do so unseen.
		if err := z.begin(ctx, z.lookupIntent(ctx, a, request, decision, what)); err != nil {
			return nil, err
		}
		if decision.Lookup && cache.ControlOf(ctx).OnlyIfCached {
			return nil, ofReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // see grant
		}
		user, err = a.resolve(ctx, user)
		if decision.Lookup && isKind(err, graphclient.KindNotFound) {
			// Who may not read every user does not learn which users there are.
			return nil, z.denied(ctx, a, request, decision, what)
		}
		if err != nil {
			return nil, err
		}
		if decision.Lookup && a.unresolved {
			return nil, errPolicyUserID(field)
		}
		request.User, request.UPN = user, ""
	}
	if decision.Lookup {
		if decision, err = z.decide(ctx, a, request, what); err != nil {
			return nil, err
		}
	}
	a.owner, a.user = user, user
	return a, z.grant(ctx, a, request, decision, what)
}

// resolve returns the object id behind a user principal name; the name itself where Graph refuses to tell.
func (a *asked) resolve(ctx context.Context, upn string) (string, error) {
	if a.tenant.Sources.Users == nil {
		a.unresolved = true
		return upn, nil
	}
	id, err := a.tenant.Sources.Users.UserID(ctx, upn)
	switch {
	case err == nil:
		return id, nil
	case denied(err):
		a.unresolved = true
		return upn, nil
	default:
		return "", of(parleyv1.Source_SOURCE_USER, err)
	}
}

// request is the policy's question, the user left out.
func (a *asked) request(ctx context.Context, what want) authz.Request {
	return authz.Request{
		RPC: infoOf(ctx).rpc, Tenant: a.tenant.policy(a.alias, a.only), Sources: what.sources, View: what.view, Conversation: what.conversation,
	}
}

func (t *Tenant) policy(alias string, only bool) authz.Tenant {
	return authz.Tenant{Alias: alias, ID: t.ID, Only: only}
}

// decide asks the policy. The decision either allows the call or waits for the look-up of its user.
func (z *authorizer) decide(ctx context.Context, a *asked, request authz.Request, what want) (authz.Decision, error) {
	decision := z.policy.Current().Decide(a.caller, request)
	if decision.Allowed || decision.Lookup && request.UPN != "" {
		if a.unknown {
			return decision, errTenant() // the caller may read every tenant there is
		}
		return decision, nil
	}
	return decision, z.denied(ctx, a, request, decision, what)
}

// denied is the error of a call that the policy refuses, which is on record.
func (z *authorizer) denied(ctx context.Context, a *asked, request authz.Request, decision authz.Decision, what want) error {
	err := errObstacle(decision.Obstacle)
	info := infoOf(ctx)
	switch {
	case z.audit == nil:
	case info.recorded:
		// The outcome will say who it was that a look-up found.
		info.record.Correct(z.lookupIntent(ctx, a, request, decision, what))
	default:
		z.audit.Denied(z.intent(ctx, a, request, decision, what),
			audit.Outcome{Code: codeName(err.Code), ErrorReason: reasons.Text(err.Reason)})
	}
	return err
}

// begin records what a call is about to read or to look up, unless that is on record; nothing is read that is not.
func (z *authorizer) begin(ctx context.Context, intent audit.Intent) error {
	info := infoOf(ctx)
	var err error
	switch {
	case z.audit == nil:
	case info.recorded:
		err = info.record.Learn(intent)
	default:
		err = z.audit.Begin(&info.record, intent)
		info.recorded = err == nil
	}
	if err != nil {
		return &apierror.Error{
			Code: codes.Unavailable, Reason: parleyv1.ErrorReason_ERROR_REASON_AUDIT_UNAVAILABLE, RetryAfter: retryLater,
			Message: "the call could not be recorded, so it was not made",
		}
	}
	return nil
}

// lookupIntent is the intent of a look-up. Names are looked up with the application's permission, whatever the rule says.
func (z *authorizer) lookupIntent(ctx context.Context, a *asked, request authz.Request, decision authz.Decision, what want) audit.Intent {
	intent := z.intent(ctx, a, request, decision, what)
	intent.Graph = audit.Graph{Permission: authz.PermissionName(false), Identity: a.tenant.Application}
	return intent
}

// grant records what the call is about to read.
func (z *authorizer) grant(ctx context.Context, a *asked, request authz.Request, decision authz.Decision, what want) error {
	info := infoOf(ctx)
	info.grant = grant{request: request, allUsers: decision.AllUsers, onBehalf: decision.OnBehalf}
	if err := z.begin(ctx, z.intent(ctx, a, request, decision, what)); err != nil {
		return err
	}
	info.granted, a.allUsers = &info.grant, decision.AllUsers
	if !decision.AllUsers && cache.ControlOf(ctx).OnlyIfCached {
		return ofReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED) // what is kept tells that somebody has read it
	}
	if decision.OnBehalf {
		return z.delegate(ctx, a)
	}
	a.sources, a.reports = a.tenant.Sources, a.tenant.Reports
	return nil
}

func (z *authorizer) intent(ctx context.Context, a *asked, request authz.Request, decision authz.Decision, what want) audit.Intent {
	info := infoOf(ctx)
	owner := request.User
	if owner == "" {
		owner = request.UPN
	}
	view, ok := viewNames[what.view]
	if !ok {
		view = authz.ViewName(what.view)
	}
	return audit.Intent{
		RequestID: info.id,
		Caller:    audit.Caller{ID: a.callerID, Kind: a.caller.Kind.String(), Application: a.caller.AppID},
		Rule:      decision.Rule, Policy: decision.Digest, RPC: info.rpc, Door: info.door,
		Tenant: a.alias, TenantID: a.tenant.ID, Owner: owner, Conversation: what.conversation,
		Sources: namesOf(what.sources, info.sources[:0]), Start: what.start, End: what.end, View: view,
		Reason: header(ctx, headerReason),
		Graph:  a.graphIdentity(decision),
	}
}

func errDenied() *apierror.Error {
	return &apierror.Error{
		Code: codes.PermissionDenied, Reason: parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED,
		Message: "no rule of the gateway's policy allows this caller this method with these sources, this view and this user in this tenant",
	}
}

func errPolicyUserID(field string) error {
	return &apierror.Error{
		Code: codes.FailedPrecondition, Reason: parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED, Field: field,
		Message: "the policy decides by object id, and Graph refuses to look this user up; name the user by object id",
	}
}
