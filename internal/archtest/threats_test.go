package archtest_test

import (
	"go/ast"
	"os"
	"regexp"
	"testing"
)

// TestThreatsHaveTests: the tests that docs/security.md names are there.
func TestThreatsHaveTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.isTest() {
				there[f.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) == 0 {
		t.Error("no test is named")
	}
	for _, n := range named {
		if !there[n[1]] {
			t.Errorf("there is no test %s", n[1])
		}
	}
}
