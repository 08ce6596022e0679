package graphsim_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphsim"
)

func TestCallRecord(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	rows, _ := c.all("/v1.0/communications/callRecords")
	large, kinds, digits := "", map[string]int{}, map[int]int{}
	for _, r := range rows {
		kinds[text(r, "type")]++
		at := text(r, "startDateTime")
		digits[len(at)-len("2026-01-01T00:00:00Z")]++
		if r["organizer"] != nil || r["sessions"] != nil || r["participants_v2"] != nil {
			t.Fatalf("a listed record holds %v", r)
		}
		p := c.page("/v1.0/communications/callRecords/" + text(r, "id") + "/participants_v2")
		if p.Next != "" {
			large = text(r, "id")
		}
		for _, who := range p.Value {
			if text(who, "identity", "phone", "id") != "" {
				kinds["phone"]++
			}
			if text(who, "identity", "guest", "id") != "" {
				kinds["guest"]++
			}
		}
	}
	for _, k := range []string{"peerToPeer", "groupCall", "unknown", "phone", "guest"} {
		if kinds[k] == 0 {
			t.Errorf("no %s: %v", k, kinds)
		}
	}
	if digits[0] == 0 || digits[7] == 0 || digits[8] == 0 || len(digits) != 3 {
		t.Errorf("digits %v", digits)
	}
	if large == "" {
		t.Fatal("no call with more than one page of participants")
	}
	path := "/v1.0/communications/callRecords/" + large
	all, pages := c.all(path + "/participants_v2")
	if len(all) < 131 || pages != 2 {
		t.Errorf("%d participants in %d pages", len(all), pages)
	}
	r := c.entity(path + "?$expand=participants_v2")
	first, _ := r["participants_v2"].([]any)
	rest, _ := c.all(text(r, "participants_v2@odata.nextLink"))
	if len(first) != 130 || len(first)+len(rest) != len(all) {
		t.Errorf("expanded: %d and %d of %d", len(first), len(rest), len(all))
	}
	r = c.entity(path + "?$expand=sessions($expand=segments)")
	sessions, _ := r["sessions"].([]any)
	more, _ := c.all(text(r, "sessions@odata.nextLink"))
	if len(sessions) != 60 || len(sessions)+len(more) != len(all) {
		t.Errorf("sessions: %d and %d of %d", len(sessions), len(more), len(all))
	}
	for _, session := range append(sessions, any(more[0])) {
		one, _ := session.(row)
		if segments, _ := one["segments"].([]any); len(segments) == 0 {
			t.Error("a session without segments")
		}
	}
	plain, _ := c.all(path + "/sessions")
	if len(plain) != len(all) || plain[0]["segments"] != nil {
		t.Errorf("%d sessions", len(plain))
	}
	if one := c.entity(path + "?$select=id,version"); len(one) > 5 || text(one, "id") != large || one["type"] != nil {
		t.Errorf("selected %v", one)
	}
}

func TestCallPrefer(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	full := c.page("/v1.0/communications/callRecords")
	if len(full.Value) != 60 {
		t.Errorf("default page %d", len(full.Value))
	}
	small := c.with("Prefer", "odata.maxpagesize=7").page("/v1.0/communications/callRecords")
	if len(small.Value) != 7 || small.Next == "" {
		t.Errorf("page of %d", len(small.Value))
	}
	lean := c.with("Prefer", "omit-values=nulls").get("/v1.0/communications/callRecords")
	if strings.Contains(string(lean.body), ":null") || len(lean.body) == 0 {
		t.Error("nulls remain")
	}
}

func TestCallFilterCombination(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.RefuseCallFilterCombination = true })
	c := newClient(t, s)
	who, when := "participants_v2/any(p:p/id eq '"+s.DemoUser().ID+"')", "startDateTime ge 2026-11-01T00:00:00Z"
	for f, status := range map[string]int{who: 200, when: 200, when + " and " + who: 400} {
		if a := c.get("/v1.0/communications/callRecords?" + filter("%s", f)); a.status != status {
			t.Errorf("%s: %d, want %d", f, a.status, status)
		}
	}
}

