package seeddemo

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

const worldImage = "docker.io/sluice-e2e/world:1"

// sluiceImage is the program itself, which runs beside the data.
const sluiceImage = "docker.io/sluice-e2e/sluice:1"

// databases maps the tags of the demo's database to the example that really runs. The bad tag is bad only for the
// integration tests.
var databases = map[string]string{"6.0.1": "ferretdb-1.23", "6.0.2": "ferretdb-1.24", "6.0.3": "ferretdb-1.24"}

func moduleDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}

func repository() string { return filepath.Dir(moduleDir()) }

// loadImages builds the images that the manifests name and loads them into both clusters.
func loadImages(ctx context.Context, pair *cluster.Pair, state string) error {
	own := filepath.Join(moduleDir(), "seeddemo")
	sources := []image.Source{
		{Dir: filepath.Join(own, "cmd", "world"), Name: worldImage},
		{Dir: filepath.Join(repository(), "cmd", "sluice"), Name: sluiceImage, Large: true},
		{Dir: filepath.Join(own, "app", "pxbbq"), Name: "docker.io/sluice-e2e/shop:1"},
		{Dir: filepath.Join(own, "app", "pxbbq"), Name: "docker.io/sluice-e2e/shop:2"},
		{Dir: filepath.Join(own, "app", "pxbbq"), Name: "docker.io/eshanks16/pxbbq:v3.3.0"},
		{Dir: filepath.Join(own, "app", "pxbbq"), Name: "docker.io/eshanks16/pxbbq:v3.3.1"},
		{Dir: filepath.Join(own, "app", "mongodb_exporter"), Name: "docker.io/percona/mongodb_exporter:0.31.0"},
		{Dir: filepath.Join(own, "app", "wget"), Name: "docker.io/library/busybox:latest"},
	}
	servers := map[string][]byte{}
	for tag, module := range databases {
		if servers[module] == nil {
			binary, err := server(ctx, module, state)
			if err != nil {
				return err
			}
			servers[module] = binary
		}
		sources = append(sources, image.Source{
			Dir: filepath.Join(own, "app", "mongod"), Name: "docker.io/library/mongo:" + tag,
			Files: map[string][]byte{"/mongo-server": servers[module]},
		})
	}
	for _, s := range sources {
		s.Into = filepath.Join(state, "images")
		archive, err := image.Build(ctx, s)
		if err != nil {
			return err
		}
		if err := pair.Load(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

// server builds one of the examples' databases.
func server(ctx context.Context, module, state string) ([]byte, error) {
	target := filepath.Join(state, "bin", module)
	if err := build(ctx, filepath.Join(repository(), "examples", module), target, "CGO_ENABLED=0"); err != nil {
		return nil, err
	}
	return os.ReadFile(target)
}

// build compiles the main package of the directory.
func build(ctx context.Context, dir, target string, env ...string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", target, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, out)
	}
	return nil
}
