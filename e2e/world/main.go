package world

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
)

// Image is the program of e2e/cmd/web as an image.
const Image = "sluice-e2e/web:1"

// Sluice is the program itself as an image. Not every suite builds it.
func Sluice() image.Source {
	return image.Source{Dir: filepath.Join(repository(), "cmd", "sluice"), Name: "sluice-e2e/sluice:1", Large: true}
}

// pair is the clusters of this process.
var pair *cluster.Pair

// Main is a package's whole TestMain: it starts the clusters, builds the program and the images, and runs the tests. It
// sets the images' Into.
func Main(m interface{ Run() int }, images ...image.Source) int {
	return cluster.Main(m, func(ctx context.Context, p *cluster.Pair) error {
		pair = p
		if err := build(ctx, filepath.Join(repository(), "cmd", "sluice"), program("sluice")); err != nil {
			return err
		}
		web := image.Source{Dir: filepath.Join(repository(), "e2e", "cmd", "web"), Name: Image}
		return pair.Provide(ctx, append(images, web)...)
	})
}

// Pair returns the clusters.
func Pair() *cluster.Pair { return pair }

// state is the directory for built files.
func state() string { return filepath.Dir(pair.Kubeconfig) }

func program(name string) string { return filepath.Join(state(), "bin", name) }

// repository is its root.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Repository returns the path of a file of the repository.
func Repository(path ...string) string {
	return filepath.Join(append([]string{repository()}, path...)...)
}

// build is quick if nothing has changed.
func build(ctx context.Context, dir, target string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", target, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, out)
	}
	return nil
}
