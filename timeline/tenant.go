package timeline

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/tenant"
	"github.com/parley-gateway/parley/timeline/window"
)

// TenantFrame is a frame of a stream over the users of a tenant.
type TenantFrame = parleyv1.StreamTenantEventsResponse

// StreamTenantBatches emits the events of many users as frames: take receives the batches of encoded events, and emit all other frames.
// Users are begun in the order of their ids, and up to cursor.MaxOpenUsers of them are read at a time. After the first checkpoint errors
// are *failure.StreamError; an error of take or emit is returned as it is.
func (e *Engine) StreamTenantBatches(
	ctx context.Context, sources query.Sources, req query.Tenant, token string, take func(*Batch) error, emit func(*TenantFrame) error,
) error {
	ctx = source.WithPriority(ctx, source.Background)
	w := &tenantWalk{
		engine: e, sources: sources, req: &req, take: take, emit: emit,
		messages: make(chan userMessage), slots: make(chan struct{}, cursor.MaxStartedUsers),
	}
	err := w.begin(token)
	if err != nil {
		return err
	}
	if w.Finished && req.Reconnect {
		return nil
	}
	account, release := e.account(ctx)
	defer release()
	w.account = account
	account.Add(frame.TargetBatch) // a batch is on its way
	defer account.Add(-frame.TargetBatch)
	ctx, w.cancel = context.WithCancel(ctx)
	if w.ahead, err = e.openAhead(w, token != ""); err != nil {
		return err
	}
	defer w.close()
	return frame.Result(w.run(ctx), w.last)
}

// begin begins the walk, or goes on from a token.
func (w *tenantWalk) begin(token string) error {
	to, err := w.req.ResolveTenant(w.sources)
	if err != nil {
		return err
	}
	w.asked, w.digest = to.Sources, to.Digest[:]
	if !w.req.Askable(w.asked) {
		return &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD, Source: w.asked[0]}
	}
	if err := w.req.CheckFilter(); err != nil {
		return err
	}
	if w.req.Deduplicate {
		w.copies = tenant.NewCopies()
	}
	if token != "" {
		saved, err := cursor.OpenTenant(w.engine.cfg.Sealer, token, w.digest)
		if err != nil {
			return cursor.Refusal(err, "resume_token")
		}
		if len(saved.Totals) != len(w.asked) {
			return failure.TokenRefused("resume_token")
		}
		w.Tenant = saved
		return nil
	}
	now := time.Now().UTC()
	if err := w.req.Check(now); err != nil {
		return err
	}
	_, end, cut := w.req.Interval(now, window.Earlier(now, now.Add(-w.sources.ClockAhead())))
	if cut {
		w.notices = append(w.notices, query.EndCut())
	}
	w.Tenant = &cursor.Tenant{End: end, Totals: make([]cursor.Total, len(w.asked))}
	return nil
}

// users returns the users to begin, in the order of their ids. A list that may lack some is noted.
func (w *tenantWalk) users(ctx context.Context) (userList, error) {
	list := userList{}
	for _, id := range w.req.Users {
		list.add(w.req, listedUser{id: id})
	}
	if len(w.req.Users) == 0 {
		if err := w.directory(ctx, &list); err != nil {
			return list, err
		}
	}
	byID := func(a, b listedUser) int { return cmp.Compare(a.id, b.id) }
	slices.SortFunc(list.users, byID)
	list.users = slices.CompactFunc(list.users, func(a, b listedUser) bool { return a.id == b.id })
	list.total = len(list.users)
	from, found := slices.BinarySearchFunc(list.users, listedUser{id: w.Begun}, byID)
	if found {
		from++
	}
	for _, open := range w.Open {
		user := listedUser{id: open.ID}
		if at, found := slices.BinarySearchFunc(list.users, user, byID); found {
			user = list.users[at]
		}
		list.open = append(list.open, user)
	}
	list.users = list.users[from:]
	if len(w.req.Users) > 0 {
		return list, errors.Join(w.lookUpPlans(ctx, list.users), w.lookUpPlans(ctx, list.open))
	}
	return list, nil
}

// userList is the users that are left.
type userList struct {
	users    []listedUser // to begin
	open     []listedUser // of the token: to go on with
	total    int          // users of the whole walk
	doubtful bool
	notices  []*parleyv1.Notice
}

// listedUser is a user with what the directory shows of the plan for Copilot.
type listedUser struct {
	id   string
	plan source.CopilotPlan
}

