package timeline

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// userList is the users that are left.
type userList struct {
	toBegin  []listedUser
	toResume []listedUser // the open users of the token
	total    int          // users of the whole walk
	doubtful bool         // the directory may have users that are not in the list
	notices  []*parleyv1.Notice
}

// listedUser is a user of the walk. lacksPlan says that the directory shows no plan for Copilot, where that matters.
type listedUser struct {
	id        string
	lacksPlan bool
}

// add adds a user, if the user is in the part that is read.
func (l *userList) add(req *query.Tenant, user listedUser) {
	if req.HasUser(user.id) {
		l.toBegin = append(l.toBegin, user)
	}
}

// listUsers returns the users that are left, in the order of their ids. A list that may lack some is noted.
func (s *tenantStream) listUsers(ctx context.Context) (userList, error) {
	list := userList{}
	for _, id := range s.req.Users {
		list.add(s.req, listedUser{id: id})
	}
	if len(s.req.Users) == 0 {
		if err := s.addDirectory(ctx, &list); err != nil {
			return list, err
		}
	}
	byID := func(a, b listedUser) int { return cmp.Compare(a.id, b.id) }
	slices.SortFunc(list.toBegin, byID)
	list.toBegin = slices.CompactFunc(list.toBegin, func(a, b listedUser) bool { return a.id == b.id })
	list.total = len(list.toBegin)
	from, found := slices.BinarySearchFunc(list.toBegin, listedUser{id: s.position.Begun}, byID)
	if found {
		from++
	}
	for _, open := range s.position.Open {
		user := listedUser{id: open.ID}
		if at, found := slices.BinarySearchFunc(list.toBegin, user, byID); found {
			user = list.toBegin[at]
		}
		list.toResume = append(list.toResume, user)
	}
	list.toBegin = list.toBegin[from:]
	if len(s.req.Users) > 0 {
		return list, errors.Join(s.lookUpPlans(ctx, list.toBegin), s.lookUpPlans(ctx, list.toResume))
	}
	return list, nil
}

// directoryPage is how many users are asked for at a time.
const directoryPage = 1000

// addDirectory adds the users of the directory to a list.
func (s *tenantStream) addDirectory(ctx context.Context, list *userList) error {
	if s.sources.Users == nil {
		return &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD, Source: parleyv1.Source_SOURCE_USER}
	}
	q := query.Users{Caller: s.req.Caller, Tenant: s.req.Tenant}
	rows := 0
	for token := ""; ; {
		page, err := s.engine.ListUsers(ctx, s.sources, q, token, directoryPage)
		if err != nil {
			return err
		}
		rows += len(page.GetUsers())
		for _, user := range page.GetUsers() {
			if user.GetId() == "" || s.req.Licensed && !user.GetCopilot().GetLicensed() {
				continue
			}
			list.add(s.req, listedUser{user.GetId(), s.looksForPlans() && source.LacksCopilotPlan(user)})
		}
		list.notices = append(list.notices, page.GetNotices()...)
		if token = page.GetNextPageToken(); token == "" {
			list.doubtful = !page.GetComplete()
			if rows == 0 {
				list.doubtful = true
				list.notices = append(list.notices, emptyDirectory())
			}
			return nil
		}
	}
}

// emptyDirectory is the notice about a directory that lists nobody. Every tenant has a user, so something is wrong with such an answer.
func emptyDirectory() *parleyv1.Notice {
	return &parleyv1.Notice{
		Code: reasons.Text(parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION), Source: parleyv1.Source_SOURCE_USER,
		Message: "Graph listed no user at all, and every tenant has one",
	}
}

// looksForPlans reports whether it matters who has a plan for Copilot.
func (s *tenantStream) looksForPlans() bool {
	const src = parleyv1.Source_SOURCE_COPILOT
	_, unavailable := s.req.Unavailable[src]
	return s.req.Plan != nil && !unavailable && slices.Contains(s.requested, src)
}

// maxPlanPages ends the answer of the directory about a few users.
const maxPlanPages = 8

// lookUpPlans looks up the plans of users who are asked for by id, if Copilot is asked. Of a user of whom the directory shows nothing,
// Graph is asked for the interactions, and its answer decides. After a look-up that fails, the same holds for
// all users who are left: no event is missing, but a user without a plan is refused and not read. The error is that of the context.
func (s *tenantStream) lookUpPlans(ctx context.Context, users []listedUser) error {
	if s.sources.Users == nil || !s.looksForPlans() {
		return nil
	}
	indexes := make(map[string]int, len(users))
	ids := make([]string, 0, len(users))
	for i := range users {
		if id := users[i].id; resource.IsObjectID(id) { // Graph refuses a filter with another id
			indexes[strings.ToLower(id)] = i
			ids = append(ids, id)
		}
	}
	for some := range slices.Chunk(ids, source.MaxUserTerms) {
		link := ""
		for range maxPlanPages {
			page, err := s.sources.Users.Users(ctx, source.UserQuery{IDs: some}, link)
			if err != nil || page.Unfiltered { // without the filter the answer is the whole directory
				return ctx.Err()
			}
			for _, user := range page.Items {
				if i, asked := indexes[strings.ToLower(user.GetId())]; asked {
					users[i].lacksPlan = source.LacksCopilotPlan(user)
				}
			}
			if link = page.Next; link == "" {
				break
			}
		}
	}
	return nil
}
