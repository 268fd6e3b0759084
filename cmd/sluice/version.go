package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/present"
)

type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // since that revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  sluice version --output json",
		RunE: func(*cobra.Command, []string) error {
			v := version()
			if a.json() {
				return present.JSON(a.out, v)
			}
			revision := ""
			if v.Revision != "" {
				revision = fmt.Sprintf(" (%.12s)", v.Revision)
			}
			_, err := fmt.Fprintf(a.out, "sluice %s%s, %s, %s\n", v.Version, revision, v.Go, v.Platform)
			return err
		},
	}
}

func version() versionInfo {
	v := versionInfo{Version: "development", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
