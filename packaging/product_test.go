package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewProduct(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	output(t, "git", "-C", dir, "init", "-q")
	output(t, "git", "-C", dir, "add", "file")
	output(t, "git", "-C", dir, "-c", "user.name=ana", "-c", "user.email=ana@example.org", "commit", "-qm", "Begin")
	for _, version := range []string{"v0.1.0", "v1.2.3-rc.1"} {
		p, err := newProduct(t.Context(), dir, version, "")
		if err != nil || len(p.commit) != 40 || p.date.IsZero() || "v"+p.number() != version {
			t.Errorf("%s: %+v, %v", version, p, err)
		}
	}
	for _, version := range []string{"", "0.1.0", "v0.1", "v1.2.3+build", "next"} {
		if _, err := newProduct(t.Context(), dir, version, ""); err == nil || !strings.Contains(err.Error(), "VERSION=") {
			t.Errorf("%q: %v, want what to type", version, err)
		}
	}
	write("second")
	if _, err := newProduct(t.Context(), dir, "v0.1.0", ""); err == nil || !strings.Contains(err.Error(), "commit") {
		t.Errorf("a checkout with changes: %v", err)
	}
}
