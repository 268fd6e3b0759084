// Package agent is the process behind a local account. It keeps the objects, runs the controllers that implement them,
// supervises the pods' processes and answers on a unix socket. It does what the kubelet, kube-proxy and the controllers
// do in a cluster. It imports the root package and the packages beside it under internal/local.
//
// One goroutine makes all decisions of the controllers, from the state in memory; see [Agent]. What must
// survive kill -9 is in files: objects (store.go), pods and their processes (record.go), volumes.
// Start reading at [Run].
package agent
