package archtest_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// impure is what packages that decide must not use: the clock, randomness, the network and other programs. It maps a
// package to the names that are banned; none means all but those in harmless.
var impure = map[string][]string{
	"time":         {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
	"context":      {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"},
	"crypto/rand":  nil,
	"math/rand":    nil,
	"math/rand/v2": nil,
	"net":          nil,
	"net/http":     nil,
	"os/exec":      nil,
}

// harmless are types in contracts, and functions that only parse.
var harmless = []string{"net.Conn", "net.SplitHostPort", "http.RoundTripper"}

// exempt are files of level 1 that are impure all the same, and why.
var exempt = map[string]string{
	"internal/engine/call.go":   "the runner waits for the next attempt",
	"internal/engine/notice.go": "a message is recorded when it has stood for a while",
	"internal/engine/runner.go": "the runner sleeps until the next decision is due",
	"internal/engine/signal.go": "a sender that waits for an answer checks now and then that a process can give it",
	"internal/engine/watch.go":  "a follower of another process checks now and then that it still runs",
	"internal/mover/limit.go":   "reports at most so many times a second",
	"internal/mover/retry.go":   "waits, with jitter, between attempts",
}

func TestDecisionsReadNoClockRandomnessOrNetwork(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		if level, placed := levelOf(s.dir()); s.isTest() || !placed || level > 1 {
			continue
		}
		imports := s.imports()
		ast.Inspect(s.file, func(n ast.Node) bool {
			x, ok := n.(*ast.SelectorExpr)
			if !ok || !isImpure(imports, x) {
				return true
			}
			used[s.path] = true
			if exempt[s.path] == "" {
				t.Errorf("%s: %s in a package that decides: pass it in, or move it to an adapter", s.at(x), written(x))
			}
			return true
		})
	}
	for path := range exempt {
		if !used[path] {
			t.Errorf("%s is pure now: remove its exception", path)
		}
	}
}

func isImpure(imports map[string]string, x *ast.SelectorExpr) bool {
	banned, listed := impure[imports[strings.Split(written(x), ".")[0]]]
	if !listed || slices.Contains(harmless, written(x)) {
		return false
	}
	return len(banned) == 0 || slices.Contains(banned, x.Sel.Name)
}

// written returns package.Name, or .Name where what stands before the point is not a name.
func written(x *ast.SelectorExpr) string {
	if pkg, ok := x.X.(*ast.Ident); ok {
		return pkg.Name + "." + x.Sel.Name
	}
	return "." + x.Sel.Name
}
