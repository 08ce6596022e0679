package graphsim

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// usageApps are the activity dates of a usage row, in the order of the JSON form.
var usageApps = [...]struct{ member, column string }{
	{"copilotChatLastActivityDate", "Copilot Chat Last Activity Date"},
	{"microsoftTeamsCopilotLastActivityDate", "Microsoft Teams Copilot Last Activity Date"},
	{"wordCopilotLastActivityDate", "Word Copilot Last Activity Date"},
	{"excelCopilotLastActivityDate", "Excel Copilot Last Activity Date"},
	{"powerPointCopilotLastActivityDate", "PowerPoint Copilot Last Activity Date"},
	{"outlookCopilotLastActivityDate", "Outlook Copilot Last Activity Date"},
	{"oneNoteCopilotLastActivityDate", "OneNote Copilot Last Activity Date"},
	{"loopCopilotLastActivityDate", "Loop Copilot Last Activity Date"},
}

// usageV2 are the columns that version v2 adds.
var usageV2 = [...]string{
	"Prompts submitted for all apps", "Prompts submitted for Copilot Chat (work)", "Prompts submitted for Copilot Chat (web)",
	"Active Usage Days for all apps", "Copilot Chat (work) Last Activity Date", "Copilot Chat (web) Last Activity Date",
	"Microsoft 365 Copilot Last Activity Date", "Edge Last Activity Date", "Copilot Agent Last Activity Date",
}

// layout is the order of the columns of a report file, and how its lines end. It goes by where the file comes from, and has nothing to do with
// the version of the report.
type layout int

const (
	olderLayout layout = iota // of the file to which /beta/reports and /beta/copilot/reports redirect; it begins with a byte order mark
	newerLayout               // of the answer of /v1.0/copilot/reports
)

// The reports on Copilot use, by their functions.
const (
	userDetail       = "getMicrosoft365CopilotUsageUserDetail"
	userCountSummary = "getMicrosoft365CopilotUserCountSummary"
	userCountTrend   = "getMicrosoft365CopilotUserCountTrend"
)

var usageReports = [...]string{userDetail, userCountSummary, userCountTrend}

// usage is what a report request asks for.
type usage struct {
	report    string // one of usageReports
	period    string // upper case
	v2        bool   // version v2 of the report, which has more columns
	concealed bool   // the names are concealed by a setting of the tenant
	newly     int    // how many users, the last ones with a licence, have no row yet
}

// periods returns the days of each period that is asked for.
func (u usage) periods() []int {
	if u.period != "ALL" {
		n, err := strconv.Atoi(u.period[1:])
		if err != nil {
			return nil
		}
		return []int{n}
	}
	if u.v2 {
		return []int{7, 28, 90, 180}
	}
	return []int{7, 30, 90, 180}
}

// usage reads which report is asked for, with its period and version.
func (x *exchange) usage(report string) (usage, *refusal.Error) {
	version := x.args["version"]
	alias, given := x.query.get("version")
	switch {
	case strings.EqualFold(version, "@version"):
		version = alias
	case given:
		return usage{}, refusal.BadRequest("The query parameter 'version' is not supported.")
	}
	for name := range x.args {
		if name != "period" && name != "version" {
			return usage{}, refusal.UnknownSegment(report)
		}
	}
	u := usage{
		report: report, period: strings.ToUpper(x.args["period"]), v2: strings.EqualFold(version, "v2"),
		concealed: x.sim.cfg.ConcealNames, newly: x.sim.cfg.NewlyLicensed,
	}
	if version != "" && !u.v2 && !strings.EqualFold(version, "v1") {
		return u, refusal.BadRequest("Invalid version: '%s'.", version)
	}
	month := "D30"
	if u.v2 {
		month = "D28"
	}
	if !slices.Contains([]string{"D7", month, "D90", "D180", "ALL"}, u.period) {
		return u, refusal.BadRequest("Invalid period: '%s'.", x.args["period"])
	}
	return u, nil
}

const (
	formatCSV  = "text/csv"
	formatJSON = "application/json"
	bom        = "\xef\xbb\xbf"
)

func (x *exchange) format() (string, *refusal.Error) {
	f, ok := x.query.get("$format")
	switch {
	case !ok, strings.EqualFold(f, formatJSON):
		return formatJSON, nil
	case strings.EqualFold(f, formatCSV):
		return formatCSV, nil
	default:
		return "", refusal.BadRequest("The value '%s' of the $format query option is not supported.", f)
	}
}

