// Command packaging builds what users install of one version of Sluice, into the directory dist of the checkout:
// archives for Linux and macOS, Debian packages, a container image, the Helm chart, lists of what is in the programs, a
// krew manifest, a Homebrew formula and checksums. `make release VERSION=v0.1.0` runs it; `make image` builds the image
// alone. The same commit and the same version of Go give the same bytes.
//
// It is a module of its own, so that its libraries do not choose versions for the program. Start at pack.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	version := flag.String("version", "", "version to build, such as v0.1.0")
	url := flag.String("url", "", "where the files will be downloaded from")
	image := flag.Bool("image", false, "build the container image alone")
	flag.Parse()
	if err := run(ctx, *version, strings.TrimSuffix(*url, "/"), *image); err != nil {
		fmt.Fprintln(os.Stderr, "packaging: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, version, url string, image bool) error {
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	p, err := newProduct(ctx, root, version, url)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "packaging-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	wanted := platforms
	if image {
		wanted = images
	}
	programs, err := build(ctx, p, work, wanted)
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	if err := os.RemoveAll(dist); err != nil {
		return err
	}
	if image {
		return packImages(p, programs, dist)
	}
	return pack(ctx, p, programs, dist)
}
