// Package plantest makes large deploy files and measures how long it takes to read and plan them. It may import
// anything. Only tests and benchtable import it. Start at [MeasureLarge].
package plantest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
)

// LargeFile is the name of the deploy file that [WriteLarge] writes.
const LargeFile = "deploy.yaml"

const manifests = `apiVersion: v1
kind: ConfigMap
metadata: {name: shop-%[1]d}
data: {release: "1"}
---
apiVersion: v1
kind: Service
metadata: {name: shop-%[1]d}
spec: {selector: {app: shop-%[1]d}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop-%[1]d, labels: {app: shop-%[1]d}}
spec:
  replicas: 3
  selector: {matchLabels: {app: shop-%[1]d}}
  template:
    metadata: {labels: {app: shop-%[1]d}}
    spec:
      containers:
        - name: shop
          image: example.com/shop:1
          env: [{name: A, value: a}, {name: B, value: b}]
          readinessProbe: {httpGet: {path: /, port: 8080}}
`

const target = `  target-%[1]d:
    account: account-%[2]d
    namespace: shop-%[1]d
    strategy: canary
    constraints:
      beforeDeployment:
        - pause: {duration: 10, unit: seconds}
        - runWebhook: {name: tell, context: {who: me}}
      afterDeployment:
        - runWebhook: {name: smoke}
`

const blocks = `manifests: [{path: manifests}]
strategies:
  canary:
    canary:
      steps:
        - setWeight: {weight: 10}
        - analysis: {queries: [errors, latency], interval: 30, units: seconds, numberOfJudgmentRuns: 4}
        - pause: {untilApproved: true, approvalExpiration: {duration: 1, unit: hours}}
        - setWeight: {weight: 50}
        - runWebhook: {name: smoke}
analysis:
  defaultMetricProviderName: prometheus
  queries:
    - {name: errors, queryTemplate: "sum(errors)", upperLimit: 1}
    - {name: latency, queryTemplate: "max(latency)", upperLimit: 1}
webhooks:
  - {name: smoke, uriTemplate: "https://example.com/smoke", headers: [{key: Accept, value: text/plain}]}
  - {name: tell, uriTemplate: "https://example.com/tell", disableCallback: true}
`

// WriteLarge writes a deploy file into dir. Each target has gates, a canary and nine objects.
func WriteLarge(dir string, targets int) error {
	var b strings.Builder
	b.WriteString("version: v1\nkind: kubernetes\napplication: large\ntargets:\n")
	for i := range targets {
		fmt.Fprintf(&b, target, i, i%10)
		if i > 0 {
			fmt.Fprintf(&b, "      dependsOn: [target-%d]\n", (i-1)/2)
		}
	}
	b.WriteString(blocks)
	if err := os.MkdirAll(filepath.Join(dir, "manifests"), 0o700); err != nil {
		return err
	}
	for i := range 3 {
		file := filepath.Join(dir, "manifests", fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, fmt.Appendf(nil, manifests, i), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, LargeFile), []byte(b.String()), 0o600)
}

// Compile reads, checks and plans the deploy file that [WriteLarge] wrote into dir.
func Compile(dir string) (*sluice.Plan, error) {
	data, err := os.ReadFile(filepath.Join(dir, LargeFile))
	if err != nil {
		return nil, err
	}
	spec, ds := deployfile.Parse(LargeFile, data)
	if spec == nil {
		return nil, ds
	}
	p, ds := plan.Compile(spec, plan.Options{Root: dir})
	if p == nil {
		return nil, ds
	}
	return p, nil
}

// MeasureLarge returns how long it takes to read, check and plan a deploy file with that number of targets: the best of
// five runs.
func MeasureLarge(targets int) (best time.Duration, err error) {
	dir, err := os.MkdirTemp("", "sluice-large-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := WriteLarge(dir, targets); err != nil {
		return 0, err
	}
	for i := range 5 {
		start := time.Now()
		if _, err := Compile(dir); err != nil {
			return 0, err
		}
		if took := time.Since(start); i == 0 || took < best {
			best = took
		}
	}
	return best, nil
}
