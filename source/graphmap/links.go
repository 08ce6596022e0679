package graphmap

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/parley-gateway/parley/graphclient"
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
// ErrRecord and ErrDepth.
func (t *Table) NestedLinks(record []byte) ([]NestedLink, error) {
	if bytes.IndexByte(record, '@') < 0 && bytes.IndexByte(record, '\\') < 0 {
		return nil, nil
	}
	d := t.decoder()
	defer t.putBack(d)
	d.begin(record)
	if d.json.PeekKind() != '{' {
		return nil, fmt.Errorf("%w but another JSON value", ErrRecord)
	}
	var links []NestedLink
	if err := d.findLinks(&links); err != nil {
		return nil, d.failed(err)
	}
	return links, nil
}

// findLinks walks the next value.
func (d *decoder) findLinks(links *[]NestedLink) error {
	switch d.json.PeekKind() {
	case '{':
		if err := d.enter(); err != nil {
			return err
		}
		for d.json.PeekKind() == '"' {
			if err := d.findMember(links); err != nil {
				return err
			}
		}
	case '[':
		if err := d.enter(); err != nil {
			return err
		}
		for i := 0; d.json.PeekKind() != ']'; i++ {
			d.path = append(d.path, step{index: i})
			err := d.findLinks(links)
			d.pop()
			if err != nil {
				return err
			}
		}
	default:
		return d.json.SkipValue()
	}
	_, err := d.json.ReadToken()
	return err
}

// skipAnnotation reads the value of an annotation. A link to what follows a list is not followed here, so the list is noted as cut.
func (d *decoder) skipAnnotation(name string) error {
	list, isLink := graphclient.NextLinkOf(name)
	if !isLink || list == "" || d.json.PeekKind() != '"' {
		return d.json.SkipValue()
	}
	if url, err := d.text('"'); err != nil || url == "" {
		return err
	}
	var path strings.Builder
	for _, s := range d.path {
		switch {
		case s.index >= 0:
			path.WriteString("[" + s.key() + "]")
			continue
		case path.Len() > 0:
			path.WriteByte('.')
		}
		path.WriteString(s.name)
	}
	if path.Len() > 0 {
		path.WriteByte('.')
	}
	path.WriteString(list)
	if len(d.cut) < maxCut {
		d.cut = append(d.cut, path.String())
	}
	return nil
}

// maxCut bounds the lists of a record that are told to be cut.
const maxCut = 64

func (d *decoder) findMember(links *[]NestedLink) error {
	name, err := d.text('"')
	if err != nil {
		return err
	}
	list, isLink := graphclient.NextLinkOf(name)
	if isLink && list != "" && d.json.PeekKind() == '"' {
		url, err := d.text('"')
		if err != nil || url == "" {
			return err
		}
		link := NestedLink{Path: make([]string, 0, len(d.path)+1), URL: url}
		for _, s := range d.path {
			link.Path = append(link.Path, s.key())
		}
		link.Path = append(link.Path, list)
		*links = append(*links, link)
		return nil
	}
	if strings.Contains(name, "@odata.") {
		return d.json.SkipValue()
	}
	d.path = append(d.path, step{name: name, index: -1})
	defer d.pop()
	return d.findLinks(links)
}
