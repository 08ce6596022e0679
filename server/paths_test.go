package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/timeline/query"
)

// TestEachSpellingOfAnIDFindsIt sends each id in each of its spellings in each path that holds one.
func TestEachSpellingOfAnIDFindsIt(t *testing.T) {
	h := start(t, nil)
	spellings := map[string]string{
		"raw":             chatID,
		"upper-case hex":  strings.NewReplacer(":", "%3A", "@", "%40").Replace(chatID),
		"lower-case hex":  strings.NewReplacer(":", "%3a", "@", "%40").Replace(chatID),
		"path escape":     url.PathEscape(chatID),
		"half of it":      strings.Replace(chatID, ":", "%3A", 1),
		"base64url":       "~MTk6MmRhNGMyOWY2ZDcwNDFlY2E3MGI2MzhiNDNkNDU0MzdAdGhyZWFkLnYy",
		"every character": "%31%39%3A" + strings.Replace(chatID[3:], "@", "%40", 1),
	}
	for name, spelled := range spellings {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{
				"/v1/users/" + annaID + "/conversations/" + spelled + "/events",
				"/v1/users/" + annaID + "/conversations/" + spelled + "/events:stream",
				"/v1/users/" + annaID + "/conversations/" + spelled + "/events%3Astream",
			} {
				resp := h.get(t, path)
				if text := body(t, resp); resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: status %d: %s", path, resp.StatusCode, text)
				}
				requests, _, _ := h.take()
				if diff := cmp.Diff([]any{walk(func(r *query.Events) { r.Conversation, r.Sources = chatID, everySource })}, requests, asAsked); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
			for _, path := range []string{
				"/v1/users/" + annaID + "/conversations/" + spelled,
				"/v1/users/" + annaID + "/events/chat," + spelled + ",1612289992105",
				"/v1/users/" + annaID + "/events/chat%2C" + spelled + "%2c1612289992105",
			} {
				resp := h.get(t, path)
				if text := body(t, resp); resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: status %d: %s", path, resp.StatusCode, text)
				}
			}
			userPath := "/v1/users/" + strings.NewReplacer("@", "%40").Replace(annaUPN) + "/events"
			if resp := h.get(t, userPath); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", userPath, resp.StatusCode)
			}
			h.take()
		})
	}
}

func TestPathsThatAreNone(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	tests := []struct {
		path string
		want int
	}{
		{"/v1/", http.StatusNotFound},
		{"/v1/users/", http.StatusBadRequest},
		{"/v1/users/u", http.StatusOK},
		{"/v1/users/u/", http.StatusNotFound},
		{"/v1/users/u/events:cut", http.StatusNotFound},
		{"/v1/users:stream", http.StatusNotFound},
		{"/v2/users", http.StatusNotFound},
		{"/nothing", http.StatusNotFound},
		{"/v1/users/u/conversations/a%2Fb", http.StatusBadRequest},
		{"/v1/users/u/conversations/a%2fb/events", http.StatusBadRequest},
		{"/v1/users/u/conversations/%2e%2e/events", http.StatusBadRequest},
		{"/v1/users/u%00/events", http.StatusBadRequest},
		{"/v1/users/u%ff/events", http.StatusBadRequest},
		{"/v1/users/u/../x/events", http.StatusBadRequest},
		// A percent sign is one after a single decoding; nothing decodes it again into a slash.
		{"/v1/users/a%252Fb/events", http.StatusOK},
	}
	for _, tt := range tests {
		resp := h.get(t, tt.path)
		text := body(t, resp)
		if resp.StatusCode != tt.want {
			t.Errorf("%s: status %d, want %d: %s", tt.path, resp.StatusCode, tt.want, text)
			continue
		}
		if tt.want != http.StatusOK {
			if e := parseError(t, text); e.reason() == "" {
				t.Errorf("%s: no reason: %s", tt.path, text)
			}
		}
	}
	requests, _, _ := h.take()
	if diff := cmp.Diff([]any{walk(func(r *query.Events) { r.Owner, r.User = "a%2Fb", "a%2Fb" })}, requests, asAsked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}
