package bootstrap

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// What a release says about itself, set with -ldflags "-X ...". A build without them says what Go recorded.
var version, commit, date string

// A Build is what a program knows about its own build.
type Build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Date     string `json:"date,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // since that commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Version returns the build of this program.
func Version() Build {
	b := Build{Version: "development", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.read(info)
	}
	b.Version, b.Commit, b.Date = cmp.Or(version, b.Version), cmp.Or(commit, b.Commit), cmp.Or(date, b.Date)
	return b
}

// read fills in what Go recorded.
func (b *Build) read(info *debug.BuildInfo) {
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}
