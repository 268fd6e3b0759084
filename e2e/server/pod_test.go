package server_test

import (
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// pipeline is a pod that deploys through the servers, with a token that the cluster issues to it: see docs/server.md.
const pipeline = `
apiVersion: batch/v1
kind: Job
metadata: {name: pipeline}
spec:
  backoffLimit: 0
  template:
    spec:
      serviceAccountName: deployer
      automountServiceAccountToken: false
      restartPolicy: Never
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: sluice
          image: {{.Sluice}}
          imagePullPolicy: Never
          args: [run, -f, /deploy/deploy.yaml, --server, "{{.Address}}"]
          env:
            - {name: SLUICE_TOKEN_FILE, value: /token/token}
            - {name: SLUICE_CA_FILE, value: /deploy/ca.pem}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: deploy, mountPath: /deploy}, {name: token, mountPath: /token}]
      volumes:
        - name: token
          projected: {sources: [{serviceAccountToken: {path: token, audience: "{{.Address}}"}}]}
        - name: deploy
          configMap:
            name: pipeline
            items:
              - {key: deploy.yaml, path: deploy.yaml}
              - {key: ca.pem, path: ca.pem}
              - {key: web.yaml, path: manifests/web.yaml}
`

// aPodDeploys runs the deploy file in a pod, which proves by its projected token that it may.
func (s *servers) aPodDeploys() {
	s.Helper()
	files := object{}
	for _, name := range []string{"deploy.yaml", "ca.pem", "manifests/web.yaml"} {
		files[filepath.Base(name)] = string(s.file(s.Dir, name))
	}
	s.Put(string(s.marshal(object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "pipeline"}, "data": files,
	})))
	s.Value("Sluice", world.Sluice().Name)
	s.Value("Address", s.address)
	s.Put(pipeline)
	s.Until("Job", "pipeline", "at its end", func(o sluice.Object) bool {
		for _, c := range o.List("status", "conditions") {
			if c.Text("type") == "Failed" && c.Text("status") == "True" {
				s.Fatalf("the pod failed:\n%s", s.printed("job-name=pipeline"))
			}
			if c.Text("type") == "Complete" && c.Text("status") == "True" {
				return true
			}
		}
		return false
	})
}

// printed returns the output of the first pod with the labels.
func (s *servers) printed(labels string) string {
	s.Helper()
	pod := s.List("Pod", labels)[0].Text("metadata", "name")
	out, err := s.client.CoreV1().Pods(s.Namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(s.Context())
	s.try(err)
	return string(out)
}
