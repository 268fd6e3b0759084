package csi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const (
	// Name is the driver's, in classes and volumes.
	Name = "csi.sluice.e2e"
	// Topology is the label with the name of a volume's node.
	Topology = "topology.csi.sluice.e2e/node"

	version = "1"
)

// Paths are where a driver keeps and offers everything.
type Paths struct {
	Dir          string // the pool and its volumes
	Socket       string // serves CSI
	Registration string // tells kubelet of Socket; not served if empty
}

// A driver serves the volumes of one node. Its methods that gRPC calls are in identity.go, controller.go, snapshot.go,
// group.go and node.go.
type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	csi.UnimplementedGroupControllerServer
	csi.UnimplementedNodeServer

	node      string
	volumes   store
	snapshots store
	groups    store  // of snapshots; without images
	mounts    string // a directory with a mount point for each volume in use

	mu sync.Mutex // one request at a time changes anything
}

// Run serves the volumes of a node until ctx ends. After an interruption it continues where it was.
func Run(ctx context.Context, node string, paths Paths) error {
	pool := filepath.Join(paths.Dir, "pool")
	if err := mountPool(pool, filepath.Join(paths.Dir, "pool.xfs")); err != nil {
		return fmt.Errorf("mount the pool: %w", err)
	}
	d := &driver{node: node, volumes: store{filepath.Join(pool, "volumes")},
		snapshots: store{filepath.Join(pool, "snapshots")},
		groups:    store{filepath.Join(pool, "groups")}, mounts: filepath.Join(paths.Dir, "mounts")}
	for _, dir := range []string{d.volumes.dir, d.snapshots.dir, d.groups.dir, d.mounts} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := d.thawAll(); err != nil {
		return err
	}
	return d.serve(ctx, paths)
}

func (d *driver) serve(ctx context.Context, paths Paths) error {
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, d)
	csi.RegisterControllerServer(server, d)
	csi.RegisterGroupControllerServer(server, d)
	csi.RegisterNodeServer(server, d)
	servers := map[string]*grpc.Server{paths.Socket: server}
	if paths.Registration != "" {
		registrar := grpc.NewServer()
		registration.RegisterRegistrationServer(registrar, plugin{socket: paths.Socket})
		servers[paths.Registration] = registrar
	}
	failed := make(chan error, len(servers))
	for path, s := range servers {
		listener, err := listen(path)
		if err != nil {
			return err
		}
		go func() { failed <- s.Serve(listener) }()
		defer s.Stop()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// listen replaces the socket of a driver that has ended.
func listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}
