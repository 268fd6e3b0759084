package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The manifests, directories and charts that commands on pages install are in the repository.
func TestPagesInstallWhatExists(t *testing.T) {
	var seen []string
	for _, p := range pages(t, "README.md", "docs/*.md") {
		for _, program := range []string{"kubectl", "helm"} {
			for _, c := range commandLines(p.code(), program) {
				for _, word := range c.args {
					if word != "deploy" && !strings.HasPrefix(word, "deploy/") {
						continue
					}
					seen = append(seen, word)
					if _, err := os.Stat(filepath.Join(root, word)); err != nil {
						t.Errorf("%s: %s: %v", p.path, c.text, err)
					}
				}
			}
		}
		for _, text := range p.mentions() {
			if !strings.HasPrefix(text, "deploy/server/") && !strings.HasPrefix(text, "deploy/chart/") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, text)); err != nil {
				t.Errorf("%s: %v", p.path, err)
			}
		}
	}
	for _, want := range []string{"deploy/account.yaml", "deploy/server/sqlite", "deploy/chart", "deploy"} {
		if !slices.Contains(seen, want) {
			t.Errorf("no page installs %s", want)
		}
	}
}
