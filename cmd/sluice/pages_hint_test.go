package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	typed = regexp.MustCompile(`: (sluice [^;,()\n]*)`)
	verb  = regexp.MustCompile(`%(\[\d+\])?[a-z]`)
	named = regexp.MustCompile(`\bsluice ([a-z][a-z-]+)`)
)

// notCommands are the words that follow "sluice" in texts of the program without being commands.
var notCommands = strings.Fields(`callback dbname derived holds in itself leases listener makes names password printed
	runs seal server that was`)

// Every command that a message of Sluice tells people to type exists, with its flags.
func TestHintsNameCommandsThatExist(t *testing.T) {
	found := 0
	eachText(t, func(path, text string) {
		for _, hint := range firstGroups(typed, text) {
			found++
			for _, c := range commandLines([]string{verb.ReplaceAllString(hint, "x")}, "sluice") {
				if problem := problem(c.args, true); problem != "" {
					t.Errorf("%s: %s: %s", path, hint, problem)
				}
			}
		}
	})
	if found == 0 {
		t.Error("there is no hint")
	}
}

// Every command that a text names in a sentence exists too.
func TestTextsNameCommandsThatExist(t *testing.T) {
	known := slices.Clone(notCommands)
	for _, c := range newRoot(&app{}).Commands() {
		known = append(known, c.Name())
	}
	found := 0
	eachText(t, func(path, text string) {
		for _, name := range firstGroups(named, text) {
			if found++; !slices.Contains(known, name) {
				t.Errorf("%s: there is no command sluice %s: %s", path, name, text)
			}
		}
	})
	if found == 0 {
		t.Error("no text names a command")
	}
}

// eachText calls use with every text in the program.
func eachText(t *testing.T, use func(path, text string)) {
	t.Helper()
	for _, dir := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, _ := strconv.Unquote(lit.Value) // the parser has read it
					use(path, text)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
