package manifest

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// hookAnnotations say that other systems run an object at a moment of their own.
var hookAnnotations = map[string]string{"helm.sh/hook": "Helm", "argocd.argoproj.io/hook": "Argo CD"}

// hookLists name the list of steps that runs at the moment of a hook.
var hookLists = map[string]string{
	"pre-install": "beforeDeployment", "pre-upgrade": "beforeDeployment", "PreSync": "beforeDeployment",
	"post-install": "afterDeployment", "post-upgrade": "afterDeployment", "PostSync": "afterDeployment",
	"test": "afterDeployment", "test-success": "afterDeployment",
	"pre-rollback": "onRollback", "post-rollback": "onRollback", "SyncFail": "onRollback",
}

// ignoredAnnotations tell other systems in which order to apply objects and what to delete.
var ignoredAnnotations = []string{
	"argocd.argoproj.io/sync-wave", "argocd.argoproj.io/sync-options", "config.kubernetes.io/depends-on",
	"kapp.k14s.io/change-group", "kapp.k14s.io/change-rule", "kustomize.toolkit.fluxcd.io/prune",
	"helm.sh/resource-policy",
}

// checkAnnotations reports what annotations ask of other systems, and returns false for an object that must not be
// applied. A hook is one: applied with the others, it would run in every release.
func (r *reader) checkAnnotations(n *yaml.Node) bool {
	annotations := yamldoc.Get(yamldoc.Get(n, "metadata"), "annotations")
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return true
	}
	ordinary := true
	for i := 0; i+1 < len(annotations.Content); i += 2 {
		key, value := annotations.Content[i], text(annotations.Content[i+1])
		if system := hookAnnotations[key.Value]; system != "" && value != "" && !r.hooks {
			ordinary = false
			r.hook(key, n, system, value)
		}
		if slices.Contains(ignoredAnnotations, key.Value) && !r.ignored[key.Value] {
			r.ignored[key.Value] = true
			r.warn(key, codeIgnoredAnnotation, "see the order with: sluice plan; for a step before or after it, use runJob",
				"the annotation "+key.Value+" has no effect: objects are applied in the order of their kinds, each step waits "+
					"until they are ready, and only prune deletes")
		}
	}
	return ordinary
}

// hook reports a hook. One that only tests is left out, as helm install leaves it out.
func (r *reader) hook(key, n *yaml.Node, system, moments string) {
	what := fmt.Sprintf("%s/%s is a hook of %s (%.100q)", word(yamldoc.Get(n, "kind")),
		word(yamldoc.Get(yamldoc.Get(n, "metadata"), "name")), system, moments)
	if moments == "test" || moments == "test-success" {
		r.warn(key, codeHook, hookHint(n, moments), what+"; it is left out")
		return
	}
	r.report(key, codeHook, hookHint(n, moments), "%s, but Sluice runs no hooks", what)
}

// hookHint says what does the same in a deploy file.
func hookHint(n *yaml.Node, moments string) string {
	name := word(yamldoc.Get(yamldoc.Get(n, "metadata"), "name"))
	kind := text(yamldoc.Get(n, "kind"))
	if strings.Contains(moments, "crd-install") {
		return "remove the annotation: Sluice applies definitions first; or apply it in an earlier target"
	}
	var lists []string
	for moment := range strings.SplitSeq(moments, ",") {
		if list := hookLists[strings.TrimSpace(moment)]; list != "" && !slices.Contains(lists, list) {
			lists = append(lists, list)
		}
	}
	if len(lists) == 0 && moments != "Sync" {
		return "remove it from the manifests: a deployment has no such moment"
	}
	if kind != "Job" && kind != "Pod" || len(lists) == 0 {
		return "remove the annotation, and it is applied with the other objects"
	}
	hint := "move it to a file of its own, and add to the target: " + snippet(lists[0], name)
	for _, list := range lists[1:] {
		hint += ", and the same to " + list
	}
	if kind == "Pod" {
		hint += "; make it a Job"
	}
	return hint
}

// snippet is what runs a Job in a list of a target.
func snippet(list, name string) string {
	step := list + ": [{runJob: {name: " + name + ", path: FILE}}]"
	if list == "onRollback" {
		return step
	}
	return "constraints: {" + step + "}"
}
