package deployfile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/diagnostics.md has one row for every code of the packages that read what users write.
func TestCodesAreDocumented(t *testing.T) {
	var want []string
	for _, file := range []string{"codes.go", "../manifest/codes.go", "../manifest/yamldoc/codes.go", "../plan/codes.go",
		"../compose/codes.go", "../config/codes.go", "../manifest/schema/codes.go", "../engine/codes.go",
		"../service/codes.go"} {
		want = append(want, codesIn(t, file)...)
	}
	doc, err := os.ReadFile("../../docs/diagnostics.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| .+ \\|$").FindAllSubmatch(doc, -1) {
		got = append(got, string(m[1]))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes in the source (-) and rows in docs/diagnostics.md (+) differ:\n%s", diff)
	}
}

func codesIn(t *testing.T, file string) []string {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			code, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	return codes
}
