package plaintext_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source/plaintext"
)

func TestHostedContentsOfTheMessageAreFound(t *testing.T) {
	t.Parallel()
	const own = "https://graph.microsoft.com/v1.0/chats/19:a@thread.v2/messages/7/hostedContents/"
	for name, tc := range map[string]struct {
		content string
		want    []string
	}{
		"a picture":           {`<p>x</p><img alt="p" src="` + own + `aWQ9/$value" width="3">`, []string{"aWQ9"}},
		"below the user":      {`<img src="https://graph.microsoft.us/beta/users/u/chats/19%3Aa/messages/7/hostedContents/h/$value">`, []string{"h"}},
		"a reply":             {`<img src="https://graph.microsoft.com/v1.0/teams/t/channels/c/messages/6/replies/7/hostedContents/h/$value">`, []string{"h"}},
		"relative":            {`<img src="../hostedContents/1/$value"><IMG SRC='hostedContents/2/$value'>`, []string{"1", "2"}},
		"a link":              {`<a href="` + own + `f/$value">file</a>`, []string{"f"}},
		"percent-encoded":     {`<img src="` + own + `aW%3D%3D/%24value?x=1#y">`, []string{"aW=="}},
		"entities":            {`<img src="` + strings.ReplaceAll(own, "/h", "/&#104;") + `q/$value">`, nil},
		"references":          {`<img src="` + own + `a&amp;b/$value">`, []string{"a&b"}},
		"each once":           {`<img src="` + own + `a/$value"><img src="` + own + `b/$value"><img src="` + own + `a/$value">`, []string{"a", "b"}},
		"another message":     {`<img src="https://graph.microsoft.com/v1.0/chats/c/messages/8/hostedContents/h/$value">`, nil},
		"text":                {`<p>` + own + `h/$value</p>`, nil},
		"another attribute":   {`<img alt="` + own + `h/$value">`, nil},
		"no value":            {`<img src="` + own + `h">`, nil},
		"a slash":             {`<img src="` + own + `a%2Fb/$value">`, nil},
		"a dot segment":       {`<img src="` + own + `../$value"><img src="` + own + `%2e%2e/$value">`, nil},
		"no id":               {`<img src="` + own + `/$value">`, nil},
		"a broken encoding":   {`<img src="` + own + `%zz/$value">`, nil},
		"part of a name":      {`<img src="https://x.example/messages/7/myhostedContents/h/$value">`, nil},
		"a long id":           {`<img src="` + own + strings.Repeat("x", 1025) + `/$value">`, nil},
		"in a script":         {`<script><img src="` + own + `h/$value"></script>`, nil},
		"in a comment":        {`<!-- <img src="` + own + `h/$value"> -->`, nil},
		"nothing of the sort": {`<p>hello</p>`, nil},
	} {
		if diff := cmp.Diff(tc.want, plaintext.HostedContents(tc.content, "7")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, `<img src="%s%d/$value">`, own, i)
	}
	if got := plaintext.HostedContents(many.String(), "7"); len(got) != 100 || got[99] != "99" {
		t.Errorf("%d ids of 500", len(got))
	}
}

// FuzzHostedContents: an id is one segment of a path, is no other place, and comes once.
func FuzzHostedContents(f *testing.F) {
	f.Add(`<img src="../hostedContents/1/$value">`, "7")
	f.Add(`<img src="/messages/7/hostedContents/%2e%2e/$value"><a href="hostedContents/a%2fb/$value">`, "7")
	f.Add("<img src=hostedContents/\x00/$value", "")
	f.Fuzz(func(t *testing.T, content, message string) {
		ids := plaintext.HostedContents(content, message)
		for i, id := range ids {
			if id == "" || id == "." || id == ".." || strings.ContainsAny(id, `/\`) || slices.Contains(ids[:i], id) {
				t.Errorf("%q in %q", id, ids)
			}
		}
	})
}
