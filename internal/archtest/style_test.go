package archtest_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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
				t.Errorf("%s: %s has no comment", s.at(d), name)
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
					t.Errorf("%s: %s: say what was being done and with what, as in \"open store: ...\"", s.at(lit), lit.Value)
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

// sleepers are tests that sleep although they cannot have a clock of their own, and why.
var sleepers = map[string]string{
	"cmd/sluice/script_test.go":      "a process that the script started is not listening yet",
	"cmd/sluice/serve_fleet_test.go": "a database is away for that long",
}

// A test may sleep if testing/synctest provides its clock. The tests of e2e wait for real clusters.
func TestNoSleepingWhereAnEventCanBeHad(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.path, "e2e/") || sleepers[s.path] != "" || s.isTest() && s.imports()["synctest"] != "" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok && written(x) == "time.Sleep" {
				t.Errorf("%s: time.Sleep: wait for an event, or use testing/synctest", s.at(x))
			}
			return true
		})
	}
}

func TestNoElseAfterAReturn(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			i, ok := n.(*ast.IfStmt)
			if !ok || i.Else == nil || len(i.Body.List) == 0 || !s.ships() {
				return true
			}
			switch i.Body.List[len(i.Body.List)-1].(type) {
			case *ast.ReturnStmt, *ast.BranchStmt:
				t.Errorf("%s: the else is not needed: what stands before it returns", s.at(i.Else))
			}
			return true
		})
	}
}

func TestOnlyMainEndsTheProgram(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok && written(x) == "os.Exit" && s.file.Name.Name != "main" && !s.isTest() {
				t.Errorf("%s: os.Exit: return an error", s.at(x))
			}
			return true
		})
	}
}

var testLibraries = regexp.MustCompile(`testify|gomega|ginkgo|gomock|mockery|go\.uber\.org/mock`)

func TestTestsUseTestingAndGoCmp(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.file.Imports {
			if testLibraries.MatchString(i.Path.Value) {
				t.Errorf("%s imports %s: tests use testing and go-cmp", s.at(i), i.Path.Value)
			}
		}
	}
}
