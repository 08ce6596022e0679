package config

import "testing"

// TestProtoyamlReadsRewrittenValues is of the kind "text is read alike wherever it stands": the words and numbers that flags know, in the form that protoyaml
// knows; an empty want is no value.
func TestProtoyamlReadsRewrittenValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s          setting
		text, want string
	}{
		{setting{kind: boolType}, "YES", "true"},
		{setting{kind: boolType}, "0", "false"},
		{setting{kind: boolType}, "on", ""},
		{setting{kind: intType}, "0x1F", "31"},
		{setting{kind: intType}, "-5", "-5"},
		{setting{kind: intType}, "9223372036854775808", ""},
		{setting{kind: intType}, "1.0", ""},
		{setting{kind: floatType}, "0.125", "0.125"},
		{setting{kind: floatType}, "1/8", ""},
		{setting{kind: durationType}, "1.5h", "1h30m0s"},
		{setting{kind: durationType}, "0", "0s"},
		{setting{kind: durationType}, "300000h", "300000h0m0s"},
		{setting{kind: durationType}, "3000000h", ""},
		{setting{kind: durationType}, "1d", ""},
		{setting{}, "yes", "yes"},
	} {
		have, ok := c.s.forProtoyaml(c.text)
		if ok != (c.want != "") || ok && have != c.want {
			t.Errorf("%v %q: %q, %v, want %q", c.s.kind, c.text, have, ok, c.want)
		}
	}
}
