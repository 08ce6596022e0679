package service

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	tenantA = "11111111-2222-4333-8444-555555555555"
	tenantB = "99999999-2222-4333-8444-555555555555"
	ada     = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	bob     = "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	adaUPN  = "ada@contoso.example"
	bobUPN  = "bob@contoso.example"
)

// directory looks users up, and counts the look-ups.
type directory struct {
	source.UserReader

	refuses bool
	asked   int
}

// UserID knows Bob alone.
func (d *directory) UserID(_ context.Context, upn string) (string, error) {
	d.asked++
	switch {
	case d.refuses:
		return "", &graph.Error{Kind: graph.KindForbidden}
	case upn == bobUPN:
		return bob, nil
	default:
		return "", &graph.Error{Kind: graph.KindNotFound}
	}
}

// records is a sink of audit records.
type records struct {
	mu   sync.Mutex
	text strings.Builder
	fail error
}

func (r *records) Write(lines []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	return r.text.Write(lines)
}

func (*records) Close() error { return nil }

// list has the kind, tenant, owner and rule of each record. `upn` stands for the hash of a name.
func (r *records) list(t *testing.T) (all []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		var record struct {
			Kind   string `json:"kind"`
			Tenant string `json:"tenant"`
			Owner  string `json:"owner"`
			Rule   string `json:"rule"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(record.Owner, "sha256:") {
			record.Owner = "upn"
		}
		all = append(all, strings.Join(slices.DeleteFunc([]string{record.Kind, record.Tenant, record.Owner, record.Rule}, func(s string) bool { return s == "" }), " "))
	}
	return all
}

// exchange hands out the sources of a user.
type exchange struct{ asked []Assertion }

func (e *exchange) OnBehalfOf(_ context.Context, user Assertion) (GraphAccess, error) {
	e.asked = append(e.asked, user)
	return GraphAccess{Sources: query.Sources{Users: &directory{}}}, nil
}

const testRules = `rules:
  - name: officer
    match: {role: Officer}
    allow: {rpcs: all, sources: all, view: full, users: all}
  - name: auditor
    match: {role: Auditor}
    allow: {rpcs: [ListEvents], sources: [chat], view: full, users: {listed: people}, tenants: all}
  - name: mine
    match: {scope: Mine}
    allow: {rpcs: [ListEvents], sources: [chat], view: full, users: own}
  - name: behalf
    match: {scope: Behalf}
    allow: {rpcs: [ListConversations], sources: [conversation], view: full, users: own, graph: on_behalf_of}
`

// testPolicy reads testRules; Bob is the one listed user.
func testPolicy(t *testing.T) authz.PolicySource {
	t.Helper()
	policy, err := authz.Parse("policy.yaml", []string{"a", "b"}, func(path string) ([]byte, error) {
		if path == "people" {
			return []byte(bob + "\n"), nil
		}
		return []byte(testRules), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return authz.Fixed{Policy: policy}
}

// world is an authorizer with what it asks.
type world struct {
	authorizer
	log       *audit.Log
	directory directory
	exchange  exchange
	records   records
	own       query.Sources // of tenant a
}

func newWorld(t *testing.T, tenants ...string) *world {
	t.Helper()
	w := &world{}
	w.own = query.Sources{Users: &w.directory}
	w.authorizer = authorizer{tenants: map[string]*Tenant{}, policy: testPolicy(t)}
	w.log = audit.New(&w.records, audit.Options{})
	t.Cleanup(func() { _ = w.log.Close() })
	for _, alias := range tenants {
		w.tenants[alias] = map[string]*Tenant{
			"a": {ID: tenantA, Sources: w.own, Delegates: &w.exchange}, "b": {ID: tenantB, Sources: w.own},
		}[alias]
	}
	return w
}

// caller is Ada with a role or scope.
func caller(role, scope string) *authn.Caller {
	return &authn.Caller{Kind: authn.KindUser, Subject: "s", ObjectID: ada, TenantID: tenantA, Roles: []string{role}, Scopes: []string{scope}, Expires: time.Unix(9, 0)}
}

// call is the context of a call, whose audit record is open.
func (w *world) call(t *testing.T, by *authn.Caller, rpc string, headers ...string) context.Context {
	t.Helper()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(headers...))
	ctx = callinfo.NewContext(ctx, "/parley.v1.EventService/"+rpc, callinfo.GRPC)
	info := callinfo.FromContext(ctx)
	info.Caller, info.CallerID = by, by.ID()
	info.Record.Open(w.log)
	return ctx
}

var (
	chats    = accessScope{sources: []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}, view: parleyv1.EventView_EVENT_VIEW_BASIC}
	chatList = accessScope{sources: []parleyv1.Source{parleyv1.Source_SOURCE_CONVERSATION}, view: parleyv1.EventView_EVENT_VIEW_BASIC}
)

// granted is what a case looks at in an accessGrant.
type granted struct {
	Tenant, Owner, GraphUser       string
	Unresolved, AllUsers, OnBehalf bool
}

func TestPolicyDecidesAboutTheUserOfACall(t *testing.T) {
	t.Parallel()
	const officer, auditor = "Officer", "Auditor"
	one, both := []string{"a"}, []string{"a", "b"}
	for name, c := range map[string]struct {
		tenants []string
		caller  *authn.Caller
		user    string
		headers []string
		refuses bool // the directory refuses look-ups
		want    granted
		reason  parleyv1.ErrorReason
		lookUps int
		records []string
	}{
		"by id": {
			tenants: one, caller: caller(officer, ""), user: bob,
			want: granted{"a", bob, bob, false, true, false}, records: []string{"intent a " + bob + " officer"},
		},
		"me": {
			tenants: one, caller: caller("", "Mine"), user: "me",
			want: granted{"a", ada, ada, false, false, false}, records: []string{"intent a " + ada + " mine"},
		},
		"me of a program": {
			tenants: one, caller: &authn.Caller{Kind: authn.KindApplication, Roles: []string{officer}}, user: "me",
			reason: parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT,
		},
		"the whole tenant": {
			tenants: one, caller: caller(officer, ""), user: "-",
			want: granted{"a", "-", "", false, true, false}, records: []string{"intent a - officer"},
		},
		"the whole tenant by a narrow rule": {
			tenants: one, caller: caller(auditor, ""), user: "-",
			reason: parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED, records: []string{"outcome a -"},
		},
		"a name, every user allowed": {
			tenants: one, caller: caller(officer, ""), user: bobUPN, lookUps: 1,
			want: granted{"a", bob, bob, false, true, false}, records: []string{"intent a upn officer", "intent a " + bob + " officer"},
		},
		"an unknown name, every user allowed": {
			tenants: one, caller: caller(officer, ""), user: adaUPN, lookUps: 1,
			reason: parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND, records: []string{"intent a upn officer"},
		},
		"a name that Graph refuses to look up": {
			tenants: one, caller: caller(officer, ""), user: bobUPN, refuses: true, lookUps: 1,
			want: granted{"a", bobUPN, bobUPN, true, true, false}, records: []string{"intent a upn officer"},
		},
		"a listed user's name": {
			tenants: one, caller: caller(auditor, ""), user: bobUPN, lookUps: 1,
			want: granted{"a", bob, bob, false, false, false}, records: []string{"intent a upn", "intent a " + bob + " auditor"},
		},
		"an unknown name by a narrow rule": {
			tenants: one, caller: caller(auditor, ""), user: adaUPN, lookUps: 1,
			reason: parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED, records: []string{"intent a upn"},
		},
		"a refused look-up by a narrow rule": {
			tenants: one, caller: caller(auditor, ""), user: bobUPN, refuses: true, lookUps: 1,
			reason: parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED, records: []string{"intent a upn"},
		},
		"a name that no rule could allow": {
			tenants: one, caller: caller("", "Mine"), user: bobUPN,
			reason: parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED, records: []string{"outcome a upn"},
		},
		"a cached page by a narrow rule": {
			tenants: one, caller: caller("", "Mine"), user: ada, headers: []string{"cached", "1"},
			reason: parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED, records: []string{"intent a " + ada + " mine"},
		},
		"a cached look-up by a narrow rule": {
			tenants: one, caller: caller(auditor, ""), user: bobUPN, headers: []string{"cached", "1"},
			reason: parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED, records: []string{"intent a upn"},
		},
		"the one tenant that the caller may read": {
			tenants: both, caller: caller(officer, ""), user: bob,
			want: granted{"a", bob, bob, false, true, false}, records: []string{"intent a " + bob + " officer"},
		},
		"a named tenant": {
			tenants: both, caller: caller(auditor, ""), user: bob, headers: []string{callinfo.HeaderTenant, "b"},
			want: granted{"b", bob, bob, false, false, false}, records: []string{"intent b " + bob + " auditor"},
		},
		"one of two tenants, none named": {
			tenants: both, caller: caller(auditor, ""), user: bob,
			reason: parleyv1.ErrorReason_ERROR_REASON_TENANT_REQUIRED,
		},
		"an unknown tenant": {
			tenants: both, caller: caller(auditor, ""), user: bob, headers: []string{callinfo.HeaderTenant, "c"},
			reason: parleyv1.ErrorReason_ERROR_REASON_TENANT_REQUIRED,
		},
		"an unknown tenant by a caller of one": {
			tenants: both, caller: caller(officer, ""), user: bob, headers: []string{callinfo.HeaderTenant, "c"},
			reason: parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED, records: []string{"outcome " + bob},
		},
		"a caller without access": {
			tenants: both, caller: caller("", ""), user: bob,
			reason: parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED, records: []string{"outcome"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.tenants...)
			w.directory.refuses = c.refuses
			ctx := w.call(t, c.caller, "ListEvents", c.headers...)
			ctx = cache.WithControl(ctx, cache.Control{OnlyIfCached: len(c.headers) > 0 && c.headers[0] == "cached"})
			access, err := w.authorizeUser(ctx, fieldParent, c.user, chats)
			have, reason := granted{}, parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED
			if err != nil {
				reason = reasonOf(err)
			} else {
				have = granted{access.alias, access.owner, access.graphUser(), access.unresolved, access.allUsers, access.onBehalf}
			}
			if reason != c.reason || have != c.want || w.directory.asked != c.lookUps {
				t.Errorf("%+v, error %v, %d look-ups; want %+v, %v, %d", have, err, w.directory.asked, c.want, c.reason, c.lookUps)
			}
			if record := &callinfo.FromContext(ctx).Record; !record.HasIntent() {
				record.End(audit.Outcome{Code: "PERMISSION_DENIED"}) // as the interceptor does; with an intent, it is the same for all calls
			}
			if diff := cmp.Diff(c.records, w.records.list(t)); diff != "" {
				t.Error("records:", diff)
			}
			if noted := callinfo.FromContext(ctx).Grant; noted == nil && err == nil || noted != nil && reason == parleyv1.ErrorReason_ERROR_REASON_POLICY_DENIED {
				t.Errorf("noted grant: %+v", noted)
			}
		})
	}
}

func reasonOf(err error) parleyv1.ErrorReason {
	text := "ERROR_REASON_" + apierror.Reason(apierror.FromError(err))
	return parleyv1.ErrorReason(parleyv1.ErrorReason_value[text])
}

// TestCallWithoutAUserHasNoOwner: a call that names no user has no owner.
func TestCallWithoutAUserHasNoOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	access, err := w.authorize(w.call(t, caller("Officer", ""), "ListUsers"), accessScope{sources: []parleyv1.Source{parleyv1.Source_SOURCE_USER}})
	if err != nil || access.owner != "" || access.graphUser() != "" || access.sources.Users != w.own.Users {
		t.Fatalf("%+v, %v", access, err)
	}
	if by, tenant, permission := access.binding(); by != caller("", "").ID() || tenant != tenantA || permission != "" {
		t.Error(by, tenant, permission)
	}
}

// TestGraphIsAskedThroughTheExchangedToken: the caller's token is exchanged, and Graph is asked through what the exchange gave.
func TestGraphIsAskedThroughTheExchangedToken(t *testing.T) {
	t.Parallel()
	w, by := newWorld(t, "a"), caller("", "Behalf")
	access, err := w.authorizeUser(w.call(t, by, "ListConversations", "authorization", "Bearer secret"), fieldParent, me, chatList)
	if err != nil || !access.onBehalf || access.sources.Users == w.own.Users {
		t.Fatalf("%+v, %v", access, err)
	}
	if diff := cmp.Diff([]Assertion{{User: ada, Token: "secret", Expires: by.Expires}}, w.exchange.asked); diff != "" {
		t.Error(diff)
	}
	if _, _, permission := access.binding(); permission != "on_behalf_of" {
		t.Errorf("cursors are bound to %q", permission)
	}
	if _, err := w.authorizeUser(w.call(t, by, "ListConversations"), fieldParent, me, chatList); reasonOf(err) != parleyv1.ErrorReason_ERROR_REASON_DELEGATION_UNAVAILABLE {
		t.Errorf("without a token: %v", err)
	}
}

// TestNothingIsGrantedWithoutARecord: a call whose intent cannot be written has no access, and no user is looked up for it.
func TestNothingIsGrantedWithoutARecord(t *testing.T) {
	t.Parallel()
	for _, user := range []string{bob, bobUPN} {
		w := newWorld(t, "a")
		w.records.fail = errors.New("full")
		access, err := w.authorizeUser(w.call(t, caller("Officer", ""), "ListEvents"), fieldParent, user, chats)
		if access != nil || reasonOf(err) != parleyv1.ErrorReason_ERROR_REASON_AUDIT_UNAVAILABLE || w.directory.asked != 0 {
			t.Errorf("%s: %+v, %v, %d look-ups", user, access, err, w.directory.asked)
		}
	}
}
