package cluster

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Options say where the clusters keep their state. The zero value is ready to use.
type Options struct {
	// Dir is the state directory: binaries, logs, kubeconfig, data. By default
	// E2E_STATE, or .cluster at the root of the repository.
	Dir string
	// Log receives a line for each thing that takes time; nil means standard error.
	Log io.Writer
}

func (o Options) withDefaults() (Options, error) {
	if o.Log == nil {
		o.Log = os.Stderr
	}
	dir, err := filepath.Abs(cmp.Or(o.Dir, os.Getenv("E2E_STATE"), filepath.Join(filepath.Dir(moduleDir()), ".cluster")))
	o.Dir = dir
	return o, err
}

func (o Options) binary(name string) string { return filepath.Join(o.Dir, "bin", name) }

func (o Options) kubeconfig() string { return filepath.Join(o.Dir, "kubeconfig") }

// moduleDir is the directory of the module e2e, from whose source everything is built.
func moduleDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(file))
}
