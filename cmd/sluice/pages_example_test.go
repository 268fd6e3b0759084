package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/deployfile"
)

// parsers read the files that pages show, by the key that the file begins with.
var parsers = map[string]func(file string, data []byte) sluice.Diagnostics{
	"version":  parseDeployFile,
	"accounts": parseConfiguration,
}

func parseDeployFile(file string, data []byte) sluice.Diagnostics {
	_, ds := deployfile.Parse(file, data)
	return ds
}

func parseConfiguration(file string, data []byte) sluice.Diagnostics {
	_, ds := config.Parse(file, data)
	return ds
}

// Every whole deploy file and every sluice.yaml of a page is read without a finding.
func TestFilesOnPagesAreValid(t *testing.T) {
	seen := map[string]int{}
	for _, p := range pages(t, "README.md", "docs/*.md") {
		text, err := os.ReadFile(filepath.Join(root, p.path))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks(string(text)) {
			kind, _, _ := strings.Cut(b.text, ":")
			parse := parsers[kind]
			if parse == nil || !slices.Contains([]string{"yaml", ""}, b.language) {
				continue
			}
			seen[kind]++
			if ds := parse(p.path, []byte(b.text)); len(ds) > 0 {
				t.Errorf("%s\nin\n%s", ds, b.text)
			}
		}
	}
	for kind := range parsers {
		if seen[kind] == 0 {
			t.Errorf("no page shows a file that begins with %s", kind)
		}
	}
}
