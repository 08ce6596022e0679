package html_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source/plaintext/html"
)

func TestRender(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "Hello user2, user 3", "Hello user2, user 3"},
		{"plain trimmed", " \n Hello \t", "Hello"},
		{"white space collapses", "a \n\t b", "a b"},
		{"system message", "<systemEventMessage/>", ""},
		{"copied block", "<div>\n<div itemprop=\"copy-paste-block\">reply 9&nbsp;to new conv</div>\n</div>", "reply 9 to new conv"},
		{"paragraphs", "<p>one</p>\n<p>two</p><p>&nbsp;</p><p>three</p>", "one\ntwo\n\nthree"},
		{"breaks", "a<br>b<br/><br />c<br><br><br><br>d", "a\nb\n\nc\n\nd"},
		{"break at the end of a paragraph", "<p>a<br></p><p>b</p>", "a\nb"},
		{"empty division with break", "<div>a</div><div><br></div><div>b</div>", "a\n\nb"},
		{"headings and rule", "<h1>Title</h1>text<hr>more", "Title\ntext\n---\nmore"},
		{"inline tags", "<b>bo</b><i>ld</i> <span style=\"x\">text</span>", "bold text"},
		{"entities", "&lt;b&gt; &amp;amp; &quot;q&quot; &apos;s&apos; &eacute;&#8364;&#x20AC;&hellip; &copy 2 &notit; &nGt; &unknown; &#0; &#128; & x &", "<b> &amp; \"q\" 's' é€€… © 2 ¬it; ≫⃒ &unknown; \ufffd € & x &"},
		{"no-break spaces stay apart", "a&nbsp;&nbsp;b\u00a0c &nbsp;", "a  b c"},
		{"zero width", "a\u200bb\ufeffc\u2060d&#8203;e", "abcde"},
		{"joiners stay", "👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم"},
		{"controls", "a\x00b\x07c\u0085d", "abcd"},
		{"invalid UTF-8", "a\xffb<b>\xc3</b>", "a\ufffdb\ufffd"},
		{"mention", "Hello World <at id=\"0\">Jane Smith</at>", "Hello World @Jane Smith"},
		{"mention then no-break space", "<div><div><at id=\"0\">General</at>&nbsp;Hello there!</div></div>", "@General Hello there!"},
		{"mention with at sign", "<at id=\"0\">@Jane</at>, <at id=\"1\"><b>Émile</b></at><at id=\"2\"></at>!", "@Jane, @Émile!"},
		{"emoji", "ok <emoji id=\"smile\" alt=\"😄\" title=\"Smile\"></emoji>!<emoji title=\"Wave\">", "ok 😄!Wave"},
		{"emoji with content", "<emoji alt=\"😄\">😄</emoji> x", "😄 x"},
		{"image", "see <img alt=\"a &lt;chart&gt;\" src=\"x\"><img src=\"y\"> there", "see a <chart>[image] there"},
		{"image without alt text", "<p><img src=\"x\" alt=\"\"></p><p>a<IMG>b <img alt=\"&#8203; \"></p>", "[image]\na[image]b [image]"},
		{"emoji of the organisation", "<p>Done <customemoji id=\"c1\" alt=\"ship_it\" source=\"https://x.example/e\"></customemoji>!</p>", "Done ship_it!"},
		{"emoji of the organisation with content", "<CUSTOMEMOJI alt='a &amp; b'>x</CUSTOMEMOJI> y", "a & b y"},
		// Of the kind "no text is lost": what follows an element that nothing closes is not its content.
		{"emoji that nothing closes", "<p>go <customemoji alt=\"ship_it\"> now</p><p>a <EMOJI alt='x'/> b <emoji id=\"y\"/> c", "go ship_it now\na x b [emoji] c"},
		{"sound that nothing closes", "<p><audio src=\"a\"> words</p><video src=\"v\"/> more", "[audio] words\n[video] more"},
		{"emoji without alt text", "a <emoji id=\"x\"></emoji>b <customemoji>(c)</customemoji> <customemoji id=\"y\"> </customemoji>", "a [emoji]b (c) [emoji]"},
		{"video and sound", "a <video src=\"x\">Your browser cannot show this.</video> <audio title=\"t\"></audio>b", "a [video] [audio]b"},
		{"bidirectional controls in a mention", "\u202ea\u202c <at id=\"0\">\u202eenaJ\u202c &#x2066;\u200fX</at> \u2067b\u2069", "\u202ea\u202c @enaJ \u200fX \u2067b\u2069"},
		{"bidirectional controls in alt texts and addresses", "<img alt=\"\u202egpj.exe\"> <a href=\"https://x.example/\u202e&#8294;a\u0085\">t</a>", "gpj.exe t (https://x.example/a)"},
		{"controls as references", "a&#27;b&#1;&#x7f;c<pre>d&#11;\f&#x1b;\x1b[1me</pre>", "abc\nd\n[1me"},
		{"script and style", "a<script>if (a<b) {}</script><style>p{}</style><title>t</title>b<textarea>&lt;c</textarea>", "ab<c"},
		{"unclosed script", "a<script>b</scr", "a"},
		{"comments", "a<!-- <b> --> b<!-->c<!--->d<!DOCTYPE html>e<?x y>f</ g>h</>i<![CDATA[j]]>", "a bcdefhi"},
		{"unclosed comment", "a<!-- b", "a"},
		{"lone angle", "1 < 2 and a<b", "1 < 2 and a"},
		{"angles in text", "1 < 2 <3 </", "1 < 2 <3 </"},
		{"upper case tags", "<P>a</P><BR><UL><LI>b</LI></UL>", "a\n\n- b"},
		{"attribute quoting", "<a title='>' href=https://x.example/a?b=1&amp;c=2>t</a>", "t (https://x.example/a?b=1&c=2)"},
		{"link", "<a href=\"https://x.example/\" title=\"t\">the <b>site</b></a>.", "the site (https://x.example/)."},
		{"link that shows its address", "<a href=\"https://x.example/\">x.example</a> <a href=\"mailto:a@x.example\">A@x.example</a>", "x.example A@x.example"},
		{"link without text", "<a href=\"https://x.example/a\"><b></b></a>", "https://x.example/a"},
		{"link around an image", "<a href=\"https://x.example/a\"><img src=x></a>", "[image] (https://x.example/a)"},
		{"link with legacy reference", "<a href=\"https://x.example/?a=1&copy=2&lt=3\">t</a>", "t (https://x.example/?a=1&copy=2&lt=3)"},
		{"script link", "<a href=\" JavaScript:alert(1)\">t</a> <a href=\"#a\">u</a> <a>v</a>", "t u v"},
		{"unclosed link", "<a href=\"https://x.example/a\">t", "t (https://x.example/a)"},
		{"nested link", "<a href=\"https://x.example/a\">t<a href=\"https://x.example/b\">u</a>", "t (https://x.example/a)u (https://x.example/b)"},
		{"bullets", "x<ul><li>one</li><li><p>two</p></li><li>three<ul><li>four<br>five</li></ul></li></ul>y", "x\n- one\n- two\n- three\n  - four\n    five\ny"},
		{"numbers", "<ol start=\"3\"><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ol><ol start=x><li>e</ol>", "3. a\n4. b\n  - c\n5. d\n1. e"},
		{"item without list", "<li>a</li></ul></ol><li>b", "- a\n- b"},
		{"link in list", "<ul><li><a href=\"https://x.example\">x.example</a></li></ul>", "- x.example"},
		{"table", "<table><tbody><tr><th>A</th><th>B</th></tr>\n<tr>\n<td> <p>1</p> </td>\n<td><p>2<br>3</p></td></tr></tbody></table>end", "A | B\n1 | 2 3\nend"},
		{"table with empty cells", "<table><tr><td></td><td>b</td><td></td></tr><tr><td>c</td><td></td><td>d</td></tr></table>", "| b |\nc | | d"},
		{"table in a table", "<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td><td>d</td></tr></table>", "a b c | d"},
		{"list in a cell", "<table><tr><td><ul><li>a</li><li>b</li></ul></td><td>c</td></tr></table>", "a b | c"},
		{"pre", "x<pre>\n  a  b\r\n\r\n\r\n\tc &lt;\n</pre>y", "x\n  a  b\n\n\n\tc <\ny"},
		{"code block of Teams", "<p>see</p><codeblock class=\"Go\"><code>func f() {<br>  return&nbsp; 1<br>}</code></codeblock><p>done</p>", "see\nfunc f() {\n  return  1\n}\ndone"},
		{"inline code", "run <code>go  test</code> now", "run go  test now"},
		{"quote", "<blockquote><p>a</p><p>b</p></blockquote><p>c</p>", "> a\n> b\nc"},
		{"quote in quote", "<blockquote>a<blockquote>b</blockquote></blockquote></blockquote>c", "> a\n> > b\nc"},
		{"attachment tag", "a <attachment id=\"x\"></attachment>b", "a b"},
		{"duplicate attribute", "<img alt=a ALT=b>", "a"},
		{"odd attributes", "<img =alt=x / alt / ALT=y alt='z'>|<img/alt=q>", "[image]|q"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, html.Render(test.in, nil, 1<<20)); diff != "" {
				t.Errorf("Render(%q) (-want +got):\n%s", test.in, diff)
			}
		})
	}
}
