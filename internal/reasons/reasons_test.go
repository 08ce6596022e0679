package reasons_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
)

func TestText(t *testing.T) {
	t.Parallel()
	if got := reasons.Text(parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED); got != "GRAPH_THROTTLED" {
		t.Errorf("reason %q", got)
	}
	if got := reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_RESTARTED); got != "RESTARTED" {
		t.Errorf("code %q", got)
	}
	if reasons.Text(0) != "" || reasons.Code(0) != "" {
		t.Error("the unspecified values have a text")
	}
	for number := range parleyv1.ErrorReason_name {
		if value := parleyv1.ErrorReason(number); reasons.Parse(reasons.Text(value)) != value {
			t.Errorf("%v is read as %v", value, reasons.Parse(reasons.Text(value)))
		}
	}
	for _, text := range []string{"", "UNSPECIFIED_", "graph_throttled", "ERROR_REASON_INTERNAL"} {
		if got := reasons.Parse(text); got != 0 {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// TestEveryValueIsSent holds the contract's lists against the product's code: every value of ErrorReason and NoticeCode is used
// by production code outside the table of errors, and no code spells a value out as a string.
func TestEveryValueIsSent(t *testing.T) {
	t.Parallel()
	const root = "../.."
	values, used := map[string]string{}, map[string]bool{} // by the text of a value: the Go name of its constant
	for number, name := range parleyv1.ErrorReason_name {
		values[reasons.Text(parleyv1.ErrorReason(number))] = "ErrorReason_" + name
	}
	for number, name := range parleyv1.NoticeCode_name {
		values[reasons.Code(parleyv1.NoticeCode(number))] = "NoticeCode_" + name
	}
	delete(values, "")
	other := []string{"bench", "clients", "gen", "graphsim", "tools", "export"} // not the gateway's own code
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir():
			inner, _ := filepath.Rel(root, path)
			if slices.Contains(other, inner) || strings.HasPrefix(name, ".") && path != root {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for node := range ast.Preorder(file) {
			switch node := node.(type) {
			case *ast.SelectorExpr:
				if name, ok := strings.CutPrefix(node.Sel.Name, "ErrorReason_ERROR_REASON_"); ok && !strings.HasSuffix(path, tableFile) {
					used[name] = true
				}
				if name, ok := strings.CutPrefix(node.Sel.Name, "NoticeCode_NOTICE_CODE_"); ok {
					used[name] = true
				}
			case *ast.BasicLit:
				literal, err := strconv.Unquote(node.Value)
				if node.Kind == token.STRING && err == nil && values[literal] != "" {
					t.Errorf("%s spells %q out: use %s", path, literal, values[literal])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were read", files)
	}
	for text, name := range values {
		if !used[text] {
			t.Errorf("%s is never sent", name)
		}
	}
}

// tableFile ends the path of the table of errors, which lists every reason.
const tableFile = "server/apierror/table.go"