// usageAndFormat reads which report is asked for, and in which format.
func (x *exchange) usageAndFormat(report string) (u usage, format string, g *refusal.Error) {
	if u, g = x.usage(report); g == nil {
		format, g = x.format()
	}
	return u, format, g
}

// copilotReport is a report below /copilot/reports: CSV at once on v1.0, JSON pages on beta.
func copilotReport(report string) func(*exchange) (*reply, *refusal.Error) {
	return func(x *exchange) (*reply, *refusal.Error) {
		u, f, g := x.usageAndFormat(report)
		if g != nil {
			return nil, g
		}
		if !x.view.Beta {
			return &reply{raw: u.csv(x.world, newerLayout, x.now), mime: "application/octet-stream"}, nil
		}
		return x.usageReply(u, f)
	}
}

// betaReport is a report below /beta/reports: JSON pages, or a redirect to the CSV file.
func betaReport(report string) func(*exchange) (*reply, *refusal.Error) {
	return func(x *exchange) (*reply, *refusal.Error) {
		if x.sim.cfg.ReportsMoved {
			return nil, refusal.UnknownSegment(report)
		}
		u, f, g := x.usageAndFormat(report)
		if g != nil {
			return nil, g
		}
		return x.usageReply(u, f)
	}
}

// csv returns the whole report as a file.
func (u usage) csv(w *data.World, l layout, now int64) []byte {
	if u.report == userDetail {
		return usageCSV(w, u, l, now)
	}
	return countsCSV(w, u, l, now)
}

// usageReply answers with pages of JSON, or with a redirect to the file.
func (x *exchange) usageReply(u usage, format string) (*reply, *refusal.Error) {
	if format == formatCSV {
		return &reply{location: x.reportLink(u)}, nil
	}
	if u.report != userDetail {
		return x.countsReply(u)
	}
	users := reportedUsers(x.world, u.newly)
	from, to, token, g := x.plainPage(len(users), x.sim.cfg.ReportPageSize)
	if g != nil {
		return nil, g
	}
	rep := &reply{rows: make(data.List, 0, to-from)}
	for _, user := range users[from:to] {
		rep.rows = append(rep.rows, usageRow(x.world, user, u, x.now))
	}
	if token != "" {
		rep.next = x.query.link(x.base()+x.r.URL.EscapedPath(), token)
	}
	return rep, nil
}

// newlyLicensed reports whether a user is one of the last ones with a licence.
func newlyLicensed(w *data.World, r data.Ref, newly int) bool {
	if newly == 0 || !w.Licensed(r) {
		return false
	}
	behind := 0 // licensed users behind this one
	for u := int(r) + 1; u < w.Users() && behind < newly; u++ {
		if w.Licensed(data.Ref(u)) {
			behind++
		}
	}
	return behind < newly
}

// reportedUsers are the licensed users but the last ones, who have the licence since the report was made.
func reportedUsers(w *data.World, newly int) []data.Ref {
	users := licensedUsers(w)
	return users[:max(len(users)-newly, 0)]
}

func licensedUsers(w *data.World) []data.Ref {
	var out []data.Ref
	for u := range w.Users() {
		if w.Licensed(data.Ref(u)) {
			out = append(out, data.Ref(u))
		}
	}
	return out
}

// refreshDay is the day of the report's data: two days behind.
func refreshDay(now int64) int64 { return data.Day(now) - 2 }

func dateOf(d int64) string { return time.Unix(d*86_400, 0).UTC().Format(time.DateOnly) }

// usageDates returns the last day with any use, and with use of each application; "" = none.
func usageDates(w *data.World, u data.Ref, now int64) (last string, apps [len(usageApps)]string) {
	refresh := refreshDay(now)
	for i := range apps {
		if h := habitOf(w, u, i); h.every > 0 {
			apps[i] = dateOf(refresh - (refresh+h.offset)%h.every)
			last = max(last, apps[i])
		}
	}
	return last, apps
}

// habit says on which days a user is active in an application: a user comes back every few days.
type habit struct{ offset, every int64 } // every 0 = never

func habitOf(w *data.World, u data.Ref, app int) habit {
	d := data.Dice(data.Hash3(w.Seed, data.TagUsage, uint64(u)<<8|uint64(app)))
	if d.Chance(250) {
		return habit{}
	}
	offset := int64(d.Under(60))
	return habit{offset, int64(1 + d.Under(60))}
}

