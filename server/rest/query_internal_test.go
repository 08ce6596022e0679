package rest

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/server/apierror"
)

// TestParametersAreListedInTheClientsSpelling checks that the names which an error lists are spelled as the client spells its own.
func TestParametersAreListedInTheClientsSpelling(t *testing.T) {
	t.Parallel()
	methods, err := findMethods()
	if err != nil {
		t.Fatal(err)
	}
	m := methods["/v1/{parent=users/*}/events"]
	if m == nil {
		t.Fatal("no method of events")
	}
	for query, want := range map[string]string{
		"pageSise=1":                   "pageSize, pageToken",
		"limit=1&startTime=2026-11-01": "pageSize, pageToken",
		"page_sise=1":                  "page_size, page_token",
		"limit=1":                      "page_size, page_token",
		"Limit_=1":                     "page_size, page_token",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.checkQuery(values, false)
		if want == "" && err == nil && values.Get("enrich") == "ENRICHMENT_NAMES" {
			continue
		}
		var bad *apierror.Error
		if !errors.As(err, &bad) || !strings.Contains(bad.Message, "known are ") || !strings.Contains(bad.Message, want) {
			t.Errorf("%s: %v, want a list with %s", query, err, want)
		}
	}
}

// TestMistypedNamesAreAnsweredWithHints holds what a mistyped name or value is answered with: the one that it probably means, and choices that are allowed here.
func TestMistypedNamesAreAnsweredWithHints(t *testing.T) {
	t.Parallel()
	methods, err := findMethods()
	if err != nil {
		t.Fatal(err)
	}
	m := methods["/v1/{parent=users/*}/events"]
	for query, want := range map[string]string{
		"pageSise=1":          "there is no such query parameter; did you mean pageSize? known are ",
		"start-time=2026":     "there is no such query parameter; did you mean start_time? known are ",
		"colour=1":            "there is no such query parameter; known are ",
		"sources=CHAT":        "must be one of SOURCE_COPILOT, SOURCE_CHAT, SOURCE_CALL, SOURCE_RETAINED_CHAT; did you mean SOURCE_CHAT?",
		"sources=9":           "must be one of SOURCE_COPILOT, SOURCE_CHAT, SOURCE_CALL, SOURCE_RETAINED_CHAT",
		"enrich=NAMES":        "",
		"enrich=names":        "must be one of ENRICHMENT_NAMES; did you mean ENRICHMENT_NAMES?",
		"enrich=UNSPECIFIED":  "must be one of ENRICHMENT_NAMES",
		"view=full":           "must be one of EVENT_VIEW_METADATA, EVENT_VIEW_BASIC, EVENT_VIEW_FULL; did you mean EVENT_VIEW_FULL?",
		"view=EVENT_VIEW_FUL": "must be one of EVENT_VIEW_METADATA, EVENT_VIEW_BASIC, EVENT_VIEW_FULL; did you mean EVENT_VIEW_FULL?",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.checkQuery(values, false)
		if want == "" && err == nil && values.Get("enrich") == "ENRICHMENT_NAMES" {
			continue
		}
		var bad *apierror.Error
		if !errors.As(err, &bad) || !strings.Contains(bad.Message, want) || strings.HasSuffix(want, "SOURCE_RETAINED_CHAT") && !strings.HasSuffix(bad.Message, want) {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
}

// TestAnOffsetMayLackItsColon holds that an offset without a colon is read as RFC 3339 would write it, and that nothing else changes.
func TestAnOffsetMayLackItsColon(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"2026-11-01T08:00:00.000000+0000": "2026-11-01T08:00:00.000000+00:00",
		"2026-11-01T08:00:00-0730":        "2026-11-01T08:00:00-07:30",
		"2026-11-01T08:00:00Z":            "2026-11-01T08:00:00Z",
		"2026-11-01T08:00:00+00:00":       "2026-11-01T08:00:00+00:00",
		"2026-11-01":                      "2026-11-01",
		"20261101-0800":                   "20261101-0800",
		"2026-11-01T08-0800":              "2026-11-01T08-08:00",
		"":                                "",
	} {
		if got := withColon(value); got != want {
			t.Errorf("%q becomes %q, want %q", value, got, want)
		}
	}
	for value, wrong := range map[string]bool{
		"2026-11-01T08:00:00-0730": false, "2026-11-01T08-0800": true, "2026-11-01": true, "2026-11-01T08:00:00+9999": true,
	} {
		if got := checkTime(withColon(value)) != ""; got != wrong {
			t.Errorf("%q is wrong: %t, want %t", value, got, wrong)
		}
	}
}
