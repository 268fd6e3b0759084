// Package sidecar pins the programs that connect a CSI driver to Kubernetes: csi-provisioner, snapshot-controller and
// csi-snapshotter. It is a module of its own, with the libraries' versions of e2e, so that both share what is built.
package sidecar
