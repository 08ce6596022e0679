package html

// Tag is an element that the renderers treat in their own way.
type Tag uint8

// The elements.
const (
	TagOther      Tag = iota // inline, or unknown: only its text counts
	TagBlock                 // p, div, headings and the like: a line of its own
	TagBr                    // line break
	TagHr                    // rule between two parts
	TagUl                    // list with bullets
	TagOl                    // numbered list
	TagLi                    // list item
	TagTable                 // table
	TagTr                    // row
	TagCell                  // td and th
	TagQuote                 // blockquote
	TagPre                   // pre, and Teams' codeblock
	TagCode                  // inline code
	TagA                     // link
	TagAt                    // Teams mention
	TagEmoji                 // Teams emoji, of Teams itself or of the organisation
	TagImg                   // image
	TagVideo                 // video; its content is for browsers that cannot show it
	TagAudio                 // sound, likewise
	TagAttachment            // place of an attachment
	TagTextarea              // raw text with character references, shown
	TagTitle                 // raw text with character references, not shown
	TagXmp                   // raw text, shown
	TagPlaintext             // raw text up to the end, shown
	TagHidden                // script, style and the like: raw text, not shown
)

// longestTag is the length of the longest name that Lookup knows.
const longestTag = len("customemoji")

// isRaw reports whether the text in the element holds no tags.
func (t Tag) isRaw() bool { return t >= TagTextarea }

// IsHidden reports whether the text in the element is not part of the message.
func (t Tag) IsHidden() bool { return t == TagHidden || t == TagTitle }

// Lookup returns the tag of an element name, whatever its case.
func Lookup(name string) Tag {
	if len(name) > longestTag {
		return TagOther
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
		return TagBlock
	case "br":
		return TagBr
	case "hr":
		return TagHr
	case "ul", "menu", "dir":
		return TagUl
	case "ol":
		return TagOl
	case "li":
		return TagLi
	case "table":
		return TagTable
	case "tr":
		return TagTr
	case "td", "th":
		return TagCell
	case "blockquote":
		return TagQuote
	case "pre", "codeblock", "listing":
		return TagPre
	case "code", "samp", "kbd", "tt":
		return TagCode
	case "a":
		return TagA
	case "at":
		return TagAt
	case "emoji", "customemoji":
		return TagEmoji
	case "img":
		return TagImg
	case "video":
		return TagVideo
	case "audio":
		return TagAudio
	case "attachment":
		return TagAttachment
	case "textarea":
		return TagTextarea
	case "title":
		return TagTitle
	case "xmp":
		return TagXmp
	case "plaintext":
		return TagPlaintext
	case "script", "style", "iframe", "noembed", "noframes", "noscript":
		return TagHidden
	}
	return TagOther
}
