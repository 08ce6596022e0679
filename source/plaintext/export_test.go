package plaintext

import "hash/maphash"

// FromHTML returns the text of an HTML body alone.
func FromHTML(content string) string { return renderHTML(content, nil, DefaultMax) }

// FromMarkdown returns the text of a Markdown body alone.
func FromMarkdown(content string) string { return renderMarkdown(content, nil, DefaultMax) }

// FromCard returns the text of a card alone.
func FromCard(jsonText string) (text string, ok bool) {
	r := cardReader{seed: maphash.MakeSeed()}
	text, _, ok = r.read(jsonText, DefaultMax)
	return text, ok
}
