package graphclient_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
)

// TestTheSkewIsReadOffTheDateOfAnswers: the clock of this machine is compared with the Date of whatever Graph answers; within what a Date and a slow
// answer leave open the two agree, and an answer without a Date says nothing.
func TestTheSkewIsReadOffTheDateOfAnswers(t *testing.T) {
	t.Parallel()
	const into = 900 * time.Millisecond // of a second, which a Date cuts off
	for name, test := range map[string]struct {
		date   time.Duration // of the answer, after the request was sent
		takes  time.Duration
		status int
		header string // in place of date
		want   time.Duration
	}{
		"agrees":                  {want: 0},
		"within the second":       {date: -700 * time.Millisecond, want: 0},
		"a slow answer":           {date: 4 * time.Second, takes: 5 * time.Second, want: 0},
		"dated when it was asked": {takes: 5 * time.Second, want: 0},
		"ahead":                   {date: -2 * time.Hour, takes: time.Second, want: 2*time.Hour + time.Second + into},
		"ahead by two seconds":    {date: -2 * time.Second, want: 2*time.Second + into},
		"behind":                  {date: time.Hour, want: into - time.Hour},
		"a refusal is dated too":  {date: -time.Hour, status: http.StatusNotFound, want: time.Hour + into},
		"what was learnt stays":   {header: "none", want: 7*time.Hour + into},
		"a Date that is no date":  {header: "yesterday", want: 7*time.Hour + into},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first := true
				client := fakeClient(t, func(*http.Request) (*http.Response, error) {
					sent := time.Now()
					if first { // something to forget
						first = false
						return answer(200, emptyPage, "Date", sent.Add(-7*time.Hour).UTC().Format(http.TimeFormat)), nil
					}
					time.Sleep(test.takes)
					status, date := max(test.status, 200), sent.Add(test.date).UTC().Format(http.TimeFormat)
					switch test.header {
					case "":
					case "none":
						return answer(status, emptyPage), nil
					default:
						date = test.header
					}
					return answer(status, emptyPage, "Date", date), nil
				}, func(cfg *graphclient.Config) { cfg.Retry.Tries = 1 })
				time.Sleep(into)
				if got := client.Skew(); got != 0 {
					t.Fatalf("before the first answer: %v", got)
				}
				if _, err := client.Page(t.Context(), chats()); err != nil {
					t.Fatal(err)
				}
				_, err := client.Page(t.Context(), chats())
				if (err != nil) != (test.status != 0) {
					t.Fatal(err)
				}
				if got := client.Skew(); got != test.want {
					t.Errorf("skew %v, want %v", got, test.want)
				}
			})
		})
	}
}
