package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/cache"
	kubeyaml "sigs.k8s.io/yaml"
)

// CRDs are custom resource definitions: YAML files, or directories of them.
type CRDs struct {
	module string // the module of Path, one of those pinned in crds/go.mod
	Path   string
}

// The real definitions of the routes that divide traffic.
var (
	GatewayAPI             = CRDs{"sigs.k8s.io/gateway-api", "config/crd/standard"}
	GatewayAPIExperimental = CRDs{"sigs.k8s.io/gateway-api", "config/crd/experimental"}
	Istio                  = CRDs{"istio.io/api", "kubernetes"}
	SMITrafficSplit        = CRDs{Path: filepath.Join(moduleDir(), "crds", "trafficsplit.yaml")}
)

// InstallCRDs applies definitions and returns when all are established and served.
// It ignores documents of other kinds in the same files.
func (c *Cluster) InstallCRDs(ctx context.Context, sets ...CRDs) error {
	config, err := c.Config()
	if err != nil {
		return err
	}
	client, err := apiextensions.NewForConfig(config)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, set := range sets {
		definitions, err := set.read(ctx)
		if err != nil {
			return fmt.Errorf("read definitions: %w", err)
		}
		for _, d := range definitions {
			group.Go(func() error {
				if err := installCRD(ctx, client, d); err != nil {
					return fmt.Errorf("install %s: %w", d.Name, err)
				}
				return nil
			})
		}
	}
	return group.Wait()
}

func installCRD(ctx context.Context, client apiextensions.Interface,
	d *apiextensionsv1.CustomResourceDefinition) error {
	d.Status = apiextensionsv1.CustomResourceDefinitionStatus{}
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	force := true
	_, err = client.ApiextensionsV1().CustomResourceDefinitions().Patch(ctx, d.Name, types.ApplyPatchType, data,
		metav1.PatchOptions{FieldManager: "e2e", Force: &force})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	one := cache.NewListWatchFromClient(client.ApiextensionsV1().RESTClient(), "customresourcedefinitions", "",
		fields.OneTermEqualSelector("metadata.name", d.Name))
	err = await(ctx, one, func(o runtime.Object) bool {
		for _, condition := range o.(*apiextensionsv1.CustomResourceDefinition).Status.Conditions {
			if condition.Type == apiextensionsv1.Established {
				return condition.Status == apiextensionsv1.ConditionTrue
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	return awaitServed(ctx, client.Discovery(), d)
}

// awaitServed returns when the API server lists the definition's versions. That is a moment after it calls the
// definition established, and no watch reports it.
func awaitServed(ctx context.Context, served discovery.DiscoveryInterface,
	d *apiextensionsv1.CustomResourceDefinition) error {
	for _, v := range d.Spec.Versions {
		if !v.Served {
			continue
		}
		version := d.Spec.Group + "/" + v.Name
		err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
			_, err := served.ServerResourcesForGroupVersion(version)
			if apierrors.IsNotFound(err) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return fmt.Errorf("%s is not served: %w", version, err)
		}
	}
	return nil
}

func (set CRDs) read(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	path := set.Path
	if set.module != "" {
		dir, err := moduleFiles(ctx, "crds", set.module)
		if err != nil {
			return nil, err
		}
		path = filepath.Join(dir, path)
	}
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
			return nil, err
		}
	}
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		found, err := readCRDs(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func readCRDs(file string) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []*apiextensionsv1.CustomResourceDefinition
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(data)))
	defer documents.Close()
	buffer := make([]byte, len(data)+1)
	for {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var d apiextensionsv1.CustomResourceDefinition
		if err := kubeyaml.Unmarshal(buffer[:n], &d); err != nil {
			return nil, err
		}
		if d.Kind == "CustomResourceDefinition" && d.APIVersion == "apiextensions.k8s.io/v1" {
			all = append(all, &d)
		}
	}
}

// moduleFiles returns the directory of a module that the go.mod in a directory
// of ours pins, and downloads it if necessary.
func moduleFiles(ctx context.Context, pinnedBy, module string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(moduleDir(), pinnedBy)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download %s: %w\n%s", module, err, out)
	}
	var found struct{ Dir string }
	return found.Dir, json.Unmarshal(out, &found)
}
