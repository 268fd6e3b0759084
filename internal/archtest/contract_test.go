package archtest_test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// maxMethods bounds an interface, the methods of embedded interfaces included.
const maxMethods = 5

// largeInterfaces are those with more methods, and why.
var largeInterfaces = map[string]string{
	"sluice.Store": "everything that is kept in one database, opened and closed together",
}

// A contract is an exported interface of the root. Its suite says what every implementation does.
type contract struct {
	suite string   // the package, below internal
	by    []string // the packages of the implementations, each of which a test runs the suite over
	none  string   // why there is no suite
}

var contracts = map[string]contract{
	"Log":       {suite: "storetest", by: stores},
	"Catalogue": {suite: "storetest", by: stores},
	"Leases":    {suite: "storetest", by: stores},
	"Lease":     {suite: "storetest", by: stores},
	"Inbox":     {suite: "storetest", by: stores},
	"Tail":      {suite: "storetest", by: stores},
	"Tokens":    {suite: "storetest", by: stores},
	"Audit":     {suite: "storetest", by: stores},
	"Readers":   {suite: "storetest", by: stores},
	"Store":     {suite: "storetest", by: stores},
	"Mover":     {suite: "movertest", by: []string{"internal/mover/kopia", "internal/mover/remote"}},
	"Database":  {suite: "databasetest", by: engines},
	"Databases": {suite: "databasetest", by: engines},
	"Ignorer":   {suite: "databasetest", by: engines},
	"Masker":    {suite: "databasetest", by: engines},
	"Describer": {suite: "databasetest", by: engines},
	"Locker":    {suite: "databasetest", by: engines},
	"Step":      {suite: "steptest", by: []string{"internal/step"}},

	"Migrator": {none: "one implementation, tested in its package over steptest and in e2e/seeddemo over clusters"},
	"Guard":    {none: "one implementation, tested beside every kind of wait in internal/step"},
	"Steps":    {none: "one method that makes steps; steptest makes each step through it"},
	"Metrics":  {none: "one method with one implementation, tested against a server in internal/prometheus"},
	"Secrets":  {none: "one method with one implementation, tested in internal/secret"},
	"Sealer":   {none: "two methods with one implementation, tested in internal/secret"},
	"Reviewer": {none: "only clusters have rights; the tests of internal/kubernetes and e2e/host cover them"},

	"ClusterReader": {suite: "accounttest", by: accounts},
	"ClusterWriter": {suite: "accounttest", by: accounts},
	"Host":          {suite: "accounttest", by: accounts},
	"Network":       {suite: "accounttest", by: accounts},
	"Adopter":       {suite: "accounttest", by: accounts},
	"Shifter":       {suite: "accounttest", by: accounts},
	"Writers":       {suite: "accounttest", by: []string{"internal/kubernetes", "internal/steptest"}},
	"Volumes":       {suite: "accounttest", by: []string{"internal/local"}},

	"Snapshots": {none: "only clusters have them; accounttest runs over them in e2e/account"},
}

// stores keep everything that outlives a process.
var stores = []string{"internal/postgres", "internal/sqlite"}

// engines read databases, here and beside them.
var engines = []string{"internal/database/mongodb", "internal/database/remote"}

// accounts are the accounts and the one of the step tests.
var accounts = []string{"internal/kubernetes", "internal/local", "internal/steptest"}

// An iface is an interface type and the file that declares it.
type iface struct {
	source
	spec *ast.TypeSpec
	*ast.InterfaceType
}

// interfaces returns those of every package by package.Name, such as sluice.Log.
func interfaces(t *testing.T) map[string]iface {
	all := map[string]iface{}
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if i, ok := spec.Type.(*ast.InterfaceType); ok {
					all[packageOf(s)+"."+spec.Name.Name] = iface{s, spec, i}
				}
			}
			return true
		})
	}
	return all
}

// packageOf names the package of a file: sluice for the root, its import path below the module for others.
func packageOf(s source) string {
	if s.dir() == "" {
		return "sluice"
	}
	return s.dir()
}

