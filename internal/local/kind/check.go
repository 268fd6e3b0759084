package kind

import (
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
)

func invalid(what string, args ...any) error {
	return sluice.Errorf(sluice.Invalid, what, args...)
}

func checkService(v any) error {
	s := v.(*corev1.Service)
	if len(s.Spec.Selector) == 0 {
		return Unsupported(sluice.Ref{Kind: "Service", Name: s.Name}, "an empty spec.selector")
	}
	names := map[string]bool{}
	for _, p := range s.Spec.Ports {
		if p.Port < 1 || p.Port > 65535 {
			return invalid("Service/%s has the port %d, which is not between 1 and 65535", s.Name, p.Port)
		}
		if names[p.Name] {
			return invalid("Service/%s has several ports with the name %q", s.Name, p.Name)
		}
		names[p.Name] = true
	}
	return nil
}

func checkDeployment(v any) error {
	d := v.(*appsv1.Deployment)
	if t := d.Spec.Strategy.Type; t != "" && t != appsv1.RollingUpdateDeploymentStrategyType &&
		t != appsv1.RecreateDeploymentStrategyType {
		return invalid("Deployment/%s has the strategy %q; RollingUpdate and Recreate exist", d.Name, t)
	}
	ref := sluice.Ref{Kind: "Deployment", Name: d.Name}
	return checkTemplate(ref, d.Spec.Selector, d.Spec.Template, corev1.RestartPolicyAlways)
}

func checkStatefulSet(v any) error {
	s := v.(*appsv1.StatefulSet)
	ref := sluice.Ref{Kind: "StatefulSet", Name: s.Name}
	claims := map[string]bool{}
	for _, c := range s.Spec.VolumeClaimTemplates {
		claims[c.Name] = true
	}
	t := s.Spec.Template.DeepCopy()
	for name := range claims {
		t.Spec.Volumes = append(t.Spec.Volumes,
			corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	}
	return checkTemplate(ref, s.Spec.Selector, *t, corev1.RestartPolicyAlways)
}

func checkJob(v any) error {
	j := v.(*batchv1.Job)
	policy := j.Spec.Template.Spec.RestartPolicy
	if policy != corev1.RestartPolicyNever && policy != corev1.RestartPolicyOnFailure {
		return invalid("Job/%s has the restartPolicy %q", j.Name, policy)
	}
	return checkTemplate(sluice.Ref{Kind: "Job", Name: j.Name}, nil, j.Spec.Template, policy)
}

func checkTemplate(ref sluice.Ref, selector *metav1.LabelSelector, t corev1.PodTemplateSpec,
	policy corev1.RestartPolicy) error {
	if p := t.Spec.RestartPolicy; p != "" && p != policy {
		return invalid("%s has the restartPolicy %q; pods of a %s are always restarted", ref, p, ref.Kind)
	}
	if len(t.Spec.Containers) == 0 {
		return invalid("%s has no containers", ref)
	}
	if ref.Kind != "Job" {
		sel, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			return invalid("%s: spec.selector: %w", ref, err)
		}
		if sel.Empty() || !sel.Matches(labels.Set(t.Labels)) {
			return invalid("spec.selector of %s does not match the labels of its template", ref)
		}
	}
	names := map[string]bool{}
	for _, c := range slices.Concat(t.Spec.InitContainers, t.Spec.Containers) {
		if c.Name == "" || names[c.Name] || strings.ContainsAny(c.Name, "/.") {
			return invalid("%s has a container whose name %q is missing, repeated or not a valid label", ref, c.Name)
		}
		names[c.Name] = true
		if err := checkContainer(ref, t.Spec, c); err != nil {
			return err
		}
	}
	return checkInitial(ref, t.Spec.InitContainers)
}

// checkInitial refuses what only a container that lasts can have.
func checkInitial(ref sluice.Ref, containers []corev1.Container) error {
	for _, c := range containers {
		if c.RestartPolicy != nil {
			continue
		}
		if c.Lifecycle != nil || c.ReadinessProbe != nil || c.LivenessProbe != nil || c.StartupProbe != nil {
			return invalid("the init container %s of %s has probes or a lifecycle, which only a sidecar may have", c.Name, ref)
		}
	}
	return nil
}

func checkContainer(ref sluice.Ref, spec corev1.PodSpec, c corev1.Container) error {
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
	}
	var seen []string
	for _, m := range c.VolumeMounts {
		at := path.Clean("/" + m.MountPath)
		if !volumes[m.Name] {
			return invalid("container %s of %s mounts the volume %q, which does not exist", c.Name, ref, m.Name)
		}
		if at == "/" || strings.Contains(m.MountPath, "..") || strings.Contains(m.SubPath, "..") {
			return invalid("container %s of %s has the mount path %q", c.Name, ref, m.MountPath)
		}
		for _, s := range seen {
			if at == s || strings.HasPrefix(at, s+"/") || strings.HasPrefix(s, at+"/") {
				return Unsupported(ref, "mount path "+at+" within "+s)
			}
		}
		seen = append(seen, at)
	}
	return checkProbes(ref, c)
}

func checkProbes(ref sluice.Ref, c corev1.Container) error {
	probes := map[string]*corev1.Probe{
		"readinessProbe": c.ReadinessProbe, "livenessProbe": c.LivenessProbe, "startupProbe": c.StartupProbe,
	}
	for name, p := range probes {
		if p == nil {
			continue
		}
		n := 0
		for _, set := range []bool{p.HTTPGet != nil, p.TCPSocket != nil, p.Exec != nil} {
			if set {
				n++
			}
		}
		if n != 1 {
			return invalid("%s of container %s of %s has %d checks instead of one", name, c.Name, ref, n)
		}
	}
	return nil
}
