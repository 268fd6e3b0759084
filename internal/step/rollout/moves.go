package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// While a Deployment has a canary, its Services must reach the pods of both versions: a Service has one selector and
// one target for each of its ports.

// checkMoves returns an error if a Service of a Deployment that gets a canary changes in a way that fits only one of
// the versions.
func checkMoves(findings []finding, canaries []sluice.Ref) error {
	for _, f := range findings {
		if f.declared.Text("kind") != "Deployment" || !slices.Contains(canaries, f.declared.Ref()) {
			continue
		}
		for _, s := range findings {
			if s.declared.Text("kind") != "Service" || s.was == nil {
				continue
			}
			if err := checkSelector(s, f); err != nil {
				return err
			}
			if err := checkPorts(s, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSelector returns an error if the Service selects the old version before and the new one after the release, but
// never both.
func checkSelector(service, deployment finding) error {
	old, fresh := deployment.was, deployment.declared
	if !sendsTo(service.was, old) || !sendsTo(service.declared, fresh) {
		return nil
	}
	if sendsTo(service.declared, old) && sendsTo(service.was, fresh) {
		return nil
	}
	var changed []string
	selector, _ := service.declared.Field("spec", "selector").(map[string]any)
	before, _ := service.was.Field("spec", "selector").(map[string]any)
	for _, labels := range []map[string]any{before, selector} {
		for key := range labels {
			isOld := old.Field("spec", "template", "metadata", "labels", key)
			isNew := fresh.Field("spec", "template", "metadata", "labels", key)
			if isOld != isNew && !isNarrowing(key) && !slices.Contains(changed, key) {
				changed = append(changed, key)
			}
		}
	}
	slices.Sort(changed)
	return sluice.Errorf(sluice.Unsupported,
		"the selector of %s has a label that changes with the version of %s (%s), so it cannot reach both versions",
		service.declared.Ref(), deployment.declared.Ref(), strings.Join(changed, ", ")).
		WithHint("leave %s out of the Service's selector in a release of its own, or roll out straight to 100 %%",
			strings.Join(changed, ", "))
}

// checkPorts returns an error if the Service gets a target port that the pods of the old version do not have.
func checkPorts(service, deployment finding) error {
	if !sendsTo(service.was, deployment.was) || !sendsTo(service.declared, deployment.declared) {
		return nil
	}
	for _, p := range service.declared.List("spec", "ports") {
		was := portLike(service.was, p)
		if was == nil || same(targetOf(was), targetOf(p)) || hasPort(deployment.was, targetOf(p)) {
			continue
		}
		return sluice.Errorf(sluice.Unsupported,
			"port %v of %s moves from target port %v to %v, which pods of the old version of %s do not have",
			p["port"], service.declared.Ref(), targetOf(was), targetOf(p), deployment.declared.Ref()).
			WithHint("give the container's port a name, and let targetPort be that name, in a release of its own: then " +
				"each version is reached at its own port")
	}
	return nil
}

// portLike returns the Service's port of the same name, or without names of the same number, nil if there is none.
func portLike(service, port sluice.Object) sluice.Object {
	for _, p := range service.List("spec", "ports") {
		if p.Text("name") == port.Text("name") && (port.Text("name") != "" || same(p["port"], port["port"])) {
			return p
		}
	}
	return nil
}

func targetOf(port sluice.Object) any {
	if t := port["targetPort"]; t != nil {
		return t
	}
	return port["port"]
}

// hasPort reports whether a container of the Deployment's pods declares the port, by its name or number.
func hasPort(deployment sluice.Object, target any) bool {
	return slices.ContainsFunc(deployment.List("spec", "template", "spec", "containers"), func(c sluice.Object) bool {
		return slices.ContainsFunc(c.List("ports"), func(p sluice.Object) bool {
			return p["name"] == target || same(p["containerPort"], target)
		})
	})
}

func same(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
