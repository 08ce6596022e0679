package plaintext

import (
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/card"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// fewAttachments is the number up to which looking through them beats a map.
const fewAttachments = 16

// resolver finds the texts of a message's attachments, each once.
type resolver struct {
	atts  []Attachment
	index map[string]int // by id; nil if there are few
	used  []bool         // already mentioned
	limit int
	cards card.Reader
	seen  map[uint64]bool // hashes of the texts that were written
}

func newResolver(atts []Attachment, limit int) *resolver {
	r := &resolver{atts: atts, used: make([]bool, len(atts)), limit: limit, cards: card.NewReader()}
	if len(atts) <= fewAttachments {
		return r
	}
	r.index = make(map[string]int, len(atts))
	for i := range atts {
		if _, ok := r.index[atts[i].ID]; !ok {
			r.index[atts[i].ID] = i
		}
	}
	return r
}

// hasCards reports whether any attachment may hold a card.
func (r *resolver) hasCards() bool {
	for i := range r.atts {
		if isObject(r.atts[i].Content) {
			return true
		}
	}
	return false
}

// isObject reports whether s looks like a JSON object.
func isObject(s string) bool {
	return strings.HasPrefix(strings.TrimLeft(s, "\ufeff \t\r\n"), "{")
}

// remember notes a text, and reports false if the same text was noted before. A text without letters and digits repeats nothing.
func (r *resolver) remember(s string) bool {
	hash, ok := r.cards.Hash(s)
	if !ok {
		return true
	}
	if r.seen[hash] {
		return false
	}
	if r.seen == nil {
		r.seen = make(map[uint64]bool)
	}
	r.seen[hash] = true
	return true
}

// Resolve returns the text that stands for the attachment, and whether it wants lines of its own. It is empty for an
// unknown id and for one that was mentioned before.
func (r *resolver) Resolve(id string) (s string, block bool) {
	i := r.find(id)
	if i < 0 || r.used[i] {
		return "", false
	}
	r.used[i] = true
	a := &r.atts[i]
	if s, known := r.card(a); s != "" || known {
		return s, true
	}
	if a.isQuote() {
		return "", false
	}
	if name := textbuf.CleanName(a.Name); name != "" {
		return "[" + name + "]", false
	}
	return "", false
}

// isQuote reports whether the type is that of a quoted or forwarded message.
func (a *Attachment) isQuote() bool {
	return strings.EqualFold(a.ContentType, "messageReference") || strings.EqualFold(a.ContentType, "forwardedMessageReference")
}

// label is the attachment's name in brackets, or else a word for what it is; a message that it refers to stands as a quote
// does.
func (a *Attachment) label() (s string, block bool) {
	kind := strings.ToLower(a.ContentType)
	switch kind {
	case "messagereference":
		return "> [message]", true
	case "forwardedmessagereference":
		return "> [forwarded message]", true
	}
	if name := textbuf.CleanName(a.Name); name != "" {
		return "[" + name + "]", false
	}
	family, _, _ := strings.Cut(kind, "/")
	switch {
	case kind == "reference", strings.HasPrefix(kind, "application/vnd.microsoft.teams.file"):
		return "[file]", false
	case kind == "meetingreference":
		return "[meeting]", false
	case kind == "tabreference":
		return "[tab]", false
	case strings.Contains(kind, ".card."):
		return "[card]", false
	case family == "image", family == "video", family == "audio":
		return "[" + family + "]", false
	default:
		return "[attachment]", false
	}
}

func (r *resolver) find(id string) int {
	if r.index != nil {
		if i, ok := r.index[id]; ok {
			return i
		}
		return -1
	}
	for i := range r.atts {
		if r.atts[i].ID == id {
			return i
		}
	}
	return -1
}

// card returns the text of the card or quote that the attachment holds; empty = it holds none. known means that the same text was
// written before.
func (r *resolver) card(a *Attachment) (s string, known bool) {
	if !isObject(a.Content) {
		return "", false
	}
	s, quote, ok := r.cards.Read(a.Content, r.limit)
	if !ok || s == "" {
		return "", false
	}
	if !quote && !r.remember(s) {
		return "", true
	}
	return s, false
}

// labels returns the text of a message without any other: the labels of its attachments.
func (r *resolver) labels() string {
	w := textbuf.Buffer{Max: r.limit}
	for i := range r.atts {
		if w.Full {
			break
		}
		w.Insert(r.atts[i].label())
	}
	return string(textbuf.Finish(w.Out))
}

// appendRest adds the cards and quotes that the body did not mention.
func (r *resolver) appendRest(body string) string {
	var w *textbuf.Buffer
	for i := range r.atts {
		if r.used[i] {
			continue
		}
		s, _ := r.card(&r.atts[i])
		if s == "" {
			continue
		}
		if w == nil {
			w = &textbuf.Buffer{Max: r.limit, Out: make([]byte, 0, min(len(body)+len(s)+1, r.limit))}
			w.Put(body)
		}
		if w.Full {
			break
		}
		w.InsertBlock(s)
	}
	if w == nil {
		return body
	}
	return string(textbuf.Finish(w.Out))
}
