package archtest_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// agentShim runs a pod's program with its own streams, agentRun speaks with the watchdog and has a log, and
// kustomize/render.go silences a library.
const (
	agentRun  = "internal/local/agent/run.go"
	agentShim = "internal/local/agent/shim.go"
)

// edges are functions and files that secrets or hostile text could pass, and the only files that may use them.
var edges = map[string][]string{
	"os.Stdout":           {"cmd/sluice/main.go", agentRun, agentShim},
	"os.Stderr":           {"cmd/sluice/main.go", agentRun, agentShim, "internal/manifest/kustomize/render.go"},
	"fmt.Print":           {},
	"fmt.Printf":          {},
	"fmt.Println":         {},
	"sqlite.Open":         {"internal/bootstrap/state.go"},
	"sqlite.OpenReadOnly": {"internal/bootstrap/state.go"},
	"postgres.Open":       {"internal/bootstrap/state.go"},
	"keyfile.Open":        {"internal/bootstrap/key.go"},
	"keyfile.Put":         {"internal/bootstrap/key.go"},
	"secret.NewKey":       {"internal/keyfile/keyfile.go"},
	"engine.New":          {"internal/bootstrap/owner.go"},
	"present.Styled":      {},
}

// TestTextLeavesByTheEdges: the store and the streams are only reached through what redacts.
func TestTextLeavesByTheEdges(t *testing.T) {
	for _, s := range sources(t) {
		if !s.ships() || testsOnly[s.dir()] {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			x, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if files, edge := edges[written(x)]; edge && !slices.Contains(files, s.path) {
				t.Errorf("%s: %s belongs in %q, where what leaves is redacted", s.at(x), written(x), files)
			}
			return true
		})
	}
}

// raw are the functions of commands that write to a stream without present, and why.
var raw = map[string]string{
	"podLogs":         "a file or a pipe gets what the pod wrote",
	"template":        "it writes a text of ours",
	"newSchema":       "it writes a text of ours",
	"newLocalStandIn": "it runs in place of a pod's program",
	"newRoot":         "cobra only writes our help",
}

// TestCommandsPrintThroughPresent: internal/present escapes what it prints, so a command hands its streams to nobody
// else.
func TestCommandsPrintThroughPresent(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.dir() != "cmd/sluice" {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && raw[f.Name.Name] == "" {
				checkStreams(t, s, f)
			}
		}
	}
}

// checkStreams reports every use of a stream but as an argument of a function of present, or of our own.
func checkStreams(t *testing.T, s source, f *ast.FuncDecl) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if x, ok := call.Fun.(*ast.SelectorExpr); ok && isStream(x.X) {
			t.Errorf("%s: print with internal/present, which escapes what it is given", s.at(call))
		}
		if by := callee(call); strings.HasPrefix(by, "present.") || by == "a.lineView" {
			return true
		}
		for _, arg := range call.Args {
			if isStream(arg) {
				t.Errorf("%s: %s prints what may be hostile: use internal/present", s.at(call), callee(call))
			}
		}
		return true
	})
}

// isStream reports whether the expression is a stream of the application.
func isStream(e ast.Expr) bool {
	x, ok := e.(*ast.SelectorExpr)
	return ok && (written(x) == "a.out" || written(x) == "a.err")
}

func callee(call *ast.CallExpr) string {
	if x, ok := call.Fun.(*ast.SelectorExpr); ok {
		return written(x)
	}
	return ""
}
