package graphclient

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzParseEnvelope compares with encoding/json: what it accepts as a
// collection is accepted here with the same records, and nothing else is.
func FuzzParseEnvelope(f *testing.F) {
	for _, seed := range []string{
		`{"value":[]}`, `{"value":[{"id":"1"},null,{"a":[{}]}],"@odata.nextLink":"n","@odata.count":2}`,
		`{"@odata.nextLink":"a","value":null,"value":[{"x":1,"x":2}]}`, "\ufeff{\"value\":[{\"t\":\"\\ud800\xff\"}]}\r\n",
		`{"error":{"code":"a","innerError":{"code":"b"}}}`, `{"value":[1]}`, `{"value":[{}]`, `{"value":[1],"@odata.nextLink":1,"value":[{}],"@odata.nextLink":"a"}`, `{"\u0076alue":[{}]}`,
		`{"value":[{}],"@odata.NextLink":"a","@odata.nextlink":"a"}`, `{"value":[],"@odata.NextLink":"a","@odata.nextLink":"b"}`,
		`{"value":[],"value@odata.nextLink":"a"}`, `{"value":[],"x@odata.nextLink":"a"}`, `{"value":[],"hasNextLink":true,"@odata.deltaLink":"d"}`, `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		input := bytes.Clone(body)
		got, err := parseEnvelope(body)
		if !bytes.Equal(input, body) {
			t.Fatal("the body was changed")
		}
		want, ok := parseReference(body)
		if ok != (err == nil) {
			t.Fatalf("encoding/json accepts: %v; here: %v", ok, err)
		}
		if !ok {
			return
		}
		if len(got.records) != len(want.records) {
			t.Fatalf("%d records, want %d", len(got.records), len(want.records))
		}
		for i := range want.records {
			if !bytes.Equal(got.records[i], want.records[i]) {
				t.Fatalf("record %d: %q, want %q", i, got.records[i], want.records[i])
			}
		}
		if utf8.Valid(body) && got.nextLink != want.nextLink {
			t.Fatalf("link %q, want %q", got.nextLink, want.nextLink)
		}
	})
}

// parseReference is the slow way to the same result. A member counts as
// encoding/json's map sees it: the last of a name wins.
func parseReference(body []byte) (envelope, bool) {
	var env envelope
	var all map[string]json.RawMessage
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if json.Unmarshal(body, &all) != nil || all == nil {
		return env, false
	}
	value, found := all[keyValue]
	if fault, failed := all[keyError]; !found && (!failed || string(fault) == "null") {
		return env, false
	}
	var records []json.RawMessage
	if found && json.Unmarshal(value, &records) != nil {
		return env, false
	}
	for _, r := range records {
		switch {
		case string(r) == "null":
		case r[0] == '{':
			env.records = append(env.records, r)
		default:
			return env, false
		}
	}
	for name, raw := range all {
		list, isLink := NextLinkOf(name)
		if !isLink && name != keyContext {
			continue
		}
		var text *string
		if json.Unmarshal(raw, &text) != nil {
			return env, false
		}
		switch {
		case !isLink || text == nil || *text == "":
		case list != "" && list != keyValue, env.nextLink != "" && env.nextLink != *text:
			return env, false
		default:
			env.nextLink = *text
		}
	}
	return env, true
}

// FuzzParseTarget: what is accepted is one origin and one sendable target,
// and reading the result again changes nothing.
func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{
		"https://graph.microsoft.com/v1.0/users?$skiptoken=a#b", "HTTPS://[::1]:8443/x", "http://a@b/", "https://a\\b/", "https://a/?é x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		got, err := parseTarget(link)
		if err != nil {
			return
		}
		for i := range len(got.uri) {
			if c := got.uri[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
				t.Fatalf("%q holds %q", got.uri, c)
			}
		}
		again, err := parseTarget(got.origin.scheme + "://" + got.origin.authority() + got.uri)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%+v became %+v (%v)", got, again, err)
		}
		if got.url().RequestURI() != got.uri {
			t.Fatalf("net/http would send %q for %q", got.url().RequestURI(), got.uri)
		}
	})
}
