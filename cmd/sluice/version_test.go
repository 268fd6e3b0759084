package main

import (
	"testing"

	"github.com/sluice-cd/sluice/internal/bootstrap"
)

func TestVersionLine(t *testing.T) {
	for want, b := range map[string]bootstrap.Build{
		"sluice development, go1.26.0, linux/amd64\n": {Version: "development", Go: "go1.26.0", Platform: "linux/amd64"},
		"sluice v0.1.0, commit 0123456789ab, 2026-11-28T12:00:00Z, go1.26.0, darwin/arm64\n": {
			Version: "v0.1.0", Commit: "0123456789abcdef", Date: "2026-11-28T12:00:00Z",
			Go: "go1.26.0", Platform: "darwin/arm64"},
		"sluice v0.1.1, commit 0123456789ab with changes, go1.26.0, linux/arm64\n": {
			Version: "v0.1.1", Commit: "0123456789abcdef", Modified: true, Go: "go1.26.0", Platform: "linux/arm64"},
	} {
		if got := versionLine(b); got != want {
			t.Errorf("%+v: %q, want %q", b, got, want)
		}
	}
}
