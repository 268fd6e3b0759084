package kustomize

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
)

// The names by which a directory is a kustomize directory.
var fileNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// IsKustomization reports whether the file makes its directory a kustomize directory.
func IsKustomization(name string) bool { return slices.Contains(fileNames, path.Base(name)) }

// The library keeps the schema of the kinds in one place for the whole process.
var one sync.Mutex

// Render returns the YAML of the directory below root, and the outdated keys of the kustomizations that it reads. If
// rendering would read anything outside root, or run anything, Render returns an error that names it.
func Render(
	root *os.Root, dir string, read func(name string, content []byte),
) (text []byte, dated []string, err error) {
	one.Lock()
	defer one.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kustomize cannot read it: %v", r)
		}
	}()
	files := &rootFiles{root: root, told: read}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	options.PluginConfig = types.DisabledPluginConfig()
	resources, err := quietly(func() (resmap.ResMap, error) {
		return krusty.MakeKustomizer(options).Run(files, path.Join("/", dir))
	})
	if files.refused != nil {
		return nil, nil, files.refused // the library replaces causes by its own guesses
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s", brief(err))
	}
	text, err = resources.AsYaml()
	return text, files.dated, err
}

// quietly runs the library without its warnings, which it writes to the standard error of the process. Findings report
// the same with a position.
func quietly(run func() (resmap.ResMap, error)) (resmap.ResMap, error) {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = nowhere.Close() }()
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	os.Stderr = nowhere
	return run()
}

// brief shortens the library's chain of causes to what fits a message.
func brief(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if r := []rune(text); len(r) > 300 {
		return "… " + string(r[len(r)-300:])
	}
	return text
}
