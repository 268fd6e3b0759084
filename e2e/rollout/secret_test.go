package rollout_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// marked is a Secret with two markers, which any part of them shows, and a Pod's program that repeats one.
const marked = `
apiVersion: v1
kind: Secret
metadata: {name: login}
type: {{.Type}}
stringData: {PASSWORD: m4rker-manifest-5ecret}
data: {{.Data}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  progressDeadlineSeconds: 10
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: {{.Image}}
          imagePullPolicy: Never
          args: ["$(PASSWORD)"]
          envFrom: [{secretRef: {name: login}}]
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
          resources: {requests: {cpu: 1m, memory: 8Mi}}
`

// markers are a part of a secret, also in base64.
var markers = regexp.MustCompile(`(?i)m4rker|5ecret|(?-i:bTRya2Vy|00cmtlc|NHJrZX)`)

// TestNoSecretComesOut: an API server that refuses a Secret, and a pod that repeats one, are told without it.
func TestNoSecretComesOut(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.file("canary: {steps: [{setWeight: {weight: 100}}]}")
	for _, test := range []struct{ kind, data string }{
		{"kubernetes.io/dockerconfigjson", `{.dockerconfigjson: bTRya2VyLWRhdGEtNWVjcmV0}`},
		{"kubernetes.io/tls", `{tls.key: bTRya2VyLWRhdGEtNWVjcmV0}`},
		{"Opaque", `{TOKEN: m4rker-no-base64-5ecret}`},
		{"Opaque", `{TOKEN: bTRya2VyLWRhdGEtNWVjcmV0}`},
	} {
		s.Value("Type", test.kind)
		s.Value("Data", test.data)
		s.Write("manifests/web.yaml", marked)
		r := s.Start("run", "-f", "deploy.yaml").Wait()
		if r.Status == 0 {
			t.Errorf("%s of %s was to fail", test.kind, test.data)
		}
		if said := r.Err + r.Story(); markers.MatchString(said) {
			t.Errorf("%s of %s: %s", test.kind, test.data, said)
		}
	}
	noMarkers(t, filepath.Join(s.Dir, ".sluice"))
}

// noMarkers fails the test if a file in the state directory holds a part of a secret.
func noMarkers(t *testing.T, state string) {
	t.Helper()
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if at := markers.FindIndex(content); at != nil {
			t.Errorf("%s holds %q", path, content[max(0, at[0]-100):min(len(content), at[1]+100)])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
