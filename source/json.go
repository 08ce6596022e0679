package source

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-gateway/parley/graphclient"
)

// property is one member of a JSON object, its value as Graph wrote it.
type property struct {
	name  string
	value []byte
}

// properties returns the members of a JSON object in their order, with copies of their values. Any other record is an error of kind Malformed.
func properties(record []byte) ([]property, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(record), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if kind := dec.PeekKind(); kind != jsontext.KindBeginObject {
		return nil, malformed("a record is not an object", nil)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformed("a record cannot be read", err)
	}
	var all []property
	for dec.PeekKind() != jsontext.KindEndObject {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, malformed("a record cannot be read", err)
		}
		name := token.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, malformed("a record cannot be read", err)
		}
		all = append(all, property{name: name, value: bytes.Clone(value)})
	}
	return all, nil
}

// elements returns copies of the elements of a JSON array; ok is false for anything else.
func elements(value []byte) (all [][]byte, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != jsontext.KindBeginArray {
		return nil, false
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		element, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		all = append(all, bytes.Clone(element))
	}
	return all, true
}

// find returns the value of the last property of the name; nil when there is none.
func find(all []property, name string) []byte {
	for _, p := range slices.Backward(all) {
		if p.name == name {
			return p.value
		}
	}
	return nil
}

// nextLink returns the link to the next page of a list of the object or, with no name, to the page after the object; "" for none.
func nextLink(all []property, list string) string {
	for _, p := range slices.Backward(all) {
		if of, ok := graphclient.NextLinkOf(p.name); ok && strings.EqualFold(of, list) {
			if url, isText := jsonText(p.value); isText && url != "" {
				return url
			}
		}
	}
	return ""
}

// withoutList returns the properties but the list and the links to its next page.
func withoutList(all []property, list string) []property {
	return slices.DeleteFunc(slices.Clone(all), func(p property) bool {
		of, isLink := graphclient.NextLinkOf(p.name)
		return p.name == list || isLink && strings.EqualFold(of, list)
	})
}

// without returns the properties but those of the names.
func without(all []property, names ...string) []property {
	return slices.DeleteFunc(slices.Clone(all), func(p property) bool { return slices.Contains(names, p.name) })
}

// object writes properties as a JSON object.
func object(all []property) ([]byte, error) {
	size := 2
	for _, p := range all {
		size += len(p.name) + len(p.value) + 4
	}
	out := append(make([]byte, 0, size), '{')
	for i, p := range all {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = jsontext.AppendQuote(out, p.name); err != nil {
			return nil, malformed("a property name cannot be written", err)
		}
		out = append(out, ':')
		out = append(out, p.value...)
	}
	return append(out, '}'), nil
}

// array writes values as a JSON array.
func array(values [][]byte) []byte {
	out := append(make([]byte, 0, 2+len(values)), '[')
	out = append(out, bytes.Join(values, []byte{','})...)
	return append(out, ']')
}

// jsonText reads a JSON string; ok is false for anything else.
func jsonText(value []byte) (s string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	raw, err := jsontext.AppendUnquote(nil, value)
	return string(raw), err == nil
}

// distinct collects JSON values, each content once; white space is no content.
type distinct struct {
	seen   map[[sha256.Size]byte]bool
	values [][]byte
}

func (d *distinct) add(value []byte) {
	tight := jsontext.Value(bytes.Clone(value))
	if tight.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		tight = value // told apart by its bytes
	}
	sum := sha256.Sum256(tight)
	if d.seen[sum] {
		return
	}
	if d.seen == nil {
		d.seen = map[[sha256.Size]byte]bool{}
	}
	d.seen[sum] = true
	d.values = append(d.values, value)
}
