package graphsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// reportLink makes a pre-authenticated download URL: what to send and until when, sealed.
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

func (s *Sim) sealReport(claim string) string {
	mac := hmac.New(sha256.New, s.reports)
	mac.Write([]byte(claim))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
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
	path := strings.TrimPrefix(r.URL.Path, "/_report")
	token, ok := strings.CutPrefix(path, "/data/download/")
	claim, seal, sealed := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(claim)
	if !ok || !sealed || err != nil || !hmac.Equal([]byte(seal), []byte(s.sealReport(claim))) {
		plain(http.StatusNotFound, "Not found.")
		return
	}
	parts := strings.Split(string(text), "|")
	if len(parts) != 5 {
		plain(http.StatusNotFound, "Not found.")
		return
	}
	expires, err := strconv.ParseInt(parts[4], 10, 64)
	world, _ := s.world(parts[0])
	if err != nil || world == nil || !time.UnixMilli(x.clock).Before(time.UnixMilli(expires)) {
		plain(http.StatusForbidden, "The link has expired.")
		return
	}
	x.world = world
	if x.answeredByFault() {
		return
	}
	q := usage{report: parts[1], period: parts[2], v2: parts[3] == "v2", concealed: s.cfg.ConcealNames, newly: s.cfg.NewlyLicensed}
	w.Header().Set("Content-Disposition", `attachment; filename="`+strings.TrimPrefix(q.report, "getMicrosoft365")+`.csv"`)
	x.write(http.StatusOK, "application/octet-stream", q.csv(world, olderLayout, x.now))
}
