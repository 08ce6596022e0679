package timeline

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestReasonsTravel is of the kind "a gap says why, also across a resume": every reason but those of errors that no source has is
// one that a cursor can carry, and comes out of it as it went in.
func TestReasonsTravel(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "failure/failure.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	never := []string{"ReasonInvalidArgument", "ReasonTokenRefused", "ReasonConcealed"}
	found := 0
	for spec := range ast.Preorder(file) {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || len(value.Values) != 1 || !strings.HasPrefix(value.Names[0].Name, "Reason") || slices.Contains(never, value.Names[0].Name) {
			continue
		}
		literal, ok := value.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is no literal", value.Names[0])
		}
		reason, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		var e encoder
		e.reason(reason)
		d := decoder{data: e}
		if got := d.reason(); got != reason || d.broken {
			t.Errorf("%s comes out of a cursor as %q", reason, got)
		}
	}
	if found < 20 {
		t.Errorf("only %d reasons were found", found)
	}
}
