package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A platform is one that programs are built for.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// The platforms of packages, and those of the image.
var (
	platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
	images    = platforms[:2]
)

// host is the platform that runs this program.
var host = platform{runtime.GOOS, runtime.GOARCH}

// A program is sluice for one platform.
type program struct {
	platform
	path string
}

// build compiles sluice for the platforms, each into a directory of its own below dir.
func build(ctx context.Context, p product, dir string, wanted []platform) ([]program, error) {
	var programs []program
	for _, on := range wanted {
		fmt.Fprintln(os.Stderr, "building for", on)
		path := filepath.Join(dir, on.os, on.arch, name)
		if err := compile(ctx, p, on, path); err != nil {
			return nil, fmt.Errorf("build for %s: %w", on, err)
		}
		programs = append(programs, program{on, path})
	}
	return programs, nil
}

// compile builds a static program without paths of this machine, so that every machine builds the same.
func compile(ctx context.Context, p product, on platform, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= "+p.stamp(), "-o", path, "./cmd/sluice")
	cmd.Dir, cmd.Stderr = p.root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+on.os, "GOARCH="+on.arch, "GOAMD64=v1", "GOARM64=v8.0")
	return cmd.Run()
}

// stamp returns the flags for the linker that make sluice version say what it is.
func (p product) stamp() string {
	const at = "-X github.com/sluice-cd/sluice/internal/bootstrap."
	return strings.Join([]string{
		at + "version=" + p.version, at + "commit=" + p.commit, at + "date=" + p.date.Format(time.RFC3339),
	}, " ")
}
