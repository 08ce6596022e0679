package plaintext_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/parley-gateway/parley/source/plaintext"
	"github.com/parley-gateway/parley/source/plaintext/card"
	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/markdown"
)

// checkText fails if s is not what every function of the package promises.
func checkText(t *testing.T, s string, limit int) {
	t.Helper()
	if len(s) > limit {
		t.Errorf("%d bytes, limit %d", len(s), limit)
	}
	if !utf8.ValidString(s) {
		t.Errorf("not UTF-8: %q", s)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("control %q at %d of %q", s[i], i, s)
	}
}

// seed adds the messages of testdata and s.
func seed(f *testing.F, s ...string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, s := range s {
		f.Add(s)
	}
}

func FuzzHTML(f *testing.F) {
	seed(f, "<p>a</p><ul><li>b<ol start=2><li>c", "<table><tr><td>a<td>b<table><tr><td>c", "<a href='&copy=&nGt;'>b</a>&#x80;",
		"<pre>\n a<br></pre><blockquote>b", "<!--><script>a</script x>b<!--- c --!>d", "<at>a</at><emoji alt=b>b\xff")
	f.Fuzz(func(t *testing.T, in string) {
		got := html.Render(in, nil, plaintext.DefaultMax)
		checkText(t, got, plaintext.DefaultMax)
		if strings.ContainsAny(got, "\x00\x07\u200b") {
			t.Errorf("Render(%q) = %q holds controls", in, got)
		}
	})
}

func FuzzMarkdown(f *testing.F) {
	seed(f, "**a** _b_ ~~c~~ `d` [e](f \"g\") ![h](i) [^1^]\\", "```\na\n```\n> # b\n| c | d |\n|---|---|", "*[a*](b)* <at id=0>c</at> &lt;<br>")
	f.Fuzz(func(t *testing.T, in string) {
		got := markdown.Render(in, nil, plaintext.DefaultMax)
		checkText(t, got, plaintext.DefaultMax)
		if strings.ContainsAny(got, "\x00\x07\u200b") {
			t.Errorf("Render(%q) = %q holds controls", in, got)
		}
	})
}

func FuzzCard(f *testing.F) {
	seed(f, adaptive(textBlock("a"), textBlock("a[1](b)")), `{"title":"a","text":"<b>c","facts":[{"name":"d","value":1}]}`,
		`{"messagePreview":"a"}`, `{"rows":[{"cells":[{"items":[{"text":"a"}]},{}]}]}`, `null`)
	f.Fuzz(func(t *testing.T, in string) {
		r := card.NewReader()
		got, _, ok := r.Read(in, plaintext.DefaultMax)
		checkText(t, got, plaintext.DefaultMax)
		if !ok && got != "" {
			t.Errorf("Read(%q) = %q and not ok", in, got)
		}
	})
}

func FuzzPlain(f *testing.F) {
	f.Add("a"+cardTag+"b", uint8(0), adaptive(textBlock("b")), "name", 100)
	f.Add("a"+cardTag+"b", uint8(1), `{"messagePreview":"é"}`, "", 3)
	f.Add("a"+cardTag+"b", uint8(2), "", "n\xff", 0)
	f.Add("\x1b"+cardTag+"\r\u0085", uint8(0), "", "n\u202e", 0)
	f.Add("<p>**a**</p><table><tr><td>\n- b<pre>&#27;`"+cardTag+"<img><a href=x>", uint8(4), "{}", "", 0)
	f.Fuzz(func(t *testing.T, content string, kind uint8, attached, name string, limit int) {
		kinds := []string{"text", "html", "markdown", "", "html"}
		in := plaintext.Input{
			Content: content, ContentType: kinds[int(kind)%len(kinds)], Answer: int(kind)%len(kinds) == 4, Max: limit,
			Attachments: []plaintext.Attachment{{ID: cardID, Content: attached, Name: name}, {ID: "b", Content: attached + " "}},
		}
		if limit <= 0 {
			limit = plaintext.DefaultMax
		}
		plain := plaintext.Plain(in)
		checkText(t, plain, limit)
		if got := string(plaintext.AppendPlain([]byte("x"), in)); got != "x"+plain {
			t.Errorf("%q, appended %q", plain, got)
		}
	})
}
