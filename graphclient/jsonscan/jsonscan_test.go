package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// seeds are values at the edges of the grammar, right and wrong.
var seeds = []string{
	``, ` `, `{}`, `[]`, `null`, `true`, `false`, `nul`, `truefalse`, `0`, `-0`, `00`, `01`, `-`, `1.`, `.5`, `1.5e+10`, `1e`, `1E-2`, `+1`,
	`""`, `"a"`, `"a`, `"\u00e4\n\/\"\\"`, `"\u12"`, `"\x"`, `"\`, "\"\x1f\"", "\"\x7f\xff\"", `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`,
	`"aaaaaaa\"bbbbbbbbbbbbb"`, "\"aaaaaaaaaaaaaaaaaaa\n\"", `"ääääääääääääääää"`, `"😀"`,
	`{"a":1}`, `{"a":1,}`, `{"a"}`, `{a:1}`, `{"a":[1,2,{"b":null}],"a":"x"}`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, "\t{ \"a\" : [ 1 , 2 ] }\r\n", `{}{}`, `{} x`,
	`{"a":` + strings.Repeat("[", 150) + strings.Repeat("]", 150) + `}`,
}

// whole reads b as one value with white space around it.
func whole(b []byte) bool {
	end, ok := jsonscan.Skip(b, jsonscan.Space(b, 0), 0)
	return ok && jsonscan.Space(b, end) == len(b)
}

func TestSkip(t *testing.T) {
	t.Parallel()
	for _, text := range seeds {
		if got, want := whole([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if whole([]byte(deep)) {
		t.Error("the depth is not bounded")
	}
}

func FuzzSkip(f *testing.F) {
	for _, text := range seeds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		deep := bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > jsonscan.MaxDepth
		if got, want := whole(b), json.Valid(b); got != want && (got || !deep) {
			t.Fatalf("%q: %v, want %v", b, got, want)
		}
	})
}

// FuzzString compares each literal with encoding/json and jsontext: what is unquoted is what they say, and what is refused
// is broken.
func FuzzString(f *testing.F) {
	for _, text := range seeds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end, form, ok := jsonscan.String(b, 0)
		if !ok {
			if len(b) > 0 && b[0] == '"' && json.Valid(b) {
				t.Fatalf("%q is a string", b)
			}
			return
		}
		literal := b[:end]
		var want string
		if err := json.Unmarshal(literal, &want); err != nil {
			t.Fatalf("%q: %v", literal, err)
		}
		exact, broken := jsontext.AppendUnquote(nil, literal)
		got, ok := jsonscan.AppendUnquoted([]byte("x"), literal[1:end-1])
		switch {
		case ok != (broken == nil):
			t.Fatalf("%q: %v, but %v", literal, ok, broken)
		case !ok && string(got) != "x":
			t.Fatalf("%q: %q is left", literal, got)
		case ok && (string(got) != "x"+want || want != string(exact)):
			t.Fatalf("%q: %q, want %q", literal, got, want)
		case ok && form == 0 && string(literal[1:end-1]) != want:
			t.Fatalf("%q is not plain", literal)
		case ok && form&jsonscan.High == 0 && form&jsonscan.Escapes == 0 && utf8.RuneCount(literal) != len(literal):
			t.Fatalf("%q is not ASCII", literal)
		}
	})
}

func BenchmarkSkip(b *testing.B) {
	record := []byte(`{"id":"1764000000000","from":{"user":{"displayName":"Ada"}},"body":{"content":"` + strings.Repeat(`<p>a line of text \"here\"</p>`, 50) + `"},"n":[1,2,3.5]}`)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if !whole(record) {
			b.Fatal("refused")
		}
	}
}
