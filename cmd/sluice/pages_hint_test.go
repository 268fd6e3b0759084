package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	typed = regexp.MustCompile(`: (sluice [^;,()\n]*)`)
	verb  = regexp.MustCompile(`%(\[\d+\])?[a-z]`)
)

// Every command that a message of Sluice tells people to type exists, with its flags.
func TestHintsNameCommandsThatExist(t *testing.T) {
	found := 0
	for _, dir := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, hint := range hintsOf(t, path) {
				found++
				for _, c := range commandLines([]string{verb.ReplaceAllString(hint, "x")}, "sluice") {
					if problem := problem(c.args, true); problem != "" {
						t.Errorf("%s: %s: %s", path, hint, problem)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("there is no hint")
	}
}

// hintsOf returns the commands to type in the texts of a Go file.
func hintsOf(t *testing.T, path string) (hints []string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value) // the parser has read it
			hints = append(hints, firstGroups(typed, text)...)
		}
		return true
	})
	return hints
}
