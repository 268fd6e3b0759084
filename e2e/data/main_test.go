package data

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/sluice-cd/sluice/e2e/image"
	"github.com/sluice-cd/sluice/e2e/world"
)

// atOnce is how many tests run at a time that change nothing of the whole cluster. Most of the time they wait for pods.
const atOnce = "3"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(world.Main(m, images()...))
}

// long says that there is time for everything.
var long = os.Getenv("E2E_LONG") != ""

// images are those that the manifests of examples/deploy name, and sluice itself.
func images() []image.Source {
	list := []image.Source{
		{Dir: examples("ferretdb-1.23"), Name: library + "ferretdb:1.23.1", Large: true},
		{Dir: examples("ferretdb-1.24"), Name: library + "ferretdb:1.24.2", Large: true},
		{Dir: examples("shop", "cmd", "shop-seed"), Name: library + "shop-seed:1.0", Args: []string{"--orders", "20000"}},
		{Dir: filepath.Join("..", "cmd", "lockable"), Name: library + "lockable:1"},
		world.Sluice(),
	}
	releases := map[string][]string{
		"shop":             {"1.0", "2.0-rc1", "2.0", "2.1", "2.2", "2.3"},
		"shop-migrate":     {"1.0", "2.0-rc1", "2.0", "2.3"},
		"shop-integration": {"1.0", "2.0-rc1", "2.0", "2.1", "2.2", "2.3"},
	}
	for _, program := range []string{"shop", "shop-migrate", "shop-integration"} {
		for release := range slices.Values(releases[program]) {
			list = append(list, image.Source{
				Dir: examples("shop", "cmd", program), Name: library + program + ":" + release,
				Args: []string{"--release", release},
			})
		}
	}
	return list
}

// library is what Kubernetes adds to an image's name without a registry.
const library = "docker.io/library/"

func examples(elem ...string) string {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	return filepath.Join(append([]string{root, "examples"}, elem...)...)
}
