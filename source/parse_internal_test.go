package source

import (
	"regexp"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

func TestAThreadIsFoundInItsURL(t *testing.T) {
	t.Parallel()
	const thread = "19:meeting_YDZlYTYxOWUtYzdlMi00ZmMxLWIxMTAtN2YzODZlZjAxYzI4@thread.v2"
	escape := strings.NewReplacer(":", "%3A", "@", "%40").Replace
	lower := strings.NewReplacer(":", "%3a", "@", "%40").Replace
	for address, want := range map[string]string{
		"https://teams.microsoft.com/l/meetup-join/" + escape(thread) + "/0?context=%7b%22Tid%22%3a%22x%22%7d":     thread,
		"https://teams.microsoft.com/l/meetup-join/" + lower(thread) + "/0?context=19%3aother%40thread.v2":         thread,
		"https://teams.microsoft.com/l/meetup-join/" + thread + "/0":                                               thread,
		"https://teams.microsoft.com/l/meetup-join/" + strings.ReplaceAll(escape(thread), "%", "%25") + "/0":       thread,
		"https://safe.example/?url=https%3A%2F%2Fteams.microsoft.com%2Fl%2Fmeetup-join%2F" + escape(thread):        thread,
		"https://teams.microsoft.com/l/meetup-join/" + strings.Replace(thread, "thread.v2", "Thread.V2", 1) + "/0": thread,
		"https://teams.microsoft.com/l/meetup-join/100%/" + escape(thread):                                         thread,
		"https://teams.microsoft.com/l/channel/19%3Aab_-c%40thread.tacv2/General":                                  "19:ab_-c@thread.tacv2",
		"19:0b4f1cf6-54c8_0d7c63d3@unq.gbl.spaces":                                                                 "19:0b4f1cf6-54c8_0d7c63d3@unq.gbl.spaces",
		"https://teams.microsoft.com/meet/2312345?p=abc":                                                           "",
		"": "", "%": "", "19:@thread.v2": "", "19:x@example.org": "",
		"x" + strings.Repeat("%25", 10_000) + thread: "",
	} {
		if got := threadOf(address); got != want {
			t.Errorf("%.120s: got %q, want %q", address, got, want)
		}
	}
}

func FuzzThreadOf(f *testing.F) {
	f.Add("https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%7d")
	f.Add("19:x@THREAD.tacv2%")
	f.Add("%2519:")
	form := regexp.MustCompile(`^19:[^/?#@:\s]+@[a-z.0-9]+$`)
	f.Fuzz(func(t *testing.T, address string) {
		id := threadOf(address)
		if id == "" {
			return
		}
		if !form.MatchString(id) {
			t.Errorf("%q is no thread id", id)
		}
		if again := threadOf(id); again != id {
			t.Errorf("%q reads as %q", id, again)
		}
	})
}

func FuzzProperties(f *testing.F) {
	f.Add(`{"a":1,"b":[{"c":null}],"a":"\u0041"}`)
	f.Add(`{"\ud800":"` + "\xff" + `"}`)
	f.Add(`[1, 2 ,{}]`)
	f.Fuzz(func(t *testing.T, record string) {
		if all, err := properties([]byte(record)); err == nil {
			whole, err := object(all)
			if err != nil {
				t.Fatal(err)
			}
			again, err := properties(whole)
			if err != nil || len(again) != len(all) {
				t.Errorf("%q became %q: %v", record, whole, err)
			}
		}
		if all, ok := elements([]byte(record)); ok {
			if again, ok := elements(array(all)); !ok || len(again) != len(all) {
				t.Errorf("%q became %q", record, array(all))
			}
		}
	})
}

func TestCloudsLackTheDocumentedSources(t *testing.T) {
	t.Parallel()
	sources := []parleyv1.Source{
		parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL,
		parleyv1.Source_SOURCE_CONVERSATION, parleyv1.Source_SOURCE_USAGE, parleyv1.Source_SOURCE_USER, parleyv1.Source_SOURCE_RETAINED_CHAT,
	}
	for cloud, want := range map[string]string{
		"": "yyyyyyy", "global": "yyyyyyy", "gcc": "yyyyyyy", "us-l4": "yyyynyy", "GCC-High": "yyyynyy", "us-l5": "yyyynyy",
		"china": "nnnynyy", "somewhere": "yyyyyyy",
	} {
		var got strings.Builder
		for _, src := range sources {
			if Available(cloud, src) {
				got.WriteByte('y')
			} else {
				got.WriteByte('n')
			}
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", cloud, got.String(), want)
		}
	}
}
