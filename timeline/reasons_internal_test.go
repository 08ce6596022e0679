package timeline

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestReasonsTravel is of the kind "a gap says why, also across a resume": every reason that this package names, but those of
// errors that no source has, is one that a cursor can carry, and comes out of it as it went in.
func TestReasonsTravel(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.go", "failure/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	never := []string{"INVALID_ARGUMENT", "TOKEN_REFUSED", "IDENTITIES_CONCEALED"}
	found := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || path == "cursor.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(file) {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			name, ok := strings.CutPrefix(selector.Sel.Name, "ErrorReason_")
			if !ok || slices.Contains(never, strings.TrimPrefix(name, "ERROR_REASON_")) {
				continue
			}
			found[name] = true
		}
	}
	for name := range found {
		reason := parleyv1.ErrorReason(parleyv1.ErrorReason_value[name])
		var e encoder
		e.reason(reason)
		d := decoder{data: e}
		if got := d.reason(); got != reason || d.broken {
			t.Errorf("%s comes out of a cursor as %v", name, got)
		}
	}
	if len(found) < 20 {
		t.Errorf("only %d reasons were found", len(found))
	}
}
