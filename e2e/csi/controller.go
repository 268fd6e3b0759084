package csi

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (d *driver) ControllerGetCapabilities(context.Context,
	*csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_GET_CAPACITY,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}}})
	}
	return answer, nil
}

func (d *driver) CreateVolume(_ context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if r.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume has no name")
	}
	if err := checkCapabilities(r.GetVolumeCapabilities()); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := newRecord(r.GetName())
	wanted.Source = sourceID(r.GetVolumeContentSource())
	old, err := d.volumes.find(wanted.ID)
	if err == nil {
		if !fits(old.Bytes, r.GetCapacityRange()) || old.Source != wanted.Source {
			return nil, status.Errorf(codes.AlreadyExists, "volume %s exists with another size or content", r.GetName())
		}
		return d.created(old, r.GetVolumeContentSource()), nil
	}
	if status.Code(err) != codes.NotFound {
		return nil, err
	}
	if err := d.makeVolume(&wanted, r); err != nil {
		return nil, err
	}
	return d.created(wanted, r.GetVolumeContentSource()), nil
}

// makeVolume sets the size of the volume and makes it, from its source if it has one.
func (d *driver) makeVolume(wanted *record, r *csi.CreateVolumeRequest) error {
	wanted.Bytes = max(r.GetCapacityRange().GetRequiredBytes(), minBytes)
	source, images, err := d.source(r.GetVolumeContentSource())
	if err != nil {
		return err
	}
	if wanted.Source != "" && r.GetCapacityRange().GetRequiredBytes() == 0 {
		wanted.Bytes = source.Bytes
	}
	free, err := d.free()
	if err != nil {
		return err
	}
	if !fits(wanted.Bytes, r.GetCapacityRange()) || wanted.Bytes < source.Bytes {
		return status.Errorf(codes.OutOfRange, "a volume of %d bytes is not possible: the smallest has %d bytes",
			wanted.Bytes, max(source.Bytes, minBytes))
	}
	if wanted.Bytes > free {
		return status.Errorf(codes.ResourceExhausted, "%d bytes are wanted, %d are free", wanted.Bytes, free)
	}
	return d.volumes.create(*wanted, func(path string) error {
		if wanted.Source == "" {
			return makeEmpty(path, wanted.Bytes)
		}
		if err := d.copy(images, source.ID, path); err != nil || wanted.Bytes == source.Bytes {
			return err
		}
		return grow(path, wanted.Bytes)
	})
}

// copy copies an image in one moment of its volume.
func (d *driver) copy(from store, id, path string) error {
	var dirs []string
	if from == d.volumes {
		var err error
		if dirs, err = d.mounted(id); err != nil {
			return err
		}
	}
	return frozen(dirs, func() error { return clone(from.image(id), path) })
}

// mounted returns the directory at which the volume is mounted, if it is.
func (d *driver) mounted(id string) ([]string, error) {
	if mounted, err := isMountPoint(d.mountPoint(id)); err != nil || !mounted {
		return nil, err
	}
	return []string{d.mountPoint(id)}, nil
}

func sourceID(s *csi.VolumeContentSource) string {
	if id := s.GetSnapshot().GetSnapshotId(); id != "" {
		return id
	}
	return s.GetVolume().GetVolumeId()
}

// source returns an empty record for a volume that begins empty.
func (d *driver) source(s *csi.VolumeContentSource) (record, store, error) {
	if s == nil {
		return record{}, store{}, nil
	}
	images := d.volumes
	if s.GetSnapshot() != nil {
		images = d.snapshots
	}
	r, err := images.find(sourceID(s))
	return r, images, err
}

func fits(bytes int64, r *csi.CapacityRange) bool {
	return bytes >= r.GetRequiredBytes() && (r.GetLimitBytes() == 0 || bytes <= r.GetLimitBytes())
}

func (d *driver) created(r record, source *csi.VolumeContentSource) *csi.CreateVolumeResponse {
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{VolumeId: r.ID, CapacityBytes: r.Bytes, ContentSource: source,
		AccessibleTopology: []*csi.Topology{d.topology()}}}
}

func (d *driver) topology() *csi.Topology {
	return &csi.Topology{Segments: map[string]string{Topology: d.node}}
}

func (d *driver) DeleteVolume(_ context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if r.GetVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id is missing")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.volumes.find(r.GetVolumeId()); status.Code(err) == codes.NotFound {
		return &csi.DeleteVolumeResponse{}, nil
	}
	if mounted, err := isMountPoint(d.mountPoint(r.GetVolumeId())); err != nil {
		return nil, err
	} else if mounted {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is in use", r.GetVolumeId())
	}
	return &csi.DeleteVolumeResponse{}, d.volumes.remove(r.GetVolumeId())
}

func (d *driver) ValidateVolumeCapabilities(_ context.Context,
	r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if r.GetVolumeId() == "" || len(r.GetVolumeCapabilities()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "volume_id or volume_capabilities is missing")
	}
	if _, err := d.volumes.find(r.GetVolumeId()); err != nil {
		return nil, err
	}
	if err := checkCapabilities(r.GetVolumeCapabilities()); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: err.Error()}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeContext: r.GetVolumeContext(), VolumeCapabilities: r.GetVolumeCapabilities(), Parameters: r.GetParameters(),
	}}, nil
}

// checkCapabilities allows file systems that one node mounts.
func checkCapabilities(all []*csi.VolumeCapability) error {
	if len(all) == 0 {
		return status.Error(codes.InvalidArgument, "volume_capabilities is missing")
	}
	for _, c := range all {
		if c.GetMount() == nil {
			return status.Error(codes.InvalidArgument, "this driver has only volumes with file systems")
		}
		switch mode := c.GetAccessMode().GetMode(); mode {
		case csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY,
			csi.VolumeCapability_AccessMode_MULTI_NODE_SINGLE_WRITER,
			csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER:
			return status.Errorf(codes.InvalidArgument, "only one node can use a volume, so %s is not possible", mode)
		}
	}
	return nil
}

func (d *driver) ListVolumes(_ context.Context, r *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	all, err := d.volumes.list()
	if err != nil {
		return nil, err
	}
	all, next, err := page(all, r.GetStartingToken(), r.GetMaxEntries())
	if err != nil {
		return nil, err
	}
	answer := &csi.ListVolumesResponse{NextToken: next}
	for _, v := range all {
		answer.Entries = append(answer.Entries, &csi.ListVolumesResponse_Entry{Volume: d.created(v, nil).GetVolume()})
	}
	return answer, nil
}

func (d *driver) GetCapacity(context.Context, *csi.GetCapacityRequest) (*csi.GetCapacityResponse, error) {
	free, err := d.free()
	return &csi.GetCapacityResponse{AvailableCapacity: free}, err
}

// free is what no volume has been promised.
func (d *driver) free() (int64, error) {
	all, err := d.volumes.list()
	free := int64(poolBytes)
	for _, v := range all {
		free -= v.Bytes
	}
	return max(free, 0), err
}
