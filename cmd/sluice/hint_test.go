package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notCommands are the words that follow "sluice" in texts of the program without being commands.
var notCommands = strings.Fields(`callback dbname derived holds in itself leases listener makes names password printed
	runs seal server that was`)

// Hints and errors name only commands that exist.
func TestTextsNameCommandsThatExist(t *testing.T) {
	known := slices.Clone(notCommands)
	for _, c := range newRoot(&app{}).Commands() {
		known = append(known, c.Name())
	}
	command := regexp.MustCompile(`\bsluice ([a-z][a-z-]+)`)
	named := 0
	for _, root := range []string{".", filepath.Join("..", "..", "internal")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				text, ok := n.(*ast.BasicLit)
				if !ok || text.Kind != token.STRING {
					return true
				}
				for _, found := range command.FindAllStringSubmatch(text.Value, -1) {
					if named++; !slices.Contains(known, found[1]) {
						t.Errorf("%s: there is no command %q: %s", path, found[0], text.Value)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if named == 0 {
		t.Error("no text names a command")
	}
}
