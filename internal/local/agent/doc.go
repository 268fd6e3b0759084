// Package agent is the process behind a local account: it keeps the objects, runs the controllers that make
// them so, supervises the pods' processes and answers on a unix socket. It is what the kubelet, kube-proxy and
// the controllers are to a cluster. It imports the root package and the packages beside it under internal/local.
//
// Everything that controllers decide is decided by one goroutine from the state in memory; see [Agent] and
// controller.go. What must survive kill -9 is in files: objects (store.go), pods and their processes
// (record.go), volumes. Start reading at [Run].
package agent