// add adds a user, if the user is in the part that is read.
func (l *userList) add(req *query.Tenant, user listedUser) {
	if req.HasUser(user.id) {
		l.users = append(l.users, user)
	}
}

// directoryPage is how many users are asked for at a time.
const directoryPage = 1000

// directory adds the users of the directory to a list.
func (w *tenantWalk) directory(ctx context.Context, list *userList) error {
	if w.sources.Users == nil {
		return &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD, Source: parleyv1.Source_SOURCE_USER}
	}
	q := query.Users{Caller: w.req.Caller, Tenant: w.req.Tenant}
	for token := ""; ; {
		page, err := w.engine.ListUsers(ctx, w.sources, q, token, directoryPage)
		if err != nil {
			return err
		}
		for _, user := range page.GetUsers() {
			if user.GetId() == "" || w.req.Licensed && !user.GetCopilot().GetLicensed() {
				continue
			}
			listed := listedUser{id: user.GetId()}
			if w.req.Plan != nil {
				listed.plan = w.req.Plan(user)
			}
			list.add(w.req, listed)
		}
		list.notices = append(list.notices, page.GetNotices()...)
		if token = page.GetNextPageToken(); token == "" {
			list.doubtful = !page.GetComplete()
			return nil
		}
	}
}

// maxPlanPages ends the answer of the directory about a few users.
const maxPlanPages = 8

// lookUpPlans looks up the plans of users who are asked for by id, if Copilot is asked. A user of whom the directory shows nothing is asked
// about: Graph's answer decides. The error is that of the context.
func (w *tenantWalk) lookUpPlans(ctx context.Context, users []listedUser) error {
	if w.req.Plan == nil || w.sources.Users == nil || !slices.Contains(w.asked, parleyv1.Source_SOURCE_COPILOT) {
		return nil
	}
	places := make(map[string]int, len(users))
	ids := make([]string, 0, len(users))
	for i := range users {
		if id := users[i].id; resource.IsObjectID(id) { // Graph refuses a filter with another id
			places[strings.ToLower(id)] = i
			ids = append(ids, id)
		}
	}
	for some := range slices.Chunk(ids, source.MaxUserTerms) {
		link := ""
		for range maxPlanPages {
			page, err := w.sources.Users.Users(ctx, source.UserQuery{IDs: some}, link)
			if err != nil || page.Unfiltered { // without the filter the answer is the whole directory
				return ctx.Err()
			}
			for _, user := range page.Items {
				if i, asked := places[strings.ToLower(user.GetId())]; asked && users[i].plan == source.PlanUnchecked {
					users[i].plan = w.req.Plan(user)
				}
			}
			if link = page.Next; link == "" {
				break
			}
		}
	}
	return nil
}

// ofUser is the request for the events of one user of the walk.
func (w *tenantWalk) ofUser(listed listedUser) query.Events {
	q := w.req.OfUser(listed.id)
	q.End, q.Plan, q.ManyUsers = w.End, listed.plan, true
	return q
}

// open begins to read a user, or goes on with one whose token is not empty.
func (w *tenantWalk) open(ctx context.Context, listed listedUser, token []byte) error {
	id := listed.id
	q := w.ofUser(listed)
	resolved, err := q.Resolve(w.sources)
	if err != nil {
		return err
	}
	text := ""
	if len(token) > 0 {
		text = base64.RawURLEncoding.EncodeToString(token)
	}
	m, err := merge.Open(ctx, &w.engine.merge, w.sources, &q, resolved, text, "resume_token")
	if err != nil {
		return err
	}
	m.Limit(w.engine.cfg.Ahead, usualAhead, w.account)
	m.ReadWhole(w.sources)
	m.YieldMemory()
	if len(token) == 0 {
		w.ahead.use(m, id)
	}
	user := &openUser{id: id, walk: w, merger: m, token: token}
	if len(token) > 0 {
		select {
		case w.slots <- struct{}{}:
			user.started = true
			m.ClaimMemory()
		default: // no token has more of them than there are slots
			m.Close()
			return failure.TokenRefused("resume_token")
		}
	}
	at, _ := slices.BinarySearchFunc(w.opened, user, func(a, b *openUser) int { return cmp.Compare(a.id, b.id) })
	w.opened = slices.Insert(w.opened, at, user)
	w.idBytes += cursor.IDSize(id)
	w.group.Go(func() { user.run(ctx) })
	return nil
}