// active reports whether the user is active within some days up to a day.
func (h habit) active(day, days int64) bool { return h.every > 0 && (day+h.offset)%h.every < days }

// usageNames returns the user principal name and the display name of a row, or digests where the tenant conceals names.
func usageNames(w *data.World, u data.Ref, concealed bool) (upn, name string) {
	if !concealed {
		return w.People.UPN(u), w.People.Name(u)
	}
	conceal := func(n uint64) string {
		return strings.ToUpper(data.RandomGUID(data.Hash3(w.Seed, data.TagUsage, uint64(u)<<8|n)).Hex())
	}
	return conceal(250), conceal(251)
}

func usageRow(w *data.World, u data.Ref, q usage, now int64) data.Object {
	upn, name := usageNames(w, u, q.concealed)
	last, apps := usageDates(w, u, now)
	o := data.Object{data.Member("reportRefreshDate", dateOf(refreshDay(now))), data.Member("userPrincipalName", upn), data.Member("displayName", name), data.Member("lastActivityDate", last)}
	for i, app := range usageApps {
		o = append(o, data.Member(app.member, apps[i]))
	}
	periods := make(data.List, 0, 4)
	for _, p := range q.periods() {
		periods = append(periods, data.Object{data.Member("reportPeriod", p)})
	}
	return append(o, data.Member("copilotActivityUserDetailsByPeriod", periods))
}

// newCSV begins a file in a layout. Writing to a buffer cannot fail.
func newCSV(b *bytes.Buffer, l layout) *csv.Writer {
	if l == olderLayout {
		b.WriteString(bom)
	}
	out := csv.NewWriter(b)
	out.UseCRLF = l == olderLayout
	return out
}

// usageCSV returns the report on users as a file.
func usageCSV(w *data.World, q usage, l layout, now int64) []byte {
	var b bytes.Buffer
	out := newCSV(&b, l)
	_ = out.Write(usageHeader(q, l))
	for _, u := range reportedUsers(w, q.newly) {
		upn, name := usageNames(w, u, q.concealed)
		last, apps := usageDates(w, u, now)
		for _, p := range q.periods() {
			_ = out.Write(usageRecord(w, q, l, now, p, []string{upn, name, last}, apps[:], u))
		}
	}
	out.Flush()
	return b.Bytes()
}

func usageHeader(q usage, l layout) []string {
	head := []string{"Report Refresh Date"}
	if l == olderLayout {
		head = append(head, "Report Period")
	}
	head = append(head, "User Principal Name", "Display Name", "Last Activity Date")
	for _, i := range usageOrder(l) {
		head = append(head, usageApps[i].column)
	}
	if q.v2 {
		head = append(head, usageV2[:]...)
	}
	if l == newerLayout {
		head = append(head, "Report Period")
	}
	return head
}

// usageOrder is the order of the columns of applications: the older layout has Copilot Chat last.
func usageOrder(l layout) []int {
	if l == newerLayout {
		return []int{0, 1, 2, 3, 4, 5, 6, 7}
	}
	return []int{1, 2, 3, 4, 5, 6, 7, 0}
}

// usageRecord returns the line of a user and a period: who has the names and the last day of any use, apps the days of each application.
func usageRecord(w *data.World, q usage, l layout, now int64, period int, who, apps []string, u data.Ref) []string {
	row := []string{dateOf(refreshDay(now))}
	if l == olderLayout {
		row = append(row, strconv.Itoa(period))
	}
	row = append(row, who...)
	for _, i := range usageOrder(l) {
		row = append(row, apps[i])
	}
	if q.v2 {
		total, work, web, days := prompts(w, u, period)
		row = append(row, strconv.Itoa(total), strconv.Itoa(work), strconv.Itoa(web), strconv.Itoa(days),
			apps[0], apps[0], who[2], "", apps[1])
	}
	if l == newerLayout {
		row = append(row, strconv.Itoa(period))
	}
	return row
}

// prompts are how many prompts a user has submitted in a period, how many of them in the two kinds of chat, and on how many days.
func prompts(w *data.World, u data.Ref, period int) (total, work, web, days int) {
	d := data.Dice(data.Hash3(w.Seed, data.TagUsage, uint64(u)<<8|252))
	work, web = d.Under(40), d.Under(20)
	total = work + web + d.Under(30)
	return total, work, web, 1 + d.Under(min(period, 28))
}