// TestRecordsComeAndGoWithTheirAge follows records from too new over their versions to too old.
func TestRecordsComeAndGoWithTheirAge(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(testNow.UnixNano())
	s := start(t, func(c *graphsim.Config) { c.Now = func() time.Time { return time.Unix(0, now.Load()) } })
	c := newClient(t, s)
	versions, newer := map[string]float64{}, 0
	path := "/v1.0/communications/callRecords?" + filter("startDateTime ge %s and startDateTime lt %s", stamp(testNow.Add(-4*time.Hour)), stamp(testNow))
	for range 40 {
		rows, _ := c.all(path)
		for _, r := range rows {
			id := text(r, "id")
			v, _ := r["version"].(float64)
			if v < versions[id] {
				t.Errorf("%s: version %v after %v", id, v, versions[id])
			}
			if versions[id] > 0 && v > versions[id] {
				newer++
			}
			versions[id] = v
		}
		now.Add(int64(time.Hour))
	}
	if newer == 0 || len(versions) == 0 {
		t.Errorf("%d records, %d times a newer version", len(versions), newer)
	}
	now.Store(testNow.AddDate(0, 0, 31).UnixNano())
	for id := range versions {
		if a := c.get("/v1.0/communications/callRecords/" + id); a.status != http.StatusNotFound {
			t.Errorf("%s after 31 days: %d", id, a.status)
		}
	}
	if rows, _ := c.all(path); len(rows) > 0 {
		t.Errorf("%d records after 31 days", len(rows))
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(testNow.UnixNano())
	s := start(t, func(c *graphsim.Config) {
		c.Now, c.ReportPageSize = func() time.Time { return time.Unix(0, now.Load()) }, 10
	})
	c := newClient(t, s)
	const name = "getMicrosoft365CopilotUsageUserDetail"
	rows, pages := c.all("/beta/reports/" + name + "(period='D7')?$format=application/json")
	if other, _ := c.all("/beta/copilot/reports/" + name + "(period='D7')"); !cmp.Equal(rows, other) || pages < 2 {
		t.Errorf("%d pages; the two paths differ", pages)
	}
	if p := c.page("/beta/reports/" + name + "(period='D7')?$format=application/json"); p.Next != s.URL()+"/beta/reports/"+name+"(period='D7')?$format=application/json&$skiptoken=MDoxMDo" {
		t.Errorf("link %s", p.Next)
	}
	lines := func(body []byte) []string { return strings.Split(strings.TrimSpace(string(body)), "\n") }
	a := c.get("/v1.0/copilot/reports/" + name + "(period='ALL')")
	if got := lines(a.body); a.status != http.StatusOK || len(got) != 1+4*len(rows) || !strings.HasPrefix(got[0], "Report Refresh Date,User Principal Name,") || !strings.HasSuffix(got[0], ",Report Period") {
		t.Errorf("v1.0: %d, %d lines, %s", a.status, len(got), got[0])
	}
	a = c.get("/v1.0/copilot/reports/" + name + "(period='D28',version='v2')")
	if got := lines(a.body); strings.Count(got[0], ",") != 21 || strings.Count(got[1], ",") != 21 {
		t.Errorf("v2: %s", got[0])
	}
	if a := c.get("/beta/reports/" + name + "(period='D28',version='@version')?version=v2&$format=text/csv"); a.status != http.StatusFound {
		t.Errorf("alias: %d %s", a.status, a.body)
	}
	a = c.get("/beta/reports/" + name + "(period='D7')?$format=text/csv")
	link := a.header.Get("Location")
	if a.status != http.StatusFound || !strings.HasPrefix(link, s.ReportURL()+"/") || s.ReportURL() == s.URL() {
		t.Fatalf("%d %s", a.status, link)
	}
	file := c.get(link)
	if got := lines(file.body); file.status != http.StatusOK || len(got) != 1+len(rows) || !strings.HasPrefix(got[0], "\ufeffReport Refresh Date,Report Period,") {
		t.Errorf("file: %d %s", file.status, file.body)
	}
	for _, h := range []string{"Authorization", "client-request-id", "Prefer", "ConsistencyLevel"} {
		if a := c.with(h, "x").get(link); a.status != http.StatusBadRequest {
			t.Errorf("%s was taken: %d", h, a.status)
		}
	}
	if a := c.get(link[:len(link)-3] + "AAA"); a.status != http.StatusNotFound {
		t.Errorf("forged link: %d", a.status)
	}
	if a := c.post(link, ""); a.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.status)
	}
	now.Add(int64(121 * time.Second))
	if a := c.get(link); a.status != http.StatusForbidden {
		t.Errorf("after 121 s: %d", a.status)
	}
}

func TestReportSettings(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.ConcealNames, c.ReportsMoved = true, true })
	c := newClient(t, s)
	const name = "/getMicrosoft365CopilotUsageUserDetail(period='D7')"
	for _, r := range c.page("/beta/copilot/reports" + name).Value {
		upn, display := text(r, "userPrincipalName"), text(r, "displayName")
		if len(upn) != 32 || len(display) != 32 || upn == display || strings.ToUpper(upn) != upn {
			t.Errorf("%s %s", upn, display)
		}
	}
	_, message := refusal(t, c.get("/beta/reports"+name))
	if want := fmt.Sprintf("Resource not found for the segment '%s'.", "getMicrosoft365CopilotUsageUserDetail"); message != want {
		t.Errorf("%q, want %q", message, want)
	}
}
