package archtest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluice-cd/sluice"

// levels says what a package may import: only packages of lower levels, and level 1 also of level 1. A package that
// is missing here fails the test, so that every new one is placed on purpose.
var levels = map[string]int{
	"": 0,

	"internal/access":      1,
	"internal/analysis":    1,
	"internal/appending":   1,
	"internal/numbered":    1,
	"internal/compose":     1,
	"internal/config":      1,
	"internal/deployfile":  1,
	"internal/engine":      1,
	"internal/fingerprint": 1,
	"internal/history":     1,
	"internal/manifest":    1,
	"internal/mask":        1,
	"internal/mover":       1,
	"internal/plan":        1,
	"internal/readonly":    1,
	"internal/regular":     1,
	"internal/secret":      1,
	"internal/starter":     1,
	"internal/template":    1,
	"internal/upgrade":     1,

	"internal/beside":           2,
	"internal/database/mongodb": 2,
	"internal/database/remote":  2,
	"internal/dataset":          2,
	"internal/fetch":            2,
	"internal/identity":         2,
	"internal/inbound":          2,
	"internal/keyfile":          2,
	"internal/kubernetes":       2,
	"internal/local":            2,
	"internal/login":            2,
	"internal/mover/csi":        2,
	"internal/mover/kopia":      2,
	"internal/mover/portworx":   2,
	"internal/mover/remote":     2,
	"internal/notify":           2,
	"internal/outbound":         2,
	"internal/postgres":         2,
	"internal/prometheus":       2,
	"internal/present":          2,
	"internal/service":          2,
	"internal/sqlite":           2,
	"internal/status":           2,
	"internal/step":             2,

	"internal/server":    3,
	"internal/telemetry": 3,

	"internal/api":   4,
	"internal/pages": 4,

	"internal/bootstrap": 5,

	"cmd/sluice": 6,
}

// commandMayImport are the packages between level 1 and bootstrap that the command line may import. The two of the
// local account are the main functions of processes that it starts; api has the client of a server, and login is the
// side of a person who calls one.
var commandMayImport = map[string]bool{
	"internal/api": true, "internal/login": true, "internal/present": true, "internal/service": true,
	"internal/local": true, "internal/local/standin": true,
}

// shared are packages of level 2 that others of level 2 may import. Steps act on data through dataset, and so will
// everything else that acts on data. What works beside the data of a cluster does it through beside. Everybody who
// calls a server of others follows the rules in outbound. What answers over HTTP has the statuses of status.
var shared = map[string]bool{
	"internal/beside": true, "internal/dataset": true, "internal/outbound": true, "internal/status": true,
}

// adapters talk to the world. Only internal/bootstrap and tests import them.
var adapters = []string{
	"internal/database/mongodb", "internal/database/remote", "internal/fetch", "internal/inbound",
	"internal/identity", "internal/keyfile", "internal/kubernetes", "internal/local", "internal/login",
	"internal/mover/csi", "internal/mover/kopia", "internal/mover/portworx",
	"internal/mover/remote", "internal/notify", "internal/postgres", "internal/prometheus", "internal/sqlite",
}

// testsOnly are packages that may import anything. Nothing that ships may import them.
var testsOnly = map[string]bool{
	"internal/accounttest": true,
	"internal/archtest":    true, "internal/benchtable": true, "internal/besidetest": true,
	"internal/databasetest": true, "internal/datatest": true,
	"internal/enginetest": true, "internal/faulttest": true, "internal/identitytest": true, "internal/movertest": true,
	"internal/oci":      true,
	"internal/picture":  true,
	"internal/plantest": true, "internal/postgrestest": true,
	"internal/steptest": true, "internal/storetest": true, "internal/sweeptest": true,
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func local(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestPackagesImportOnlyFromLevelsAboveTheirOwn(t *testing.T) {
	for _, p := range packages(t, "./...") {
		name, _ := local(p.ImportPath)
		if testsOnly[name] {
			continue
		}
		level, placed := levelOf(name)
		if !placed {
			t.Errorf("package %s has no level: add it to the table in this test and to ARCHITECTURE.md", name)
			continue
		}
		for _, imported := range p.Imports {
			checkImport(t, name, level, imported)
		}
	}
}

func checkImport(t *testing.T, name string, level int, imported string) {
	other, ours := local(imported)
	if !ours {
		if level == 0 && strings.Contains(imported, ".") {
			t.Errorf("the root imports %s: it imports the standard library only, so that every package can import it", imported)
		}
		return
	}
	if testsOnly[other] {
		t.Errorf("%s imports %s, which is for tests", name, other)
	}
	theirs, _ := levelOf(other)
	if name == "cmd/sluice" && theirs >= 2 && theirs < levels["internal/bootstrap"] && !commandMayImport[other] {
		t.Errorf("cmd/sluice imports %s: use internal/service, or let internal/bootstrap open it", other)
	}
	ourFamily, _ := familyOf(name)
	theirFamily, _ := familyOf(other)
	if theirs > level || theirs == level && level >= 2 && ourFamily != theirFamily && !shared[theirFamily] {
		t.Errorf("%s (level %d) imports %s (level %d)", name, level, other, theirs)
	}
	mayWire := ourFamily == "internal/bootstrap" || ourFamily == "cmd/sluice" // see commandMayImport
	if slices.Contains(adapters, theirFamily) && ourFamily != theirFamily && !mayWire {
		t.Errorf("%s imports the adapter %s: only internal/bootstrap opens adapters", name, other)
	}
}

func levelOf(name string) (int, bool) {
	family, placed := familyOf(name)
	return levels[family], placed
}

// familyOf places a package below another one, such as internal/local/proxy, with it.
func familyOf(name string) (family string, placed bool) {
	for rest := name; ; rest = rest[:max(0, strings.LastIndex(rest, "/"))] {
		if _, ok := levels[rest]; ok && (rest != "" || name == "") {
			return rest, true
		}
		if rest == "" {
			return name, false
		}
	}
}

// banned maps what must not be in the binary to the reason.
var banned = map[string]string{
	"testing":                       "test helpers belong in the packages for tests",
	"github.com/google/go-cmp/cmp":  "it is for tests",
	"k8s.io/client-go/kubernetes":   "client-go belongs in internal/kubernetes alone",
	"github.com/stretchr/testify":   "tests use testing and go-cmp",
	"gopkg.in/yaml.v2":              "one YAML library is enough",
	"github.com/FerretDB/FerretDB":  "servers are started by tests and examples, not linked",
	"github.com/sluice-cd/examples": "the product does not know its examples",
}

func TestBinaryHoldsNothingBanned(t *testing.T) {
	for _, p := range packages(t, "./cmd/sluice") {
		for _, dep := range p.Deps {
			if why, ok := banned[dep]; ok {
				t.Errorf("cmd/sluice contains %s: %s", dep, why)
			}
		}
	}
}

// A package below another one, such as internal/local/proxy, goes without being named.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages(t, "./...") {
		name, _ := local(p.ImportPath)
		if family, _ := familyOf(name); !testsOnly[name] {
			name = family
		}
		if short := strings.TrimPrefix(name, "internal/"); short != "" && !strings.Contains(string(page), "`"+short+"`") {
			t.Errorf("ARCHITECTURE.md does not name %s", short)
		}
	}
}
