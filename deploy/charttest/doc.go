// Package charttest compares the chart with the plain manifests of a server, and both with what Kubernetes and Sluice
// accept. It is a module of its own, because Helm's library brings many others. It holds only tests, which start at
// chart_test.go.
package charttest
