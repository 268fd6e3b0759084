package kustomize

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

var limits = yamldoc.Limits{Bytes: mostBytes, Nodes: 250_000, Depth: 100}

// The kinds of keys of a kustomization.
const (
	harmless = iota // names no file
	paths           // a path or a list of them
	patches         // a list of paths or of inline texts
	sources         // maps with paths in them
)

// known are the allowed keys. The library accepts keys in any letter case; this package accepts only these.
var known = map[string]int{
	"apiVersion": harmless, "kind": harmless, "metadata": harmless, "namespace": harmless, "namePrefix": harmless,
	"nameSuffix": harmless, "commonLabels": harmless, "labels": harmless, "commonAnnotations": harmless,
	"images": harmless, "replicas": harmless, "vars": harmless, "generatorOptions": harmless, "buildMetadata": harmless,
	"sortOptions": harmless, "resources": paths, "bases": paths, "components": paths, "crds": paths,
	"configurations": paths, "patchesStrategicMerge": patches, "patches": sources, "patchesJson6902": sources,
	"replacements": sources, "configMapGenerator": sources, "secretGenerator": sources, "openapi": sources,
}

var notHere = map[string]string{
	"helmCharts": "Helm charts are", "helmChartInflationGenerator": "Helm charts are", "helmGlobals": "Helm charts are",
	"generators": "plugins are", "transformers": "plugins are", "validators": "plugins are",
}

// remote matches what the library would fetch: an address, a host and path of git, or a host that it knows.
var remote = regexp.MustCompile(`(?i)://|^git::|@[^/]*:|^(www\.)?github\.com[:/]|^gh:`)

// checked returns the kustomization as plain JSON, so that the library reads exactly what was checked.
func checked(file string, data []byte) ([]byte, error) {
	roots, ds := yamldoc.Read(file, data, limits)
	if ds.HasErrors() {
		return nil, fmt.Errorf("%s: %s", ds[len(ds)-1].Pos, ds[len(ds)-1].Message)
	}
	if len(roots) != 1 {
		return nil, fmt.Errorf("%s must have one document, but has %d", file, len(roots))
	}
	v, err := yamldoc.Value(roots[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s must be a map of keys and values", file)
	}
	for key, value := range m {
		if err := checkKey(file, key, value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(m)
}

func checkKey(file, key string, value any) error {
	if what := notHere[key]; what != "" {
		return fmt.Errorf("%s: %s: %s not supported", file, key, what)
	}
	form, ok := known[key]
	if !ok {
		return fmt.Errorf("%s: unknown key %s", file, key)
	}
	var bad error
	eachText(value, "", func(inner, text string) {
		if bad == nil {
			bad = checkText(file, key, form, inner, text)
		}
	})
	return bad
}

// checkText refuses remote paths. Inline texts are in patches, below patch: and in literals.
func checkText(file, key string, form int, inner, text string) error {
	inline := form == patches && strings.Contains(text, "\n") || form == sources &&
		!slices.Contains([]string{"path", "files", "envs", "env"}, inner)
	if strings.Contains(text, "\n") {
		if err := checkGrowth(file, []byte(text)); err != nil {
			return err
		}
	}
	if form == harmless || inline || !remote.MatchString(text) {
		return nil
	}
	return fmt.Errorf("%s: %s: %.100s is remote, but only files in the deploy file's directory are read", file, key, text)
}

// eachText visits every text with its key. Keys are in lower case, because the library accepts any case.
func eachText(v any, key string, visit func(key, text string)) {
	switch v := v.(type) {
	case string:
		visit(key, v)
	case []any:
		for _, item := range v {
			eachText(item, key, visit)
		}
	case map[string]any:
		for k, item := range v {
			eachText(item, strings.ToLower(k), visit)
		}
	}
}

// checkGrowth refuses texts whose aliases expand too far. Invalid YAML is left to the library.
func checkGrowth(file string, data []byte) error {
	_, ds := yamldoc.Read(file, data, limits)
	for _, d := range ds {
		switch d.Code {
		case yamldoc.CodeAliasGrowth, yamldoc.CodeAliasCycle, yamldoc.CodeTooDeep, yamldoc.CodeTooLarge:
			return fmt.Errorf("%s: %s", d.Pos, d.Message)
		}
	}
	return nil
}
