package graphclient

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Names in an OData collection answer.
const (
	keyValue   = "value"
	keyContext = "@odata.context"
	keyCount   = "@odata.count"
	keyError   = "error"
)

// envelope is a collection answer taken apart; records alias the body.
type envelope struct {
	records  [][]byte
	nextLink string
	context  string
	count    int    // -1 when absent
	fault    []byte // the value of "error", when there is one
}

var (
	errNotEnvelope = errors.New("answer is not a collection")
	errNotObject   = errors.New("a record is not an object")
	errNotString   = errors.New("an annotation is not a string")
	errLinks       = errors.New("several links lead on, or one from a list that is not known")
)

// newDecoder reads what Graph sends: duplicate names (the last one wins),
// invalid UTF-8 and lone surrogates (kept as they are).
func newDecoder(body []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// byteOrderMark is UTF-8's.
const byteOrderMark = "\ufeff"

// trimBOM removes a byte order mark.
func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte(byteOrderMark)) }

// pageLinks are the links of an envelope to the next page: one, unless an answer spells it in several ways.
type pageLinks []struct {
	member, url string
	bad         error
}

// note takes a link; of one member, the last one counts.
func (l *pageLinks) note(member, url string, bad error) {
	for i := range *l {
		if known := &(*l)[i]; known.member == member {
			known.url, known.bad = url, bad
			return
		}
	}
	*l = append(*l, struct {
		member, url string
		bad         error
	}{member, url, bad})
}

// one returns the link to follow, "" for none. The error is that of a link which is no string, or errLinks.
func (l *pageLinks) one() (string, error) {
	link := ""
	for _, found := range *l {
		list, _ := NextLinkOf(found.member)
		switch {
		case found.bad != nil:
			return "", found.bad
		case found.url == "":
		case list != "" && list != keyValue, link != "" && link != found.url:
			return "", errLinks
		default:
			link = found.url
		}
	}
	return link, nil
}

// parseEnvelope finds the records of a collection answer, whatever the order
// of its keys and the spelling of its link. Null records are left out; any other record that is not an
// object, links that contradict each other, and anything after the answer, make it malformed.
func parseEnvelope(body []byte) (envelope, error) {
	body = trimBOM(body)
	env := envelope{count: -1}
	dec := newDecoder(body)
	if dec.PeekKind() != '{' {
		return env, errNotEnvelope
	}
	if _, err := dec.ReadToken(); err != nil {
		return env, err
	}
	// A member of the wrong type counts only if no later one of its name follows.
	var found bool
	var links pageLinks
	var badValue, badContext error
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return env, err
		}
		switch key := name.String(); key {
		case keyValue:
			found = true
			env.records, badValue, err = readRecords(dec, body)
		case keyContext:
			env.context, badContext, err = readString(dec)
		case keyCount:
			env.count, err = readCount(dec)
		case keyError:
			env.fault, err = readFaultValue(dec, body)
		default:
			err = links.read(dec, key)
		}
		if err != nil {
			return env, err
		}
	}
	if err := readEnd(dec); err != nil {
		return env, err
	}
	var badLink error
	env.nextLink, badLink = links.one()
	if err := errors.Join(badValue, badLink, badContext); err != nil {
		return env, err
	}
	if !found && env.fault == nil {
		return env, errNotEnvelope
	}
	return env, nil
}

// read reads the value of a member that is a link, and passes over that of any other.
func (l *pageLinks) read(dec *jsontext.Decoder, member string) error {
	if _, isLink := NextLinkOf(member); !isLink {
		return dec.SkipValue()
	}
	url, bad, err := readString(dec)
	l.note(member, url, bad)
	return err
}

// readEnd reads the closing brace and makes sure that nothing follows it.
func readEnd(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the answer")
	}
	return nil
}

// readRaw reads one value and returns its bytes within body.
func readRaw(dec *jsontext.Decoder, body []byte) ([]byte, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(dec.InputOffset())
	return body[end-len(value) : end : end], nil
}

// readFaultValue reads the value of "error"; null is none.
func readFaultValue(dec *jsontext.Decoder, body []byte) ([]byte, error) {
	if dec.PeekKind() == 'n' {
		return nil, dec.SkipValue()
	}
	return readRaw(dec, body)
}

// readRecords reads the value of "value". bad says that it is JSON, but not a
// list of objects.
func readRecords(dec *jsontext.Decoder, body []byte) (records [][]byte, bad, err error) {
	switch dec.PeekKind() {
	case 'n':
		return nil, nil, dec.SkipValue()
	case '[':
	default:
		return nil, errNotEnvelope, dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	records = make([][]byte, 0, 64)
	for dec.PeekKind() != ']' {
		kind := dec.PeekKind()
		raw, err := readRaw(dec, body)
		if err != nil {
			return nil, nil, err
		}
		switch kind {
		case '{':
			records = append(records, raw)
		case 'n':
		default:
			bad = errNotObject
		}
	}
	_, err = dec.ReadToken()
	return records, bad, err
}

// readString reads a string; null is "". bad says that it is something else.
func readString(dec *jsontext.Decoder) (text string, bad, err error) {
	switch dec.PeekKind() {
	case '"':
		token, err := dec.ReadToken()
		if err != nil {
			return "", nil, err
		}
		return token.String(), nil, nil
	case 'n':
		return "", nil, dec.SkipValue()
	default:
		return "", errNotString, dec.SkipValue()
	}
}

// readCount reads an informative number; anything else counts as absent.
func readCount(dec *jsontext.Decoder) (int, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return -1, err
	}
	count, err := strconv.Atoi(string(bytes.Trim(value, `"`)))
	if err != nil || count < 0 {
		return -1, nil //nolint:nilerr // the count is informative, a strange one is no failure
	}
	return count, nil
}

// parseObject checks that the body is one JSON object and returns its bytes
// and, for an answer {"error":{…}} in its place, the value of "error".
func parseObject(body []byte) (object, fault []byte, err error) {
	body = trimBOM(body)
	dec := newDecoder(body)
	if dec.PeekKind() != '{' {
		return nil, nil, errors.New("answer is not an object")
	}
	if _, err = dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	start := dec.InputOffset() - 1
	others := false
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, nil, err
		}
		if name.String() == keyError && dec.PeekKind() == '{' {
			fault, err = readRaw(dec, body)
		} else {
			others = others || !strings.HasPrefix(name.String(), "@")
			err = dec.SkipValue()
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if _, err = dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	end := dec.InputOffset()
	if _, err = dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("bytes after the answer")
	}
	if others {
		fault = nil
	}
	return body[start:end:end], fault, nil
}
