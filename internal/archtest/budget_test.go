package archtest_test

import (
	"go/ast"
	"strings"
	"testing"
	"unicode/utf8"
)

// Budgets of files, functions and lines. Most functions are at most usualFunction lines long.
const (
	maxFile       = 600
	maxFunction   = 100
	usualFunction = 15
	maxParameters = 5
	maxColumns    = 120
)

func TestFilesAndFunctionsKeepTheirBudgets(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		if n := strings.Count(s.text, "\n"); n > maxFile {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				checkFunction(t, s, f)
			}
		}
	}
}

func checkFunction(t *testing.T, s source, f *ast.FuncDecl) {
	if n := s.lines(f); n > maxFunction {
		t.Errorf("%s: %s has %d lines, more than %d", s.at(f), f.Name.Name, n, maxFunction)
	}
	if n := f.Type.Params.NumFields(); n > maxParameters {
		t.Errorf("%s: %s takes %d parameters, more than %d", s.at(f), f.Name.Name, n, maxParameters)
	}
}

func (s source) lines(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

func TestMostFunctionsAreShort(t *testing.T) {
	all, short := 0, 0
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.ships() {
				all++
				if s.lines(f) <= usualFunction {
					short++
				}
			}
		}
	}
	if all == 0 || short*100/all < 70 {
		t.Errorf("%d of %d functions have at most %d lines, fewer than 70 %%", short, all, usualFunction)
	}
}

func TestLinesFitTheScreen(t *testing.T) {
	for _, s := range sources(t) {
		number := 0
		for line := range strings.Lines(s.text) {
			number++
			n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))
			if n > maxColumns {
				t.Errorf("%s:%d has %d columns, more than %d", s.path, number, n, maxColumns)
			}
		}
	}
}
