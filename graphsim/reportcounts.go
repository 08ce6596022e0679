package graphsim

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// countedApp is an application of the reports that count users: its name in JSON and in CSV, and the indexes of its dates in usageApps.
type countedApp struct {
	member, column string
	of             []int
}

var (
	anyApp      = countedApp{"anyApp", "Any App", []int{0, 1, 2, 3, 4, 5, 6, 7}}
	countedChat = countedApp{"copilotChat", "Copilot Chat", []int{0}}
	// countedApps stand between the two in JSON and in the older layout; the newer layout has both at its end.
	countedApps = []countedApp{
		{"microsoftTeams", "Microsoft Teams", []int{1}},
		{"word", "Word", []int{2}},
		{"powerPoint", "PowerPoint", []int{4}},
		{"outlook", "Outlook", []int{5}},
		{"excel", "Excel", []int{3}},
		{"oneNote", "OneNote", []int{6}},
		{"loop", "Loop", []int{7}},
	}
	// countedV2 are the columns that version v2 adds to the files. Their names in JSON are not documented.
	countedV2 = []countedApp{
		{"", "Edge", nil}, {"", "Microsoft 365 Copilot", anyApp.of}, {"", "Copilot Chat (work)", []int{0}}, {"", "Copilot Chat (web)", []int{0}},
	}
)

// countedInJSON returns the applications of a report in JSON, in their order.
func countedInJSON() []countedApp {
	return slices.Concat([]countedApp{anyApp}, countedApps, []countedApp{countedChat})
}

// countedInCSV returns the applications of a report file, in the order of its columns.
func countedInCSV(q usage, l layout) []countedApp {
	apps := countedInJSON()
	if l == newerLayout {
		apps = slices.Concat(countedApps, []countedApp{anyApp, countedChat})
	}
	if q.v2 {
		apps = append(apps, countedV2...)
	}
	return apps
}

// census is the users of a report and their habits.
type census struct {
	users  []data.Ref
	habits [][len(usageApps)]habit
}

func censusOf(w *data.World, newly int) *census {
	c := &census{users: reportedUsers(w, newly)}
	c.habits = make([][len(usageApps)]habit, len(c.users))
	for i, u := range c.users {
		for app := range usageApps {
			c.habits[i][app] = habitOf(w, u, app)
		}
	}
	return c
}

// active returns how many users are active in one of the applications within some days up to a day.
func (c *census) active(of []int, day, days int64) int {
	n := 0
	for i := range c.habits {
		if slices.ContainsFunc(of, func(app int) bool { return c.habits[i][app].active(day, days) }) {
			n++
		}
	}
	return n
}

// countsReply answers with a report of counts in JSON: one row for the tenant with its periods, or one for each period with its days.
func (x *exchange) countsReply(u usage) (*reply, *refusal.Error) {
	c, refresh := censusOf(x.world, u.newly), refreshDay(x.now)
	entry := func(first data.Field, day, days int64) data.Object {
		columns := countedInJSON()
		o := append(make(data.Object, 0, 1+2*len(columns)), first)
		for _, app := range columns {
			o = append(o, data.Member(app.member+"EnabledUsers", len(c.users)), data.Member(app.member+"ActiveUsers", c.active(app.of, day, days)))
		}
		return o
	}
	var rows data.List
	periods := data.List{}
	for _, period := range u.periods() {
		if u.report == userCountSummary {
			periods = append(periods, entry(data.Member("reportPeriod", period), refresh, int64(period)))
			continue
		}
		days := data.List{}
		for n := range int64(period) {
			days = append(days, entry(data.Member("reportDate", dateOf(refresh-n)), refresh-n, 1))
		}
		rows = append(rows, data.Object{
			data.Member("reportRefreshDate", dateOf(refresh)), data.Member("reportPeriod", period), data.Member("adoptionByDate", days),
		})
	}
	if u.report == userCountSummary {
		rows = data.List{data.Object{data.Member("reportRefreshDate", dateOf(refresh)), data.Member("adoptionByProduct", periods)}}
	}
	from, to, token, g := x.plainPage(len(rows), x.sim.cfg.ReportPageSize)
	if g != nil {
		return nil, g
	}
	rep := &reply{rows: rows[from:to]}
	if token != "" {
		rep.next = x.query.link(x.base()+x.r.URL.EscapedPath(), token)
	}
	return rep, nil
}

// countsCSV returns a report of counts as a file.
func countsCSV(w *data.World, q usage, l layout, now int64) []byte {
	var b bytes.Buffer
	out := newCSV(&b, l)
	_ = out.Write(countsLine(q, l, "Report Refresh Date", "Report Period", "Report Date", countsHeader(q, l)))
	c, refresh := censusOf(w, q.newly), refreshDay(now)
	for _, period := range q.periods() {
		if q.report == userCountSummary {
			_ = out.Write(countsLine(q, l, dateOf(refresh), strconv.Itoa(period), "", c.line(w, q, l, refresh, int64(period))))
			continue
		}
		for n := range int64(period) {
			_ = out.Write(countsLine(q, l, dateOf(refresh), strconv.Itoa(period), dateOf(refresh-n), c.line(w, q, l, refresh-n, 1)))
		}
	}
	out.Flush()
	return b.Bytes()
}

// countsLine returns a line of the day, the period and the counts: the trend in the newer layout has the period last.
func countsLine(q usage, l layout, refresh, period, day string, counts []string) []string {
	switch {
	case q.report == userCountSummary:
		return slices.Concat([]string{refresh, period}, counts)
	case l == newerLayout:
		return slices.Concat([]string{refresh, day}, counts, []string{period})
	default:
		return slices.Concat([]string{refresh, period, day}, counts)
	}
}

func countsHeader(q usage, l layout) []string {
	var head []string
	for _, app := range countedInCSV(q, l) {
		head = append(head, app.column+" Enabled Users", app.column+" Active Users")
	}
	switch {
	case !q.v2:
	case q.report == userCountSummary:
		head = append(head, "Total prompts submitted", "Average prompts submitted")
	default:
		head = append(head, "Prompts submitted")
	}
	return head
}

// line returns the counts within some days up to a day.
func (c *census) line(w *data.World, q usage, l layout, day, days int64) []string {
	var line []string
	for _, app := range countedInCSV(q, l) {
		line = append(line, strconv.Itoa(len(c.users)), strconv.Itoa(c.active(app.of, day, days)))
	}
	if !q.v2 {
		return line
	}
	total := 0
	for i, u := range c.users {
		of, _, _, on := prompts(w, u, int(days))
		if q.report == userCountTrend {
			of /= on // the user's usual day
			if !slices.ContainsFunc(anyApp.of, func(app int) bool { return c.habits[i][app].active(day, 1) }) {
				of = 0
			}
		}
		total += of
	}
	line = append(line, strconv.Itoa(total))
	if q.report == userCountSummary {
		line = append(line, strconv.FormatFloat(float64(total)/float64(max(len(c.users), 1)), 'f', 2, 64))
	}
	return line
}
