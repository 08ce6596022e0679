package plaintext

// tag is an element that the HTML walk treats in its own way.
type tag uint8

const (
	tagOther      tag = iota // inline, or unknown: only its text counts
	tagBlock                 // p, div, headings and the like: a line of its own
	tagBr                    // line break
	tagHr                    // rule between two parts
	tagUl                    // list with bullets
	tagOl                    // numbered list
	tagLi                    // list item
	tagTable                 // table
	tagTr                    // row
	tagCell                  // td and th
	tagQuote                 // blockquote
	tagPre                   // pre, and Teams' codeblock
	tagCode                  // inline code
	tagA                     // link
	tagAt                    // Teams mention
	tagEmoji                 // Teams emoji, of Teams itself or of the organisation
	tagImg                   // image
	tagVideo                 // video; its content is for browsers that cannot show it
	tagAudio                 // sound, likewise
	tagAttachment            // place of an attachment
	tagTextarea              // raw text with character references, shown
	tagTitle                 // raw text with character references, not shown
	tagXmp                   // raw text, shown
	tagPlaintext             // raw text up to the end, shown
	tagHidden                // script, style and the like: raw text, not shown
)

// longestTag is the length of the longest name that lookup knows.
const longestTag = len("customemoji")

// isRaw reports whether the text in the element holds no tags.
func (t tag) isRaw() bool { return t >= tagTextarea }

// isHidden reports whether the text in the element is not part of the message.
func (t tag) isHidden() bool { return t == tagHidden || t == tagTitle }

// lookup returns the tag of an element name, whatever its case.
func lookup(name string) tag {
	if len(name) > longestTag {
		return tagOther
	}
	var buf [longestTag]byte
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	switch string(buf[:len(name)]) {
	case "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "header", "footer", "main", "nav",
		"aside", "address", "figure", "figcaption", "dl", "dt", "dd", "form", "fieldset", "details", "summary", "caption", "center":
		return tagBlock
	case "br":
		return tagBr
	case "hr":
		return tagHr
	case "ul", "menu", "dir":
		return tagUl
	case "ol":
		return tagOl
	case "li":
		return tagLi
	case "table":
		return tagTable
	case "tr":
		return tagTr
	case "td", "th":
		return tagCell
	case "blockquote":
		return tagQuote
	case "pre", "codeblock", "listing":
		return tagPre
	case "code", "samp", "kbd", "tt":
		return tagCode
	case "a":
		return tagA
	case "at":
		return tagAt
	case "emoji", "customemoji":
		return tagEmoji
	case "img":
		return tagImg
	case "video":
		return tagVideo
	case "audio":
		return tagAudio
	case "attachment":
		return tagAttachment
	case "textarea":
		return tagTextarea
	case "title":
		return tagTitle
	case "xmp":
		return tagXmp
	case "plaintext":
		return tagPlaintext
	case "script", "style", "iframe", "noembed", "noframes", "noscript":
		return tagHidden
	}
	return tagOther
}
