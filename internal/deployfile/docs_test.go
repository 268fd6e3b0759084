package deployfile_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/deployfile"
)

const document = "../../docs/deploy-file.md"

var keyTable = regexp.MustCompile("(?s)<!-- keys: ([A-Za-z]+) -->\n(.*?)<!-- end -->\n")

// docs/deploy-file.md has a row for every key of every table that the parser reads by, and every table.
func TestKeysAreDocumented(t *testing.T) {
	doc, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want := deployfile.KeyRows()
	if *update {
		doc = keyTable.ReplaceAllFunc(doc, func(old []byte) []byte {
			name := string(keyTable.FindSubmatch(old)[1])
			return []byte("<!-- keys: " + name + " -->\n" + want[name] + "<!-- end -->\n")
		})
		if err := os.WriteFile(document, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for _, m := range keyTable.FindAllSubmatch(doc, -1) {
		got[string(m[1])] = string(m[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tables in the source (-) and in %s (+) differ; go test ./internal/deployfile -run Documented "+
			"-update writes them:\n%s", document, diff)
	}
}
