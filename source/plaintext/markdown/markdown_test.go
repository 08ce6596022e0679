package markdown_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source/plaintext/markdown"
)

func TestRender(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "Hello, world.", "Hello, world."},
		{"lines and blank lines", "a\r\nb\n\n\n\nc\n\n", "a\nb\n\nc"},
		{"emphasis", "**bold** *it* __bold__ _it_ ***both*** ~~gone~~ **a *b* c**", "bold it bold it both gone a b c"},
		{"emphasis inside words", "un*frigging*believable snake_case_name 2 * 3 * 4 a*b", "unfriggingbelievable snake_case_name 2 * 3 * 4 a*b"},
		{"unmatched marks", "**a *b _c ~d ~~e", "**a *b _c ~d ~~e"},
		{"uneven marks", "**a* b* ***c**", "a b *c"},
		{"emphasis beside punctuation", "- **[a](https://x.example/a)**: b", "- a (https://x.example/a): b"},
		{"escapes", "\\*a\\* \\[b\\] 1\\. \\q \\", "*a* [b] 1. \\q"},
		{"code", "run `go  *test*` and ``a`b`` and `` ` `` or ` not", "run go  *test* and a`b and ` or ` not"},
		{"fence", "x\n```go\nfunc *f*() {\n\n\n\treturn // [a](b)\n}\n```\ny", "x\nfunc *f*() {\n\n\n\treturn // [a](b)\n}\ny"},
		{"tilde fence, unclosed", "~~~\n```\na", "```\na"},
		{"headings", "# One #\n###### Six\n#hash\nSetext\n===\nOther\n---", "One\nSix\n#hash\nSetext\nOther"},
		{"rules", "a\n\n---\n\n* * *", "a\n\n---\n\n---"},
		{"lists", "* a\n+ b\n- c\n  * d\n1. e\n2) f", "- a\n- b\n- c\n  - d\n1. e\n2) f"},
		{"task list", "- [ ] a\n- [x] b", "- [ ] a\n- [x] b"},
		{"quote", "> a\n>> **b**\n>c", "> a\n> > b\n> c"},
		{"table", "| A | **B** |\n|---|:-:|\n| 1 | 2 |", "A | B\n1 | 2"},
		{"link", "see [the site](https://x.example/a_b_(c) \"T\") now", "see the site (https://x.example/a_b_(c)) now"},
		{"link that shows its address", "[x.example](https://x.example/) <https://x.example/a*b*> https://x.example/c_d_e", "x.example https://x.example/a*b* https://x.example/c_d_e"},
		{"link without text", "[](https://x.example)", "https://x.example"},
		{"citations", "a[1](https://x.example/1) b[^2^] c[^3] d[4]", "a[1] (https://x.example/1) b[2] c[3] d[4]"},
		{"image", "a ![chart *x*](https://x.example/i.png) ![b]", "a chart x ![b]"},
		{"image without alt text", "![](https://x.example/i.png) [![](i.png)](https://x.example)", "[image] [image] (https://x.example)"},
		{"images and emoji in HTML", "<img src=x><img alt='a > b'> <customemoji id=\"c\" alt=\"ship_it\"></customemoji> <emoji title=t></emoji><emoji>", "[image]<img alt='a > b'> ship_it t[emoji]"},
		{"controls", "a\x1b[1mb\r\nc\rd\v&#27;\u0085`e\x00\x7f`", "a[1mb\nc\nde"},
		{"bidirectional controls in a mention", "<at id=\"0\">\u202eJane</at> \u202ea", "@Jane \u202ea"},
		{"broken link", "**[a](**: b[1](\nc](d) [e] (f) [g](h i)", "[a](: b[1](\nc](d) [e] (f) [g](h i)"},
		{"reference link", "[a][b] [c [d](https://x.example)](e)", "[a][b] c d (https://x.example) (e)"},
		{"script link", "[a](javascript:b) [c]()", "a c"},
		{"entities and characters", "a&nbsp;&amp;&lt;b\u00a0c\u200bd\x00e\tf &", "a &<b cde\tf &"},
		{"tags", "<at id=\"0\">Jane</at> 1<br/>2 <b>3</b> a<b <emoji alt=\"x\">", "@Jane 1\n2 <b>3</b> a<b x"},
		{"attachment tag", "a <attachment id=\"x\"></attachment>b", "a b"},
		{"invalid UTF-8", "a\xff**b**", "a\ufffdb"},
		{"other scripts", "**重要**：说明 _été_", "重要：说明 été"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, markdown.Render(test.in, nil, 1<<20)); diff != "" {
				t.Errorf("Render(%q) (-want +got):\n%s", test.in, diff)
			}
		})
	}
}
