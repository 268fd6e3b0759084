package deployfile

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// A stranger is a kind of file that people give instead of a deploy file. It has an apiVersion of the group, or keys
// that no deploy file has, and no targets.
type stranger struct {
	what  string
	group string // how its apiVersion begins, "" for any
	kind  string // "" for any
	keys  []string
	hint  string
}

const (
	listManifest  = "list it in a deploy file, as in manifests: [{path: FILE}]; start one with: sluice template canary"
	listDirectory = "list its directory in a deploy file, as in manifests: [{path: DIRECTORY}]"
	listNamed     = "list the manifests that it names in a deploy file"
	renderChart   = "render the chart with helm template, and list the result in a deploy file"
	nameIt        = "name the deploy file with -f"
)

var strangers = []stranger{
	{what: "a Rollout of Argo Rollouts", group: "argoproj.io/", kind: "Rollout",
		hint: "write its steps as a strategy of a deploy file, and its pods as a Deployment"},
	{what: "an object of Argo CD", group: "argoproj.io/", hint: listNamed},
	{what: "an object of Flux", group: "source.toolkit.fluxcd.io/", hint: listNamed},
	{what: "an object of Flux", group: "kustomize.toolkit.fluxcd.io/", hint: listNamed},
	{what: "an object of Flux", group: "helm.toolkit.fluxcd.io/", hint: renderChart},
	{what: "a kustomization", group: "kustomize.config.k8s.io/", hint: listDirectory},
	{what: "a kustomization", keys: []string{"resources"}, hint: listDirectory},
	{what: "a Kubernetes manifest", keys: []string{"apiVersion", "kind"}, hint: listManifest},
	{what: "a Helm chart's Chart.yaml", keys: []string{"apiVersion", "name", "version"}, hint: renderChart},
	{what: "a Helm chart's values.yaml", keys: []string{"image", "replicaCount"}, hint: renderChart},
	{what: "a docker compose file", keys: []string{"services"},
		hint: "write its services as Kubernetes manifests, and list them in a deploy file"},
	{what: "a workflow of GitHub Actions", keys: []string{"on", "jobs"}, hint: nameIt},
	{what: "a pipeline of GitLab", keys: []string{"stages"}, hint: nameIt},
	{what: "sluice.yaml", keys: []string{"accounts"}, hint: nameIt + ", and this file with --config"},
}

// refuseStranger reports a file of another kind, in which other findings would not help.
func (p *parser) refuseStranger(root *yaml.Node) bool {
	for _, s := range strangers {
		if !s.is(root) {
			continue
		}
		p.error(root, codeForeign, s.hint, "this is %s, not a deploy file", s.what)
		return true
	}
	return false
}

func (s stranger) is(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode || yamldoc.Get(root, "targets") != nil {
		return false
	}
	for _, key := range s.keys {
		if yamldoc.Get(root, key) == nil {
			return false
		}
	}
	return strings.HasPrefix(word(root, "apiVersion"), s.group) && (s.kind == "" || word(root, "kind") == s.kind)
}

func word(root *yaml.Node, key string) string {
	if n := yamldoc.Get(root, key); n != nil {
		return n.Value
	}
	return ""
}
