package graphmap

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzUnescape compares with the library's own function, for every literal that its decoder takes.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{`a\"\\\/\b\f\n\r\té`, `\ud83d\ude00`, `\ud800`, `\ud800\ud800\udc00`, `\udc00\u0041`, "\xff\xc3\xa9\xed\xa0\x80", `\uD83Dx`, `\u0000`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, inner string) {
		literal := jsontext.Value(`"` + inner + `"`)
		if !literal.IsValid(jsontext.AllowInvalidUTF8(true)) || literal.Kind() != '"' {
			return
		}
		want, _ := jsontext.AppendUnquote(nil, []byte(literal)) // the error says that characters were replaced
		if got := unescape(nil, []byte(inner)); !bytes.Equal(got, want) {
			t.Errorf("%q reads %q, want %q", inner, got, want)
		}
	})
}
