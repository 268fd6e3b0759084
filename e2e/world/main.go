package world

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
)

// Image is the program of e2e/cmd/web as an image.
const Image = "sluice-e2e/web:1"

// pair is the clusters of this process.
var pair *cluster.Pair

// Main is the whole of a package's TestMain: it brings the clusters up, builds the program and the images, and runs
// the tests. The images' Into is set here.
func Main(m interface{ Run() int }, images ...image.Source) int {
	return cluster.Main(prepared{m, images}, func(p *cluster.Pair) { pair = p })
}

// Pair returns the clusters.
func Pair() *cluster.Pair { return pair }

type prepared struct {
	m      interface{ Run() int }
	images []image.Source
}

func (p prepared) Run() int {
	if err := p.prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "prepare the tests:", err)
		return 1
	}
	return p.m.Run()
}

func (p prepared) prepare(ctx context.Context) error {
	if err := build(ctx, filepath.Join(repository(), "cmd", "sluice"), program("sluice")); err != nil {
		return err
	}
	web := image.Source{Dir: filepath.Join(repository(), "e2e", "cmd", "web"), Name: Image}
	for _, source := range append(p.images, web) {
		source.Into = filepath.Join(state(), "images")
		archive, err := image.Build(ctx, source)
		if err != nil {
			return err
		}
		if err := pair.Load(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

// state is where what is built is kept.
func state() string { return filepath.Dir(pair.Kubeconfig) }

func program(name string) string { return filepath.Join(state(), "bin", name) }

// repository is its root.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// build is quick where nothing has changed.
func build(ctx context.Context, dir, target string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", target, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, out)
	}
	return nil
}