func TestInterfacesStaySmall(t *testing.T) {
	all := interfaces(t)
	for name, i := range all {
		n := methods(all, i)
		if n > maxMethods && largeInterfaces[name] == "" {
			t.Errorf("%s: interface %s has %d methods, more than %d", i.at(i.spec), name, n, maxMethods)
		}
		if n <= maxMethods && largeInterfaces[name] != "" {
			t.Errorf("interface %s has only %d methods: remove its exception", name, n)
		}
	}
	for name := range largeInterfaces {
		if _, ok := all[name]; !ok {
			t.Errorf("there is no interface %s: remove its exception", name)
		}
	}
}

// methods counts the methods of an interface and of what it embeds. An interface of another module counts as one.
func methods(all map[string]iface, i iface) int {
	n := 0
	for _, field := range i.Methods.List {
		embedded, ok := all[nameOf(i.source, field.Type)]
		switch {
		case len(field.Names) > 0:
			n += len(field.Names)
		case ok:
			n += methods(all, embedded)
		default:
			n++
		}
	}
	return n
}

// nameOf returns package.Name of a type that a file mentions.
func nameOf(s source, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return packageOf(s) + "." + e.Name
	case *ast.SelectorExpr:
		pkg, _, _ := strings.Cut(written(e), ".")
		in, ours := local(s.imports()[pkg])
		if in == "" && ours {
			in = "sluice"
		}
		return in + "." + e.Sel.Name
	}
	return ""
}

// Each method of a contract has a comment, unless the comment of a small interface covers it.
func TestContractsStandOnTheirMethods(t *testing.T) {
	for name, i := range interfaces(t) {
		if _, isContract := exportedOfRoot(name); !isContract {
			continue
		}
		for _, m := range i.Methods.List {
			small := i.Methods.NumFields() <= 2 || len(m.Names) > 0 && m.Names[0].Name == "Close"
			if len(m.Names) > 0 && m.Doc == nil && m.Comment == nil && !small {
				t.Errorf("%s: %s.%s does not state its contract", i.at(m), name, m.Names[0].Name)
			}
		}
	}
}

func exportedOfRoot(name string) (string, bool) {
	short, ok := strings.CutPrefix(name, "sluice.")
	return short, ok && ast.IsExported(short)
}

func TestContractsHaveASuite(t *testing.T) {
	all := interfaces(t)
	for name := range all {
		if short, ok := exportedOfRoot(name); ok && contracts[short].suite == "" && contracts[short].none == "" {
			t.Errorf("contract %s has no conformance suite: name one in this test, or say why it needs none", name)
		}
	}
	for name, c := range contracts {
		if _, ok := all["sluice."+name]; !ok {
			t.Errorf("there is no contract %s: remove it from this test", name)
		}
		for _, implementation := range c.by {
			if !isRun(t, c.suite, implementation) {
				t.Errorf("no test runs internal/%s over %s, which implements %s", c.suite, implementation, name)
			}
		}
	}
}

// isRun reports whether the tests of a package import the suite, or are part of it, and belong to the implementation or
// import it.
func isRun(t *testing.T, suite, implementation string) bool {
	has := map[string]map[string]bool{} // what the tests of each directory are or import
	for _, s := range sources(t) {
		if !s.isTest() {
			continue
		}
		if has[s.dir()] == nil {
			has[s.dir()] = map[string]bool{path.Join(module, s.dir()): true}
		}
		for _, i := range s.file.Imports {
			has[s.dir()][strings.Trim(i.Path.Value, `"`)] = true
		}
	}
	for _, imports := range has {
		if imports[path.Join(module, "internal", suite)] && imports[path.Join(module, implementation)] {
			return true
		}
	}
	return false
}

// A package that asserts that it implements a contract is in the table.
func TestImplementationsAreInTheTable(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR || s.isTest() {
				continue
			}
			v := g.Specs[0].(*ast.ValueSpec)
			if v.Names[0].Name != "_" || v.Type == nil {
				continue
			}
			name, ok := exportedOfRoot(nameOf(s, v.Type))
			if c := contracts[name]; ok && c.suite != "" && !slices.Contains(c.by, s.dir()) && !testsOnly[s.dir()] {
				t.Errorf("%s: %s implements %s: run internal/%s over it and name it in this test", s.at(v), s.dir(), name, c.suite)
			}
		}
	}
}
