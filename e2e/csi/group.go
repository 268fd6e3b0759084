package csi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (d *driver) GroupControllerGetCapabilities(context.Context,
	*csi.GroupControllerGetCapabilitiesRequest) (*csi.GroupControllerGetCapabilitiesResponse, error) {
	kind := csi.GroupControllerServiceCapability_RPC_CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT
	return &csi.GroupControllerGetCapabilitiesResponse{Capabilities: []*csi.GroupControllerServiceCapability{{
		Type: &csi.GroupControllerServiceCapability_Rpc{Rpc: &csi.GroupControllerServiceCapability_RPC{Type: kind}}}}}, nil
}

func (d *driver) CreateVolumeGroupSnapshot(ctx context.Context,
	r *csi.CreateVolumeGroupSnapshotRequest) (*csi.CreateVolumeGroupSnapshotResponse, error) {
	if r.GetName() == "" || len(r.GetSourceVolumeIds()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "name or source_volume_ids is missing")
	}
	outcome := r.GetParameters()[Outcome]
	if err := refuse(ctx, outcome); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	made, ids := newRecord(r.GetName()), slices.Sorted(slices.Values(r.GetSourceVolumeIds()))
	made.Source, made.Pending = strings.Join(ids, " "), outcome == OutcomePending
	old, err := d.groups.find(made.ID)
	switch {
	case err == nil && old.Source != made.Source:
		return nil, status.Errorf(codes.AlreadyExists, "group %s exists with other volumes", made.Name)
	case err == nil:
		made = old
	case status.Code(err) != codes.NotFound:
		return nil, err
	default:
		if err := d.makeGroup(made, ids); err != nil {
			return nil, err
		}
	}
	group, err := d.group(made)
	return &csi.CreateVolumeGroupSnapshotResponse{GroupSnapshot: group}, err
}

// makeGroup copies all volumes while nobody can write to any of them. The group exists once its record does.
func (d *driver) makeGroup(group record, volumes []string) error {
	members := make([]record, len(volumes))
	var dirs []string
	for i, id := range volumes {
		source, err := d.volumes.find(id)
		if err != nil {
			return err
		}
		mounted, err := d.mounted(id)
		if err != nil {
			return err
		}
		dirs = append(dirs, mounted...)
		members[i] = newRecord(group.Name + " " + id)
		members[i].Source, members[i].Group, members[i].Bytes = id, group.ID, source.Bytes
		members[i].Created, members[i].Pending = group.Created, group.Pending
	}
	err := frozen(dirs, func() error {
		for _, m := range members {
			err := d.snapshots.create(m, func(path string) error { return clone(d.volumes.image(m.Source), path) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, d.removeMembers(group.ID))
	}
	return d.groups.create(group, func(string) error { return nil })
}

func (d *driver) members(group string) ([]record, error) {
	all, err := d.snapshots.list()
	return slices.DeleteFunc(all, func(r record) bool { return r.Group != group }), err
}

func (d *driver) removeMembers(group string) error {
	members, err := d.members(group)
	for _, m := range members {
		err = errors.Join(err, d.snapshots.remove(m.ID))
	}
	return err
}

// group describes the group with its snapshots.
func (d *driver) group(r record) (*csi.VolumeGroupSnapshot, error) {
	members, err := d.members(r.ID)
	g := &csi.VolumeGroupSnapshot{GroupSnapshotId: r.ID, CreationTime: timestamppb.New(r.Created), ReadyToUse: !r.Pending}
	for _, m := range members {
		g.Snapshots = append(g.Snapshots, m.snapshot())
	}
	return g, err
}

func (d *driver) GetVolumeGroupSnapshot(_ context.Context,
	r *csi.GetVolumeGroupSnapshotRequest) (*csi.GetVolumeGroupSnapshotResponse, error) {
	if r.GetGroupSnapshotId() == "" {
		return nil, status.Error(codes.InvalidArgument, "group_snapshot_id is missing")
	}
	found, err := d.groups.find(r.GetGroupSnapshotId())
	if err != nil {
		return nil, err
	}
	group, err := d.group(found)
	return &csi.GetVolumeGroupSnapshotResponse{GroupSnapshot: group}, err
}

func (d *driver) DeleteVolumeGroupSnapshot(_ context.Context,
	r *csi.DeleteVolumeGroupSnapshotRequest) (*csi.DeleteVolumeGroupSnapshotResponse, error) {
	if r.GetGroupSnapshotId() == "" {
		return nil, status.Error(codes.InvalidArgument, "group_snapshot_id is missing")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.removeMembers(r.GetGroupSnapshotId()); err != nil {
		return nil, err
	}
	return &csi.DeleteVolumeGroupSnapshotResponse{}, d.groups.remove(r.GetGroupSnapshotId())
}
