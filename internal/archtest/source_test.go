package archtest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Budgets of a file and a function, in lines, and of a signature.
const (
	maxFile       = 600
	maxFunction   = 100
	maxParameters = 5
	maxMethods    = 5
)

// largeInterfaces are those with more methods than the budget, and why.
var largeInterfaces = map[string]string{}

type source struct {
	path string
	file *ast.File
	fset *token.FileSet
	text string
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == ".sluice" || d.Name() == ".cluster" || d.Name() == "bin") {
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
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

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
	begin, end := s.fset.Position(f.Pos()).Line, s.fset.Position(f.End()).Line
	if n := end - begin + 1; n > maxFunction {
		t.Errorf("%s:%d: %s has %d lines, more than %d", s.path, begin, f.Name.Name, n, maxFunction)
	}
	if n := f.Type.Params.NumFields(); n > maxParameters {
		t.Errorf("%s:%d: %s takes %d parameters, more than %d", s.path, begin, f.Name.Name, n, maxParameters)
	}
}

func TestInterfacesStaySmall(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			i, ok := spec.Type.(*ast.InterfaceType)
			if ok && i.Methods.NumFields() > maxMethods && largeInterfaces[spec.Name.Name] == "" {
				t.Errorf("%s: interface %s has %d methods, more than %d", s.path, spec.Name.Name, i.Methods.NumFields(), maxMethods)
			}
			return true
		})
	}
}

var vague = regexp.MustCompile(`(^|/)(utils?|common|helpers?|misc|types|models|shared)$`)

func TestPackagesAreNamedAndDocumented(t *testing.T) {
	docs := map[string]int{}
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		dir := filepath.Dir(s.path)
		docs[dir] += 0
		if s.file.Doc != nil {
			docs[dir]++
		}
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments, not 1", dir, n)
		}
		if vague.MatchString(dir) {
			t.Errorf("%s: a package is named after what it is, not after what it lacks", dir)
		}
	}
}

func TestExportedNamesStateTheirContract(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s:%d: %s has no comment", s.path, s.fset.Position(d.Pos()).Line, name)
			}
		}
	}
}

func undocumented(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && isExportedReceiver(d) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		return undocumentedSpecs(d)
	}
	return nil
}

func undocumentedSpecs(d *ast.GenDecl) []string {
	var names []string
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && d.Doc == nil {
				names = append(names, spec.Name.Name)
			}
		case *ast.ValueSpec:
			if spec.Names[0].IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
				names = append(names, spec.Names[0].Name)
			}
		}
	}
	return names
}

func isExportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	return ast.IsExported(strings.TrimLeft(fmt.Sprint(receiver(f.Recv.List[0].Type)), "*"))
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

var banal = regexp.MustCompile(`^"(failed to|unable to|error) `)

func TestErrorsSayWhatWentWrong(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !strings.HasPrefix(called(call), "Errorf") && called(call) != "New" {
				return true // such as the text of others, which is looked for
			}
			for _, a := range call.Args {
				if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING && banal.MatchString(lit.Value) {
					t.Errorf("%s:%d: %s: say what was being done and with what, as in \"open store: ...\"", s.path, s.fset.Position(lit.Pos()).Line, lit.Value)
				}
			}
			return true
		})
	}
}

// called returns the name of the function that is called, without its package.
func called(call *ast.CallExpr) string {
	if s, ok := call.Fun.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

func TestNoSleepingWhereAnEventCanBeHad(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || strings.HasPrefix(s.path, "examples/") || strings.HasPrefix(s.path, "e2e/") {
			continue
		}
		if i := strings.Index(s.text, "time.Sleep("); i >= 0 {
			t.Errorf("%s:%d: time.Sleep", s.path, 1+strings.Count(s.text[:i], "\n"))
		}
	}
}
