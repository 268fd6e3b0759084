package schema

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// The limits of an API server for one object.
const (
	mostAnnotations = 256 << 10
	mostData        = 1 << 20
)

// A choice is a type of whose fields only one may be set, apart from the common ones.
type choice struct {
	common string
	always bool // one must be set
}

var choices = map[string]choice{
	"Probe": {"initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold " +
		"terminationGracePeriodSeconds", true},
	"LifecycleHandler": {"", true}, "EnvVarSource": {"", true}, "EnvFromSource": {"prefix", true},
	"Volume": {"name", false}, "IngressBackend": {"", true}, "PodDisruptionBudgetSpec": {"selector " +
		"unhealthyPodEvictionPolicy", false},
}

// objectRules check what the fields of one type say together.
var objectRules = map[string]func(*checker, *yaml.Node, spot){
	"DeploymentSpec": (*checker).workload, "StatefulSetSpec": (*checker).workload, "DaemonSetSpec": (*checker).workload,
	"JobSpec": (*checker).job, "EnvVar": (*checker).variable, "DeploymentStrategy": (*checker).strategy,
	"ResourceRequirements": (*checker).requests, "ServiceSpec": (*checker).servicePorts,
	"ConfigMap": (*checker).configMap, "Secret": (*checker).secretKeys,
}

func (c *checker) checkObject(n *yaml.Node, s spot) {
	name := base(s.of)
	if rule, ok := choices[name]; ok {
		c.choose(n, s, rule)
	}
	if rule, ok := objectRules[name]; ok {
		rule(c, n, s)
	}
}

func (c *checker) variable(n *yaml.Node, s spot) {
	if scalarOf(n, "value") != "" && set(n, "valueFrom") {
		c.report(yamldoc.Get(n, "value"), codeBadValue, "remove one of the two", "%s has both value and valueFrom", s.path)
	}
}

func (c *checker) strategy(n *yaml.Node, s spot) {
	if scalarOf(n, "type") == "Recreate" && set(n, "rollingUpdate") {
		c.report(yamldoc.Get(n, "rollingUpdate"), codeBadValue, "remove it, or write type: RollingUpdate",
			"%s has rollingUpdate, but its type is Recreate", s.path)
	}
}

func set(n *yaml.Node, field string) bool {
	v := yamldoc.Get(n, field)
	return v != nil && !yamldoc.IsNull(v)
}

func (c *checker) choose(n *yaml.Node, s spot, rule choice) {
	var fields, chosen []string
	for _, field := range slices.Sorted(maps.Keys(kubernetes().Types[s.of].Fields)) {
		if slices.Contains(strings.Fields(rule.common), field) {
			continue
		}
		fields = append(fields, field)
		if set(n, field) {
			chosen = append(chosen, field)
		}
	}
	if len(chosen) > 1 {
		c.report(n, codeBadValue, "keep one of them", "%s has both %s and %s", s.path, chosen[0], chosen[1])
	}
	if len(chosen) == 0 && rule.always {
		c.report(n, codeMissingField, "add one of "+strings.Join(fields, ", "), "%s is incomplete", s.path)
	}
}

func entries(n *yaml.Node, field string) []*yaml.Node {
	list := yamldoc.Get(n, field)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return list.Content
}

func scalarOf(n *yaml.Node, field string) string {
	if v := yamldoc.Get(n, field); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}

// requests checks that no request is larger than its limit.
func (c *checker) requests(n *yaml.Node, s spot) {
	requests, limits := yamldoc.Get(n, "requests"), yamldoc.Get(n, "limits")
	if requests == nil || limits == nil || requests.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(requests.Content); i += 2 {
		key, value := requests.Content[i], requests.Content[i+1]
		request, err := resource.ParseQuantity(value.Value)
		limit, none := resource.ParseQuantity(scalarOf(limits, key.Value))
		if err == nil && none == nil && request.Cmp(limit) > 0 {
			c.report(value, codeBadValue, "lower the request, or raise the limit", "%s is more than the limit, %s",
				join(join(s.path, "requests"), key.Value), quote(scalarOf(limits, key.Value)))
		}
	}
}

// servicePorts checks that a Service that has an address has ports, and that they can be told apart.
func (c *checker) servicePorts(n *yaml.Node, s spot) {
	all := entries(n, "ports")
	if len(all) == 0 && scalarOf(n, "type") != "ExternalName" && scalarOf(n, "clusterIP") != "None" {
		c.report(n, codeMissingField, "add ports:, or clusterIP: None", "%s is missing", s.key("ports", "").path)
	}
	if len(all) < 2 {
		return
	}
	seen := map[string]bool{}
	for i, port := range all {
		name := scalarOf(port, "name")
		at := s.key("ports", "").index(i, "").path
		switch {
		case name == "":
			c.report(port, codeMissingField, "give each port of the Service a name", "%s.name is missing", at)
		case seen[name]:
			c.report(port, codeBadValue, "give each port of the Service its own name", "%s.name is repeated: %s", at,
				quote(name))
		}
		seen[name] = true
	}
}

// configMap checks the size of a ConfigMap and that no key is in both of its maps.
func (c *checker) configMap(n *yaml.Node, _ spot) {
	binary := yamldoc.Get(n, "binaryData")
	size := 0
	for _, field := range []string{"data", "binaryData"} {
		m := yamldoc.Get(n, field)
		if m == nil || m.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			key := m.Content[i]
			size += len(m.Content[i+1].Value)
			if field == "data" && yamldoc.Get(binary, key.Value) != nil {
				c.report(key, codeBadValue, "remove one of the two", "the key %s is in data and in binaryData", quote(key.Value))
			}
		}
	}
	if size > mostData {
		c.report(n, codeBadValue, "split it", "the ConfigMap has %d bytes, more than 1 MiB", size)
	}
}

// secretKeys are the keys that a Secret of a type must have.
var secretKeys = map[string][]string{
	"kubernetes.io/tls": {"tls.crt", "tls.key"}, "kubernetes.io/dockerconfigjson": {".dockerconfigjson"},
	"kubernetes.io/dockercfg": {".dockercfg"}, "kubernetes.io/ssh-auth": {"ssh-privatekey"},
}

func (c *checker) secretKeys(n *yaml.Node, _ spot) {
	of := scalarOf(n, "type")
	for _, key := range secretKeys[of] {
		if yamldoc.Get(yamldoc.Get(n, "data"), key) == nil && yamldoc.Get(yamldoc.Get(n, "stringData"), key) == nil {
			c.report(yamldoc.Get(n, "type"), codeMissingField, "add it below data: or stringData:",
				"a Secret of the type %s needs the key %s", of, key)
		}
	}
}

// checkMap checks a map as a whole.
func (c *checker) checkMap(n *yaml.Node, s spot) {
	if s.field != "ObjectMeta.annotations" {
		return
	}
	size := 0
	for _, part := range n.Content {
		size += len(part.Value)
	}
	if size > mostAnnotations {
		c.report(n, codeBadValue, "move the content to a ConfigMap", "%s have %d bytes, more than 256 KiB", s.path, size)
	}
}
