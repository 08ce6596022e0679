package source

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/odata"
)

const (
	usersPath     = "/users"
	usersPageSize = "999" // the maximum
	userFields    = "id,displayName,userPrincipalName,department,jobTitle,country,accountEnabled,userType,assignedPlans"
	nameFields    = "id,displayName"

	// copilotPlan is the service plan `Microsoft Copilot with Graph-grounded chat`: users without it have no interaction history.
	copilotPlan = "3f30311c-6b1e-48a4-ab79-725b469da960"
	// planEnabled is the capabilityStatus of a plan that a user may use.
	planEnabled = "Enabled"
)

// Users reads the directory.
type Users struct{ base }

var (
	_ UserReader = (*Users)(nil)
	_ NameReader = (*Users)(nil)
)

// NewUsers returns the source of users.
func NewUsers(client Graph, opt Options) *Users {
	return &Users{base: newBase(client, opt, parleyv1.Source_SOURCE_USER)}
}

// Users implements UserReader. When Graph refuses the filter of a query, all users are read (Unfiltered).
func (u *Users) Users(ctx context.Context, q UserQuery, link string) (*Page[*parleyv1.User], error) {
	newRequest := func(filter string) graph.Request {
		query := []graph.Param{{Name: "$select", Value: userFields}, {Name: "$top", Value: usersPageSize}}
		if filter != "" {
			query = append(query, graph.Param{Name: "$filter", Value: filter})
		}
		return u.request(ctx, usersPath, link, query...)
	}
	attempts := []attempt{{request: newRequest(userFilter(&q))}}
	if link == "" && !q.IsZero() {
		attempts = append(attempts, attempt{name: "all users", request: newRequest(""), unfiltered: true})
	}
	page, _, err := answeredPage(ctx, &u.base, attempts, u.user)
	return page, err
}

// userFilter is a query as Graph's filter.
func userFilter(q *UserQuery) string {
	name := ""
	if q.DisplayName != "" {
		name = "displayName eq " + odata.Literal(q.DisplayName)
	}
	return odata.AllOf(odata.In("id", q.IDs), odata.In("userPrincipalName", q.PrincipalNames), name, odata.StartsWith("displayName", q.NamePrefix))
}

// User implements UserReader.
func (u *Users) User(ctx context.Context, user string) (*parleyv1.User, error) {
	path, err := userPath(user, "")
	if err != nil {
		return nil, err
	}
	answer, err := u.graph.Object(ctx, u.request(ctx, path, "", graph.Param{Name: "$select", Value: userFields}))
	if err != nil {
		return nil, err
	}
	found, err := u.user(answer.Body)
	if err == nil && found.GetId() == "" {
		return nil, malformed("a user has no id", nil)
	}
	return found, err
}

// user normalizes one user.
func (u *Users) user(record []byte) (*parleyv1.User, error) {
	table, err := u.table()
	if err != nil {
		return nil, err
	}
	user, err := table.User(record)
	if err != nil {
		return nil, malformed("a user cannot be read", err)
	}
	if user.GetId() != "" {
		user.Name = resource.User(user.GetId())
	}
	all, err := properties(record)
	if err != nil {
		return nil, err
	}
	user.Copilot = copilotLicence(find(all, "assignedPlans"))
	return user, nil
}

// copilotLicence reads the licence from a user's assigned plans; nil where Graph did not send them. Plans that cannot be read are none.
func copilotLicence(plans []byte) *parleyv1.CopilotLicence {
	all, ok := elements(plans)
	if !ok {
		return nil
	}
	licence := &parleyv1.CopilotLicence{Licensed: new(false)}
	for _, plan := range all {
		of, err := properties(plan)
		if err != nil {
			continue
		}
		id, _ := jsonText(find(of, "servicePlanId"))
		status, _ := jsonText(find(of, "capabilityStatus"))
		if !strings.EqualFold(id, copilotPlan) || !strings.EqualFold(status, planEnabled) {
			continue
		}
		licence.Licensed = new(true)
		assigned, _ := jsonText(find(of, "assignedDateTime"))
		since, err := time.Parse(time.RFC3339Nano, assigned)
		if err != nil || since.Year() <= 1 {
			continue // no date, or Graph's word for none
		}
		if licence.GetSince() == nil || since.Before(licence.GetSince().AsTime()) {
			licence.Since = timestamppb.New(since)
		}
	}
	return licence
}

// Names implements NameReader.
func (u *Users) Names(ctx context.Context, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	for batch := range slices.Chunk(ids, MaxUserTerms) {
		r := u.request(ctx, usersPath, "", graph.Param{Name: "$select", Value: nameFields}, graph.Param{Name: "$filter", Value: odata.In("id", batch)})
		err := eachRecord(ctx, u.graph, r, func(record []byte) error {
			all, err := properties(record)
			if err != nil {
				return err
			}
			id, _ := jsonText(find(all, "id"))
			if name, ok := jsonText(find(all, "displayName")); ok && id != "" && name != "" {
				names[strings.ToLower(id)] = name
			}
			return nil
		})
		if err != nil {
			return names, err
		}
	}
	return names, nil
}

// UserID implements UserReader.
func (u *Users) UserID(ctx context.Context, upn string) (string, error) {
	path, err := userPath(upn, "")
	if err != nil {
		return "", err
	}
	answer, err := u.graph.Object(ctx, u.request(ctx, path, "", graph.Param{Name: "$select", Value: "id"}))
	if err != nil {
		return "", err
	}
	all, err := properties(answer.Body)
	if err != nil {
		return "", err
	}
	id, ok := jsonText(find(all, "id"))
	if !ok || id == "" {
		return "", malformed("a user has no id", nil)
	}
	return id, nil
}
