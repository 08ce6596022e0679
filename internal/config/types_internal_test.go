package config

import "testing"

// TestProtoyamlReadsRewrittenValues: text is read alike wherever it stands. The words and numbers that flags know, in the form that protoyaml
// knows; an empty want is no value.
func TestProtoyamlReadsRewrittenValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s          settingSpec
		text, want string
	}{
		{settingSpec{kind: boolType}, "YES", "true"},
		{settingSpec{kind: boolType}, "0", "false"},
		{settingSpec{kind: boolType}, "on", ""},
		{settingSpec{kind: intType}, "0x1F", "31"},
		{settingSpec{kind: intType}, "-5", "-5"},
		{settingSpec{kind: intType}, "9223372036854775808", ""},
		{settingSpec{kind: intType}, "1.0", ""},
		{settingSpec{kind: floatType}, "0.125", "0.125"},
		{settingSpec{kind: floatType}, "1/8", ""},
		{settingSpec{kind: durationType}, "1.5h", "1h30m0s"},
		{settingSpec{kind: durationType}, "0", "0s"},
		{settingSpec{kind: durationType}, "300000h", "300000h0m0s"},
		{settingSpec{kind: durationType}, "3000000h", ""},
		{settingSpec{kind: durationType}, "1d", ""},
		{settingSpec{}, "yes", "yes"},
	} {
		have, ok := c.s.forProtoyaml(c.text)
		if ok != (c.want != "") || ok && have != c.want {
			t.Errorf("%v %q: %q, %v, want %q", c.s.kind, c.text, have, ok, c.want)
		}
	}
}
