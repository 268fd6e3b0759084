// Package cluster starts and stops the Kubernetes clusters of the tests: two
// complete ones, cluster01 and cluster02, on one Linux machine without a container
// engine or an image registry, and one with fake nodes for large tests.
//
//	pair, err := cluster.Up(ctx, cluster.Options{})    // at once if they are up already
//	pair.Kubeconfig                                    // a file with the contexts cluster01 and cluster02
//	pair.Clusters()[0].Config()                        // for client-go
//	err = pair.Provide(ctx, image.Source{Dir: dir, Name: name}) // an image for both
//	err = pair.Cluster01.StopAPIServer(ctx)
//	err = cluster.Down(cluster.Options{})
//
// A test package's TestMain calls Main, which calls Up and Down. Packages share
// the pair and run one after the other (go test -p 1), because some stop an API
// server. Each test works in namespaces of its own. The command cmd/cluster does
// the same for people.
//
// With the environment variable E2E_CONTEXTS=a,b the pair is two contexts of
// the person's own kubeconfig instead: they appear under the names cluster01
// and cluster02 too, nothing is built or stopped, and Pair.Owned is false. E2E_STATE
// moves the state directory, E2E_KEEP=1 keeps the clusters that tests have started.
//
// # How it works
//
// Each cluster is one process tree under a supervisor, which is process 1 of
// namespaces of its own (processes, mounts, network). Its etcd, API server,
// kubelet, containerd and pods see the usual paths and ports and do not conflict
// with anything on the host. They vanish with the supervisor, and so do their
// mounts, iptables rules, bridges and sockets. Down removes the rest: the control
// groups and the state directory.
//
// A bridge, sluice0, joins host and clusters. Everything below is reachable
// from the host and from pods of either cluster:
//
//	           API server            pods            services
//	host       172.29.250.1
//	cluster01  172.29.250.11:6443    10.211.0.0/16   10.212.0.0/16
//	cluster02  172.29.250.12:6443    10.213.0.0/16   10.214.0.0/16
//	kwok       172.29.250.13:6443    10.215.0.0/16   10.216.0.0/16
//
// The StorageClasses csi and csi-wait, with the VolumeSnapshotClass csi, have real
// limits of size, snapshots and clones, see package csi. Their files are below
// <state>/<cluster>/csi, on loop devices that the kernel releases with the mounts.
// The default StorageClass, standard, has none of that: it binds every claim at
// once to a directory under <state>/<cluster>/volumes, see package volume. DNS
// answers names in cluster.local only.
//
// It may import packages image and volume and client-go. Start with up.go; the
// programs of a cluster are in parts.go, the process that watches over them in
// supervisor.go.
package cluster
