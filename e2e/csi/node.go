package csi

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: d.node, AccessibleTopology: d.topology()}, nil
}

func (d *driver) NodeGetCapabilities(context.Context,
	*csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	answer := &csi.NodeGetCapabilitiesResponse{}
	for _, kind := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
		csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: kind}}})
	}
	return answer, nil
}

// mountPoint is where the file system of a volume is mounted while pods use it.
func (d *driver) mountPoint(id string) string { return filepath.Join(d.mounts, id) }

// content is the directory of the file system that pods see. Its root has a directory lost+found.
func (d *driver) content(id string) string { return filepath.Join(d.mountPoint(id), "content") }

// NodeStageVolume mounts the volume at a place of the driver's, where it can freeze it. It needs no staging directory.
func (d *driver) NodeStageVolume(_ context.Context,
	r *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetStagingTargetPath() == "" || r.GetVolumeCapability() == nil {
		return nil, status.Error(codes.InvalidArgument, "volume_id, staging_target_path or volume_capability is missing")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.volumes.find(r.GetVolumeId()); err != nil {
		return nil, err
	}
	return &csi.NodeStageVolumeResponse{}, d.mountVolume(r.GetVolumeId())
}

func (d *driver) mountVolume(id string) error {
	point := d.mountPoint(id)
	if mounted, err := isMountPoint(point); err != nil || mounted {
		return err
	}
	if err := os.MkdirAll(point, 0o700); err != nil {
		return err
	}
	if err := run("mount", "-t", "ext4", "-o", "loop", d.volumes.image(id), point); err != nil {
		return err
	}
	err := os.Mkdir(d.content(id), 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Any user of the pod must be able to write, whatever the mask of this process is.
	return os.Chmod(d.content(id), 0o777)
}

func (d *driver) NodeUnstageVolume(_ context.Context,
	r *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetStagingTargetPath() == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id or staging_target_path is missing")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.GetVolumeId() != filepath.Base(r.GetVolumeId()) {
		return nil, status.Errorf(codes.NotFound, "there is no %q", r.GetVolumeId())
	}
	return &csi.NodeUnstageVolumeResponse{}, unmount(d.mountPoint(r.GetVolumeId()))
}

func (d *driver) NodePublishVolume(_ context.Context,
	r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetTargetPath() == "" || r.GetVolumeCapability() == nil {
		return nil, status.Error(codes.InvalidArgument, "volume_id, target_path or volume_capability is missing")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.volumes.find(r.GetVolumeId()); err != nil {
		return nil, err
	}
	if staged, err := isMountPoint(d.mountPoint(r.GetVolumeId())); err != nil {
		return nil, err
	} else if !staged {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is not staged", r.GetVolumeId())
	}
	return &csi.NodePublishVolumeResponse{}, bind(d.content(r.GetVolumeId()), r.GetTargetPath(), r.GetReadonly())
}

func bind(from, to string, readonly bool) error {
	if mounted, err := isMountPoint(to); err != nil || mounted {
		return err
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil || !readonly {
		return err
	}
	return unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

func (d *driver) NodeUnpublishVolume(_ context.Context,
	r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if r.GetVolumeId() == "" || r.GetTargetPath() == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id or target_path is missing")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return &csi.NodeUnpublishVolumeResponse{}, unmount(r.GetTargetPath())
}

// unmount removes a mount point with its mount. It does nothing if there is none.
func unmount(dir string) error {
	if mounted, err := isMountPoint(dir); err != nil {
		return err
	} else if mounted {
		if err := unix.Unmount(dir, 0); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *driver) NodeGetVolumeStats(_ context.Context,
	r *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	if r.GetVolumeId() == "" || r.GetVolumePath() == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id or volume_path is missing")
	}
	if _, err := d.volumes.find(r.GetVolumeId()); err != nil {
		return nil, err
	}
	if mounted, err := isMountPoint(r.GetVolumePath()); err != nil {
		return nil, err
	} else if !mounted {
		return nil, status.Errorf(codes.NotFound, "nothing is mounted at %s", r.GetVolumePath())
	}
	var s unix.Statfs_t
	if err := unix.Statfs(r.GetVolumePath(), &s); err != nil {
		return nil, err
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{
		{Unit: csi.VolumeUsage_BYTES, Total: int64(s.Blocks) * s.Bsize, Available: int64(s.Bavail) * s.Bsize,
			Used: int64(s.Blocks-s.Bfree) * s.Bsize},
		{Unit: csi.VolumeUsage_INODES, Total: int64(s.Files), Available: int64(s.Ffree), Used: int64(s.Files - s.Ffree)},
	}}, nil
}

// thawAll ends the freeze of a driver that was killed meanwhile.
func (d *driver) thawAll() error {
	entries, err := os.ReadDir(d.mounts)
	if err != nil {
		return err
	}
	for _, e := range entries {
		err := thaw(d.mountPoint(e.Name()))
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) { // EINVAL: it is not frozen
			return err
		}
	}
	return nil
}
