package pager

import (
	"context"
	"errors"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
)

// Behind the last page of the usage report come the pages of the directory, as one chain: their links are those of Graph behind
// usersMark and the day that the report reached up to, so that tokens hold the position in either. A user with a licence is a row if the
// report has none.

// usersMark begins the link of a page of users. No link of Graph begins like it.
const usersMark = "users "

func isUsersLink(link string) bool { return strings.HasPrefix(link, usersMark) }

// usersLink is the link of a page of users; link is Graph's, empty for the first page.
func usersLink(day, link string) string { return usersMark + day + " " + link }

// errReportMoved says that Graph has made the report anew since its rows were delivered: who has a row now may have had none then.
var errReportMoved = errors.New("pager: the usage report moved")

// withInactive reads the usage report and behind it the users without a row.
type withInactive struct {
	usage source.UsageReader
	users source.UserReader
	ask   source.UsageQuery

	// names are the users in the report, in lower case, from the pages that were read one after another since the first; lazy is
	// a page whose rows are not among them yet.
	names map[string]bool
	lazy  *source.Page[*parleyv1.CopilotUsageRow]
	day   string // that the report reaches up to
	whole bool   // names are those of the whole report
}

// read returns a page of the report, or of users without a row in it.
func (w *withInactive) read(ctx context.Context, link string) (graphPage[*parleyv1.CopilotUsageRow], error) {
	if isUsersLink(link) {
		day, at, _ := strings.Cut(strings.TrimPrefix(link, usersMark), " ")
		return w.readUsers(ctx, day, at)
	}
	page, err := w.readReport(ctx, link)
	if err != nil || page.Next != "" {
		return page, err
	}
	last := *page.Page // the page itself may be cached
	last.Next = usersLink(page.Refreshed, "")
	page.Page = &last
	return page, nil
}

// readReport reads a page of the report, and notes who is in it.
func (w *withInactive) readReport(ctx context.Context, link string) (graphPage[*parleyv1.CopilotUsageRow], error) {
	page, err := single(w.usage.Usage(ctx, w.ask, link))
	if err != nil {
		return page, err
	}
	if link == "" {
		w.names, w.lazy, w.day, w.whole = map[string]bool{}, nil, "", false
	}
	if w.names == nil {
		return page, nil // the pages before were read by another call
	}
	w.note(page.Items)
	if w.day = max(w.day, page.Refreshed); page.Lazy != nil {
		w.lazy = page.Page
	}
	w.whole = page.Next == ""
	return page, nil
}

func (w *withInactive) note(rows []*parleyv1.CopilotUsageRow) {
	for _, row := range rows {
		w.names[nameKey(row.GetUserPrincipalName())] = true
	}
}

// nameKey is what the spellings of a user principal name have in common.
func nameKey(principal string) string { return strings.ToLower(strings.TrimSpace(principal)) }

// readUsers reads a page of the directory. day is what the report reached up to when its rows were delivered.
func (w *withInactive) readUsers(ctx context.Context, day, link string) (graphPage[*parleyv1.CopilotUsageRow], error) {
	before, err := w.collect(ctx)
	if err != nil {
		return graphPage[*parleyv1.CopilotUsageRow]{}, err
	}
	if day != "" && w.day != "" && day != w.day {
		return graphPage[*parleyv1.CopilotUsageRow]{}, &graph.Error{Kind: graph.KindGone, Err: errReportMoved}
	}
	users, err := w.users.Users(ctx, source.UserQuery{}, link)
	if err != nil {
		return graphPage[*parleyv1.CopilotUsageRow]{}, err
	}
	page, err := single(&source.Page[*parleyv1.CopilotUsageRow]{
		Requests: users.Requests, Rows: users.Rows, ReadAt: users.ReadAt, FromCache: users.FromCache, Joined: users.Joined,
	}, nil)
	page.first = before
	if users.Next != "" {
		page.Next = usersLink(day, users.Next)
	}
	for _, user := range users.Items {
		name := nameKey(user.GetUserPrincipalName())
		unknown := user.GetCopilot() == nil || name == ""
		if w.names[name] || !unknown && !user.GetCopilot().GetLicensed() {
			continue
		}
		if unknown {
			page.doubt = parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED
		}
		page.Items = append(page.Items, &parleyv1.CopilotUsageRow{
			User: user.GetName(), UserPrincipalName: user.GetUserPrincipalName(), DisplayName: user.GetDisplayName(), Derived: true,
		})
	}
	return page, err
}

// collect makes names those of the whole report. It reads the report again where this call has read a part of it only.
func (w *withInactive) collect(ctx context.Context) (read cursor.Counts, err error) {
	if !w.whole {
		if read, err = w.readAgain(ctx); err != nil {
			return read, err
		}
	}
	if lazy := w.lazy; lazy != nil {
		for i := 0; i < lazy.Len(); {
			rows, from, err := lazy.Part(i)
			if err != nil {
				return read, err
			}
			w.note(rows)
			i = from + len(rows)
		}
		w.lazy = nil
	}
	return read, nil
}

// readAgain reads the whole report, and notes who is in it.
func (w *withInactive) readAgain(ctx context.Context) (read cursor.Counts, err error) {
	doubt, err := eachPage(maxReportPages, func(link string) (next string, err error) {
		page, err := w.readReport(ctx, link)
		if err != nil {
			f := failure.Classify(err)
			return "", &failure.Error{Reason: f.Reason, Source: parleyv1.Source_SOURCE_USAGE, Err: err, Message: "the source could not be read"}
		}
		if err := refuseConcealed(page.Page, "include"); err != nil {
			return "", err
		}
		read.Pages, read.FromCache = read.Pages+page.pages, read.FromCache+page.cached
		if !page.FromCache {
			read.Requests += int64(page.Requests)
		}
		return page.Next, nil
	})
	if err == nil && doubt != failure.None {
		err = &failure.Error{Reason: doubt, Source: parleyv1.Source_SOURCE_USAGE, Message: "the report could not be read to its end"}
	}
	return read, err
}

// maxReportPages ends a report whose pages do not end.
const maxReportPages = 10_000
