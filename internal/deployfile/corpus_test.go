package deployfile_test

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/internal/deployfile"
)

// corpus holds deploy files that others wrote. It is not part of the repository.
var corpus = filepath.Join(cmp.Or(os.Getenv("SLUICE_SHARED"), "../../../shared"), "corpus/armory")

type corpusEntry struct {
	File   string
	Kind   string
	YAMLOK bool `json:"yaml_ok"`
	Lint   []string
}

// clean tells which files have to be accepted. A traffic entry of a removed target is only worth a warning.
func (e corpusEntry) clean() bool {
	if !e.YAMLOK || e.Kind == "lambda" {
		return false
	}
	for _, l := range e.Lint {
		if !strings.HasPrefix(l, "trafficManagement: unknown target") {
			return false
		}
	}
	return true
}

// Every real file that is right is accepted, and every one that is wrong is refused with a place.
func TestCorpus(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(corpus, "index.json"))
	if err != nil {
		t.Skip("the corpus of real deploy files is not beside the repository")
	}
	var entries []corpusEntry
	if err := json.Unmarshal(index, &entries); err != nil {
		t.Fatal(err)
	}
	agreed := 0
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(corpus, e.File))
		if err != nil {
			t.Fatal(err)
		}
		_, ds := deployfile.Parse(e.File, data)
		if ds.HasErrors() != e.clean() {
			agreed++
			t.Logf("%s: %q\n%s", e.File, e.Lint, ds.Error())
			continue
		}
		t.Errorf("%s\n  index: %q\n  found: %s", e.File, e.Lint, ds.Error())
	}
	t.Logf("%d of %d files judged as in the index", agreed, len(entries))
}
