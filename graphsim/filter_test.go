package graphsim //nolint:testpackage // the parser is not exported

import (
	"errors"
	"strings"
	"testing"
)

func (n *node) String() string {
	switch n.op {
	case "and", "or":
		return "(" + n.left.String() + " " + n.op + " " + n.right.String() + ")"
	case "any":
		return n.path + "/any(" + n.left.String() + ")"
	default:
		return n.path + " " + n.op + " '" + n.text + "'"
	}
}

func TestParseFilter(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a eq 'x'":                          "a eq 'x'",
		"a eq 'it''s' or b ne 2":            "(a eq 'it's' or b ne '2')",
		"a eq 'x' or b eq 'y' and c eq 'z'": "(a eq 'x' or (b eq 'y' and c eq 'z'))",
		"(a eq 'x' or b eq 'y') and C/D gt 2026-01-01T00:00:00Z": "((a eq 'x' or b eq 'y') and c/d gt '2026-01-01T00:00:00Z')",
		"participants_v2/any(p:p/id eq '1')":                     "participants_v2/any(id eq '1')",
		"members/any( o : o/displayname EQ 'P' )":                "members/any(displayname eq 'P')",
	} {
		n, err := parseFilter(in)
		if err != nil || n.String() != want {
			t.Errorf("%s: %v, %v", in, n, err)
		}
	}
	for _, in := range []string{
		"", "a", "a eq", "a eq 'x", "a xx 'x'", "(a eq 'x'", "a eq 'x')", "a eq 'x' b", "and", "c/any(p:q/id eq 'x')", "c/any(p:p/d/any(e:e/f eq '1'))",
		"c/any(p p/id eq 'x')", strings.Repeat("(", 40) + "a eq 'x'" + strings.Repeat(")", 40), strings.Repeat("a", maxFilter+1),
	} {
		if n, err := parseFilter(in); !errors.Is(err, errFilter) {
			t.Errorf("%q: %v, %v", in, n, err)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{
		"lastModifiedDateTime gt 2026-01-01T00:00:00Z and lastModifiedDateTime lt 2026-01-02T00:00:00.5Z", "from/user/id eq 'x' or (messageType ne 'systemEventMessage')",
		"participants_v2/any(p:p/id eq 'x')", "a eq 'it''s'", "((", "a eq 'x' or", "\x00 eq é",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseFilter(s)
		if err != nil {
			if n != nil || !errors.Is(err, errFilter) {
				t.Errorf("%v, %v", n, err)
			}
			return
		}
		leaves := 0
		n.each(func(leaf *node) {
			leaves++
			if leaf.path == "" || (leaf.op == "any") != (leaf.left != nil) {
				t.Errorf("leaf %+v", leaf)
			}
		})
		if leaves == 0 || len(n.conjuncts()) > leaves {
			t.Errorf("%d leaves", leaves)
		}
		n.holds(func(*node) bool { return true })
	})
}

func FuzzSplitPath(f *testing.F) {
	for _, s := range []string{"users('x')/chats", "users/19%3Aa%40b/chats", "f(period='D7',version=@v)", "users(')", "%zz", "a('b''c')"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		segments, _, g := splitPath(s)
		if g == nil && len(segments) == 0 {
			t.Error("no segment and no error")
		}
	})
}
