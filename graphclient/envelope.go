package graphclient

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Names in an OData collection answer.
const (
	keyValue    = "value"
	keyNextLink = "@odata.nextLink"
	keyContext  = "@odata.context"
	keyCount    = "@odata.count"
	keyError    = "error"
)

// envelope is a collection answer taken apart; records alias the body.
type envelope struct {
	records  [][]byte
	nextLink string
	context  string
	count    int    // -1 when absent
	fault    []byte // the value of "error", when there is one
}

var errNotEnvelope = errors.New("answer is not a collection")

// newDecoder reads what Graph sends: duplicate names (the last one wins),
// invalid UTF-8 and lone surrogates (kept as they are).
func newDecoder(body []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// trimBOM removes a UTF-8 byte order mark.
func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\ufeff")) }

// parseEnvelope finds the records of a collection answer, whatever the order
// of its keys. Null records are left out; any other record that is not an
// object, and anything behind the answer, make it malformed.
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
	found := false
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return env, err
		}
		switch key := name.String(); key {
		case keyValue:
			found = true
			env.records, err = readRecords(dec, body)
		case keyNextLink:
			env.nextLink, err = readString(dec)
		case keyContext:
			env.context, err = readString(dec)
		case keyCount:
			env.count, err = readCount(dec)
		case keyError:
			env.fault, err = readRaw(dec, body)
		default:
			err = dec.SkipValue()
		}
		if err != nil {
			return env, err
		}
	}
	if err := readEnd(dec); err != nil {
		return env, err
	}
	if !found && env.fault == nil {
		return env, errNotEnvelope
	}
	return env, nil
}

// readEnd reads the closing brace and makes sure that nothing follows it.
func readEnd(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("bytes behind the answer")
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

func readRecords(dec *jsontext.Decoder, body []byte) ([][]byte, error) {
	switch dec.PeekKind() {
	case 'n':
		return nil, dec.SkipValue()
	case '[':
	default:
		return nil, errNotEnvelope
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	records := make([][]byte, 0, 64)
	for dec.PeekKind() != ']' {
		kind := dec.PeekKind()
		raw, err := readRaw(dec, body)
		if err != nil {
			return nil, err
		}
		switch kind {
		case '{':
			records = append(records, raw)
		case 'n':
		default:
			return nil, errors.New("a record is not an object")
		}
	}
	_, err := dec.ReadToken()
	return records, err
}

// readString reads a string; null is "".
func readString(dec *jsontext.Decoder) (string, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return "", err
	}
	switch token.Kind() {
	case '"':
		return token.String(), nil
	case 'n':
		return "", nil
	default:
		return "", errors.New("an annotation is not a string")
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
			others = others || len(name.String()) > 0 && name.String()[0] != '@'
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
		return nil, nil, errors.New("bytes behind the answer")
	}
	if others {
		fault = nil
	}
	return body[start:end:end], fault, nil
}
