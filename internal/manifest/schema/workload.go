package schema

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

func (c *checker) workload(n *yaml.Node, s spot) {
	c.selects(n, s)
	c.restarts(n, s, "Always")
	c.mounts(n, s)
}

func (c *checker) job(n *yaml.Node, s spot) {
	c.restarts(n, s, "OnFailure", "Never")
	c.mounts(n, s)
}

// selects checks that a workload selects the pods of its own template.
func (c *checker) selects(n *yaml.Node, s spot) {
	selector := yamldoc.Get(n, "selector")
	var parsed metav1.LabelSelector
	if selector == nil || !into(selector, &parsed) {
		return // reported as a field
	}
	matches, err := metav1.LabelSelectorAsSelector(&parsed)
	path := s.path + ".selector"
	if err != nil {
		return
	}
	if matches.Empty() {
		c.report(selector, codeBadValue, "write matchLabels: with a label of the template", "%s is empty", path)
		return
	}
	var have map[string]string
	template := yamldoc.Get(n, "template")
	if template == nil || !into(yamldoc.Get(yamldoc.Get(template, "metadata"), "labels"), &have) {
		return
	}
	if !matches.Matches(labels.Set(have)) {
		c.report(selector, codeBadValue, "give the template these labels, or select the labels that it has",
			"%s does not match %s", path, s.path+".template.metadata.labels")
	}
}

// into decodes a node, or reports that it has another form. No node decodes to the zero value.
func into(n *yaml.Node, to any) bool {
	if n == nil {
		return true
	}
	v, err := yamldoc.Value(n)
	if err != nil {
		return false
	}
	data, err := json.Marshal(v)
	return err == nil && json.Unmarshal(data, to) == nil
}

func pod(n *yaml.Node) *yaml.Node { return yamldoc.Get(yamldoc.Get(n, "template"), "spec") }

// restarts checks the restartPolicy of the template, whose default is Always.
func (c *checker) restarts(n *yaml.Node, s spot, allowed ...string) {
	spec, path := pod(n), s.path+".template.spec.restartPolicy"
	if spec == nil || spec.Kind != yaml.MappingNode {
		return
	}
	hint := "write restartPolicy: " + allowed[len(allowed)-1]
	policy := scalarOf(spec, "restartPolicy")
	if policy == "" && !slices.Contains(allowed, "Always") {
		c.report(spec, codeMissingField, hint, "%s is missing; its default, Always, is not possible here", path)
	}
	if slices.Contains(strings.Fields(words["PodSpec.restartPolicy"]), policy) && !slices.Contains(allowed, policy) {
		c.report(yamldoc.Get(spec, "restartPolicy"), codeBadValue, hint, "%s cannot be %s", path, policy)
	}
}

// mounts checks that each mounted volume exists.
func (c *checker) mounts(n *yaml.Node, s spot) {
	spec := pod(n)
	var have []string
	for _, volume := range entries(spec, "volumes") {
		have = append(have, scalarOf(volume, "name"))
	}
	for _, claim := range entries(n, "volumeClaimTemplates") {
		have = append(have, scalarOf(yamldoc.Get(claim, "metadata"), "name"))
	}
	for _, field := range []string{"initContainers", "containers"} {
		for _, container := range entries(spec, field) {
			for _, mount := range entries(container, "volumeMounts") {
				name := yamldoc.Get(mount, "name")
				if name == nil || slices.Contains(have, name.Value) {
					continue
				}
				hint := "add it below volumes:"
				if near := yamldoc.Nearest(name.Value, have); near != "" {
					hint = "did you mean " + near + "?"
				}
				c.report(name, codeBadValue, hint, "%s mounts the volume %s, which does not exist",
					s.path+".template.spec", quote(name.Value))
			}
		}
	}
}
