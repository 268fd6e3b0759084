package cluster

import (
	"context"
	"os"
	"path/filepath"
)

// snapshotClient is the module with the definitions of snapshots.
const snapshotClient = "github.com/kubernetes-csi/external-snapshotter/client/v8"

// The programs that connect a CSI driver to Kubernetes.
var (
	provisionerProgram        = sidecar("csi-provisioner", "external-provisioner/v5")
	snapshotterProgram        = sidecar("csi-snapshotter", "external-snapshotter/v8")
	snapshotControllerProgram = sidecar("snapshot-controller", "external-snapshotter/v8")
)

func sidecar(name, module string) program {
	return program{name, "sidecar", "github.com/kubernetes-csi/" + module + "/cmd/" + name, ""}
}

const (
	groupSnapshots     = "--feature-gates=CSIVolumeGroupSnapshot=true"
	driverSocket       = "/var/lib/kubelet/plugins/csi.sluice.e2e/csi.sock"
	registrationSocket = "/var/lib/kubelet/plugins_registry/csi.sluice.e2e-reg.sock"
)

// storage returns the parts that serve claims and snapshots of the CSI driver.
func (s spec) storage(ctx context.Context) ([]part, error) {
	client, err := moduleFiles(ctx, "sidecar", snapshotClient)
	if err != nil {
		return nil, err
	}
	// The driver's part also installs the definitions of snapshots, which the later parts need.
	definitions := s.file("crds")
	// The module cache may be in a directory that the cluster hides.
	if err := os.CopyFS(definitions, os.DirFS(filepath.Join(client, "config", "crd"))); err != nil {
		return nil, err
	}
	driver := part{Name: "csi", Gate: true, Probe: "unix://" + driverSocket,
		Args: []string{filepath.Join(s.Binaries, supervisorProgram.name), "csi", s.Name, s.admin(), s.file("csi"),
			driverSocket, registrationSocket, definitions}}
	return []part{driver,
		s.sidecar(provisionerProgram, "--csi-address="+driverSocket, "--enable-capacity", "--capacity-ownerref-level=-1",
			"--capacity-poll-interval=5s", "--extra-create-metadata"),
		s.sidecar(snapshotterProgram, "--csi-address="+driverSocket, "--timeout=10s", groupSnapshots),
		s.sidecar(snapshotControllerProgram, groupSnapshots)}, nil
}

func (s spec) sidecar(p program, args ...string) part {
	// The provisioner puts its objects with free capacity into that namespace.
	common := []string{"/usr/bin/env", "NAMESPACE=kube-system", filepath.Join(s.Binaries, p.name),
		"--kubeconfig=" + s.admin(), requestRate, requestBurst,
		"--retry-interval-start=200ms", "--retry-interval-max=5s"}
	return part{Name: p.name, Args: append(common, args...)}
}
