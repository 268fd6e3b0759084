// Package agent is the process behind a local account. It keeps the objects, runs the controllers that implement them,
// supervises the pods' processes and answers on a unix socket. It does what the kubelet, kube-proxy and the controllers
// do in a cluster. It imports the root package and the packages beside it under internal/local.
//
// One goroutine makes all decisions of the controllers, from the state in memory; see [Agent]. What must
// survive kill -9 is in files: objects (store.go), pods and their processes (record.go), volumes.
//
// What an account claims on this machine is claimed by what runs, never by a file alone. So no claim is left behind
// after kill -9 or by a directory that is gone. The agent claims its directory with a lock, and its block of addresses
// with a socket; both end with its process. Without an agent, the pods claim the block: account, directory and address
// are in the environment of each of their processes; see [network].
//
// Start reading at [Run].
package agent
