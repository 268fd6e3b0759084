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

// What a key of a kustomization is to the check.
const (
	harmless = iota // names nothing that is read
	paths           // a path or a list of them
	patches         // a list of paths or of inline texts
	sources         // maps with paths in them
)

// known are the keys that may be used. The library takes keys in any letter case; here only these are keys.
var known = map[string]int{
	"apiVersion": harmless, "kind": harmless, "metadata": harmless, "namespace": harmless, "namePrefix": harmless,
	"nameSuffix":   harmless,
	"commonLabels": harmless, "labels": harmless, "commonAnnotations": harmless, "images": harmless, "replicas": harmless,
	"vars":             harmless,
	"generatorOptions": harmless, "buildMetadata": harmless, "sortOptions": harmless,
	"resources": paths, "bases": paths, "components": paths, "crds": paths, "configurations": paths,
	"patchesStrategicMerge": patches,
	"patches":               sources, "patchesJson6902": sources, "replacements": sources, "configMapGenerator": sources,
	"secretGenerator": sources, "openapi": sources,
}

var notHere = map[string]string{
	"helmCharts": "Helm charts are", "helmChartInflationGenerator": "Helm charts are", "helmGlobals": "Helm charts are",
	"generators": "plugins are", "transformers": "plugins are", "validators": "plugins are",
}

// remote is what the library would fetch: an address, a host and path as git takes it, or a host it knows.
var remote = regexp.MustCompile(`(?i)://|^git::|@[^/]*:|^(www\.)?github\.com[:/]|^gh:`)

// checked returns the kustomization as plain JSON, so that what is checked and what the library reads are the same.
func checked(file string, data []byte) ([]byte, error) {
	roots, ds := yamldoc.Read(file, data, limits)
	if ds.HasErrors() {
		return nil, fmt.Errorf("%s: %s", ds[len(ds)-1].Pos, ds[len(ds)-1].Message)
	}
	if len(roots) != 1 {
		return nil, fmt.Errorf("%s has to hold one document, and holds %d", file, len(roots))
	}
	v, err := yamldoc.Value(roots[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s has to be a map of keys and values", file)
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
		return fmt.Errorf("%s: %s: %s not rendered here", file, key, what)
	}
	form, ok := known[key]
	if !ok {
		return fmt.Errorf("%s: the key %s is not known", file, key)
	}
	var bad error
	eachText(value, "", func(inner, text string) {
		if bad == nil {
			bad = checkText(file, key, form, inner, text)
		}
	})
	return bad
}

// checkText refuses a path that is none. Inline texts stand in patches, below patch: and in literals.
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
	return fmt.Errorf("%s: %s: %.100s would be fetched from elsewhere, and only files beside the deploy file are read",
		file, key, text)
}

// eachText visits every text with the key it stands under. Keys are those of the library in any letter case.
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

// checkGrowth refuses texts that stand for far more than they hold. What is no YAML at all is left to the library.
func checkGrowth(file string, data []byte) error {
	_, ds := yamldoc.Read(file, data, limits)
	for _, d := range ds {
		if slices.Contains([]string{yamldoc.CodeAliasGrowth, yamldoc.CodeAliasCycle, yamldoc.CodeTooDeep,
			yamldoc.CodeTooLarge}, d.Code) {
			return fmt.Errorf("%s: %s", d.Pos, d.Message)
		}
	}
	return nil
}
