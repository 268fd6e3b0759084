// Package kwok pins KWOK, which simulates the nodes of the cluster for large tests:
// go build sigs.k8s.io/kwok/cmd/kwok in this directory. It is a module of its
// own, because KWOK needs a newer Kubernetes than node has.
package kwok
