package rest

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/server/apierror"
)

// TestKnownParameters checks that the names which an error lists are spelled as the client spells its own.
func TestKnownParameters(t *testing.T) {
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
		_, err = m.checkQuery(values)
		var bad *apierror.Error
		if !errors.As(err, &bad) || !strings.Contains(bad.Message, "known are ") || !strings.Contains(bad.Message, want) {
			t.Errorf("%s: %v, want a list with %s", query, err, want)
		}
	}
}
