package charttest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/internal/config"
)

// kinds returns a value of Kubernetes' own type for each kind that a server may consist of.
func kinds() map[string]any {
	return map[string]any{
		"v1/ConfigMap": &corev1.ConfigMap{}, "v1/Service": &corev1.Service{}, "v1/ServiceAccount": &corev1.ServiceAccount{},
		"apps/v1/Deployment": &appsv1.Deployment{}, "apps/v1/StatefulSet": &appsv1.StatefulSet{},
		"networking.k8s.io/v1/NetworkPolicy": &networkingv1.NetworkPolicy{},
		"networking.k8s.io/v1/Ingress":       &networkingv1.Ingress{},
		"policy/v1/PodDisruptionBudget":      &policyv1.PodDisruptionBudget{},
	}
}

// decodes reads the objects into Kubernetes' own types, which refuse unknown keys, and returns the pod of the servers.
func decodes(t *testing.T, all map[string]object) (pod corev1.PodSpec) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		o := all[name]
		into := kinds()[o["apiVersion"].(string)+"/"+o["kind"].(string)]
		if into == nil {
			t.Errorf("%s is of the kind %s %s", name, o["apiVersion"], o["kind"])
			continue
		}
		text, err := yaml.Marshal(o)
		if err == nil {
			err = yaml.UnmarshalStrict(text, into)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		switch o := into.(type) {
		case *appsv1.Deployment:
			pod = o.Spec.Template.Spec
		case *appsv1.StatefulSet:
			pod = o.Spec.Template.Spec
		}
	}
	return pod
}

func TestServers(t *testing.T) {
	for variant := range variants {
		for from, all := range map[string]map[string]object{
			"plain": plain(t, variant), "chart": rendered(t, values(t, variant)),
		} {
			t.Run(variant+"/"+from, func(t *testing.T) {
				pod := decodes(t, all)
				isRestricted(t, pod)
				configIsRight(t, all)
				filesAreMounted(t, pod, all["ConfigMap/sluice"]["data"].(object)["sluice.yaml"].(string))
			})
		}
	}
}

// isRestricted checks what the Pod Security Standard of that name demands, and that nothing in the image is written.
func isRestricted(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	s := pod.SecurityContext
	if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser != 65532 ||
		s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod runs with %+v", s)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC || len(pod.Containers) != 1 || len(pod.InitContainers) > 0 {
		t.Errorf("the pod is %+v", pod)
	}
	c := pod.Containers[0].SecurityContext
	if c == nil || c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation || c.ReadOnlyRootFilesystem == nil ||
		!*c.ReadOnlyRootFilesystem || c.Capabilities == nil || !slices.Contains(c.Capabilities.Drop, "ALL") ||
		len(c.Capabilities.Add) > 0 || c.Privileged != nil {
		t.Errorf("the container runs with %+v", c)
	}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			t.Errorf("the volume %s is a directory of the node", v.Name)
		}
	}
}

// configIsRight checks that Sluice reads the sluice.yaml without a finding, and may listen as it says.
func configIsRight(t *testing.T, all map[string]object) {
	t.Helper()
	text := all["ConfigMap/sluice"]["data"].(object)["sluice.yaml"].(string)
	c, ds := config.Parse("/etc/sluice/sluice.yaml", []byte(text))
	if len(ds) > 0 {
		t.Fatalf("%v\n%s", ds, text)
	}
	if err := c.Server.CheckListen(); err != nil {
		t.Error(err)
	}
	if c.Server.Key.File == "" || c.Server.IsOpen() {
		t.Errorf("the server is %+v", c.Server)
	}
}

var secretFile = regexp.MustCompile(`/run/secrets/sluice[^\s,}"]*`)

// filesAreMounted checks that every file of a Secret that sluice.yaml names is in a volume.
func filesAreMounted(t *testing.T, pod corev1.PodSpec, text string) {
	t.Helper()
	named := secretFile.FindAllString(text, -1)
	if len(named) < 3 {
		t.Errorf("sluice.yaml names only %q", named)
	}
	for _, file := range named {
		if !slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.ReadOnly && strings.HasPrefix(file, m.MountPath+"/")
		}) {
			t.Errorf("%s is in no volume", file)
		}
	}
}
