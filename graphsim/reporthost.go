package graphsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/parley-gateway/parley/graphsim/data"
)

// reportLink returns a pre-authenticated download URL: a sealed claim of the report, and until when it may be read. openReportClaim reads it.
func (x *exchange) reportLink(u usage) string {
	host := x.sim.ReportURL()
	if host == "" {
		host = x.base() + "/_report"
	}
	version := "v1"
	if u.v2 {
		version = "v2"
	}
	expires := strconv.FormatInt(x.clock+x.sim.cfg.ReportLinkLifetime.Milliseconds(), 10)
	claim := data.Base64URL(strings.Join([]string{x.world.ID, u.report, u.period, version, expires}, "|"))
	return host + "/data/download/" + claim + "." + x.sim.sealReport(claim)
}

// sealReport returns the seal of a claim.
func (s *Sim) sealReport(claim string) string {
	mac := hmac.New(sha256.New, s.reportKey)
	mac.Write([]byte(claim))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// reportClaim is what a report link allows: the download of one report until expires, in Unix milliseconds.
type reportClaim struct {
	tenant, report, period, version string
	expires                         int64
}

// openReportClaim reads the claim in the path of a report link; ok is false for a path that no link has.
func (s *Sim) openReportClaim(path string) (claim reportClaim, ok bool) {
	token, isLink := strings.CutPrefix(path, "/data/download/")
	sealed, seal, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if !isLink || err != nil || !hmac.Equal([]byte(seal), []byte(s.sealReport(sealed))) {
		return reportClaim{}, false
	}
	parts := strings.Split(string(text), "|")
	if len(parts) != 5 {
		return reportClaim{}, false
	}
	expires, err := strconv.ParseInt(parts[4], 10, 64)
	if err != nil {
		return reportClaim{}, false
	}
	return reportClaim{parts[0], parts[1], parts[2], parts[3], expires}, true
}

// foreignHeaders must not reach the download host: they belong to Graph.
var foreignHeaders = []string{"Authorization", "Client-Request-Id", "Consistencylevel", "Prefer", "Cookie", "Sdkversion", "Return-Client-Request-Id"}

// serveReport is the download host: no credentials, no Graph headers, GET only, and not after the link's end.
func (s *Sim) serveReport(w http.ResponseWriter, r *http.Request) {
	x := &exchange{
		sim: s, engine: s.faults, w: w, r: r, now: s.Clock().UnixMilli(), clock: s.cfg.Now().UnixMilli(), source: "download", status: http.StatusOK,
	}
	defer func() { s.log.add(x, "report") }()
	plain := func(status int, text string) { x.write(status, "text/plain; charset=utf-8", []byte(text+"\n")) }
	for _, h := range foreignHeaders {
		if r.Header.Get(h) != "" {
			plain(http.StatusBadRequest, "The header "+h+" is not accepted here.")
			return
		}
	}
	if r.Method != http.MethodGet {
		plain(http.StatusMethodNotAllowed, "Method not allowed.")
		return
	}
	claim, ok := s.openReportClaim(strings.TrimPrefix(r.URL.Path, "/_report"))
	if !ok {
		plain(http.StatusNotFound, "Not found.")
		return
	}
	world, _ := s.world(claim.tenant)
	if world == nil || x.clock >= claim.expires {
		plain(http.StatusForbidden, "The link has expired.")
		return
	}
	x.world = world
	if x.answeredByFault() {
		return
	}
	q := usage{report: claim.report, period: claim.period, v2: claim.version == "v2", concealed: s.cfg.ConcealNames, newly: s.cfg.NewlyLicensed}
	w.Header().Set("Content-Disposition", `attachment; filename="`+strings.TrimPrefix(q.report, "getMicrosoft365")+`.csv"`)
	x.write(http.StatusOK, "application/octet-stream", q.csv(world, olderLayout, x.now))
}
