package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

type source struct {
	path string
	file *ast.File
	fset *token.FileSet
	text string
}

// skipped are directories that hold no source of ours.
var skipped = []string{"testdata", ".git", ".sluice", ".cluster", "bin"}

var parsed = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains(skipped, d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, text, parser.ParseComments)
		all = append(all, source{strings.TrimPrefix(path, "../../"), file, fset, string(text)})
		return err
	})
	return all, err
})

// sources returns every Go file of the repository, those of e2e and the examples included.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// ships reports whether the file is part of the program: no test, measurement, example or package.
func (s source) ships() bool {
	return !s.isTest() && !strings.HasPrefix(s.path, "e2e/") && !strings.HasPrefix(s.path, "examples/") &&
		!strings.HasPrefix(s.path, "packaging/")
}

// dir is the package's directory below the module, "" for the root.
func (s source) dir() string { return strings.TrimPrefix(filepath.Dir(s.path), ".") }

// at returns the place of a node.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// imports returns the file's imports by the names that it uses for them.
func (s source) imports() map[string]string {
	all := map[string]string{}
	for _, i := range s.file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		name := filepath.Base(path)
		if name == "v2" || name == "v3" {
			name = filepath.Base(filepath.Dir(path))
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		all[name] = path
	}
	return all
}
