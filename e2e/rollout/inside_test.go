package rollout_test

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// delivery runs sluice in a pod, only with the given files and the rights of its ServiceAccount.
const delivery = `
apiVersion: batch/v1
kind: Job
metadata: {name: deliver-{{.Version}}}
spec:
  backoffLimit: 0
  template:
    spec:
      serviceAccountName: sluice
      restartPolicy: Never
      containers:
        - name: sluice
          image: {{.Sluice}}
          imagePullPolicy: Never
          args: [run, -f, /deploy/deploy.yaml, --state, /state]
          volumeMounts: [{name: deploy, mountPath: /deploy}, {name: state, mountPath: /state}]
      volumes:
        - {name: state, emptyDir: {}}
        - name: deploy
          configMap:
            name: deploy-{{.Version}}
            items:
              - {key: deploy.yaml, path: deploy.yaml}
              - {key: sluice.yaml, path: sluice.yaml}
              - {key: web.yaml, path: manifests/web.yaml}
`

func TestDeliversFromInsideTheCluster(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.Value("Sluice", world.Sluice().Name)
	s.Grant("observe", "logs", "apply", "rollout", "traffic")
	s.Write("sluice.yaml", "accounts: {cluster01: {type: kubernetes, inCluster: true}}\n")
	s.file(threeSteps)
	for _, version := range []string{"v1", "v2"} {
		s.release(version, "blue")
		s.deliverInside(version)
		s.expect("web", map[string]int{version: 4})
	}
}

// deliverInside runs sluice in the cluster until it has succeeded.
func (s shop) deliverInside(version string) {
	s.Helper()
	files := map[string]any{}
	for _, name := range []string{"deploy.yaml", "sluice.yaml", "manifests/web.yaml"} {
		data, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err != nil {
			s.Fatal(err)
		}
		files[filepath.Base(name)] = string(data)
	}
	config, err := yaml.Marshal(sluice.Object{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "deploy-" + version}, "data": files})
	if err != nil {
		s.Fatal(err)
	}
	s.Put(string(config))
	s.Put(delivery)
	s.Until("Job", "deliver-"+version, "at its end", func(o sluice.Object) bool {
		if isTrue(o, "Failed") {
			s.Fatalf("sluice in the cluster failed:\n%s", s.printed("deliver-"+version))
		}
		return isTrue(o, "Complete")
	})
}

// printed returns the output of the Job's pod.
func (s shop) printed(job string) string {
	s.Helper()
	client, err := s.Cluster.Client()
	if err != nil {
		s.Fatal(err)
	}
	pod := s.List("Pod", "job-name="+job)[0].Text("metadata", "name")
	out, err := client.CoreV1().Pods(s.Namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return string(out)
}
