package graphmap

import (
	"bytes"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// NestedLink is where a list inside a record goes on.
type NestedLink struct {
	// Path leads to the list: property names and positions as decimal keys, such as sessions, 3, segments.
	Path []string
	// URL is Graph's link, byte for byte.
	URL string
}

// NestedLinks returns the links to further pages of lists inside a record (members, participants_v2, sessions and their
// segments), in the order of the record. The record's own link is not nested and not returned. Errors are
// ErrRecord, ErrDepth and ErrRoot.
func (t *Table) NestedLinks(root string, record []byte) ([]NestedLink, error) {
	d, err := t.Draft(root, record)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	return slices.Clone(d.links), nil
}

var odata = []byte("@odata.")

// isAnnotation reports whether a member is an annotation of another one, or of the object.
func isAnnotation(name []byte) bool {
	return bytes.IndexByte(name, '@') >= 0 && (bytes.Contains(name, odata) || isNestedLink(name))
}

// isNestedLink reports whether a member links to the next page of a list beside it.
func isNestedLink(name []byte) bool {
	list, isLink := graphclient.NextLinkOf(string(name))
	return isLink && list != ""
}

// annotation passes over the value of an annotation. A link to the next page of a list is noted in links and truncated.
func (d *Draft) annotation(i, depth int, name []byte) (end int, ok bool) {
	if i >= len(d.record) || d.record[i] != '"' || !isNestedLink(name) {
		return jsonscan.Skip(d.record, i, depth)
	}
	end, _, ok = jsonscan.String(d.record, i)
	if !ok {
		return end, false
	}
	url := appendUnquoted(nil, d.record[i+1:end-1])
	if len(url) == 0 {
		return end, true
	}
	list, _ := graphclient.NextLinkOf(string(name))
	link := NestedLink{Path: make([]string, 0, len(d.path)+1), URL: string(url)}
	for _, s := range d.path {
		link.Path = append(link.Path, s.key())
	}
	link.Path = append(link.Path, list)
	d.links = append(d.links, link)
	if len(d.truncated) < maxTruncated {
		d.truncated = append(d.truncated, truncatedPath(d.path, list))
	}
	return end, true
}

// maxTruncated bounds the lists of a record that truncated_fields names.
const maxTruncated = 64

// truncatedPath writes the place of a list as truncated_fields has it: sessions[3].segments.
func truncatedPath(path []step, list string) string {
	var b strings.Builder
	for _, s := range path {
		switch {
		case s.index >= 0:
			b.WriteString("[" + s.key() + "]")
			continue
		case b.Len() > 0:
			b.WriteByte('.')
		}
		b.WriteString(s.name)
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(list)
	return b.String()
}
