package csi

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Outcome is the parameter of a VolumeSnapshotClass or VolumeGroupSnapshotClass that says how its snapshots end.
// Without it they succeed.
const (
	Outcome        = "outcome"
	OutcomeFail    = "fail"    // the driver refuses each attempt
	OutcomeStall   = "stall"   // the driver does not answer, so that the snapshot has no time of creation
	OutcomePending = "pending" // the snapshot has a time of creation but never becomes ready to use
)

func (d *driver) CreateSnapshot(ctx context.Context,
	r *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if r.GetName() == "" || r.GetSourceVolumeId() == "" {
		return nil, status.Error(codes.InvalidArgument, "name or source_volume_id is missing")
	}
	if err := refuse(ctx, r.GetParameters()[Outcome]); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	made := newRecord(r.GetName())
	made.Source, made.Pending = r.GetSourceVolumeId(), r.GetParameters()[Outcome] == OutcomePending
	old, err := d.snapshots.find(made.ID)
	if err == nil {
		if old.Source != made.Source {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %s exists with another source", made.Name)
		}
		return &csi.CreateSnapshotResponse{Snapshot: old.snapshot()}, nil
	}
	if status.Code(err) != codes.NotFound {
		return nil, err
	}
	source, err := d.volumes.find(made.Source)
	if err != nil {
		return nil, err
	}
	made.Bytes = source.Bytes
	err = d.snapshots.create(made, func(path string) error { return d.copy(d.volumes, source.ID, path) })
	return &csi.CreateSnapshotResponse{Snapshot: made.snapshot()}, err
}

// refuse does not let a snapshot come into being if its class does not want it to.
func refuse(ctx context.Context, outcome string) error {
	switch outcome {
	case OutcomeFail:
		return status.Error(codes.Internal, "the class of the snapshot wants it to fail")
	case OutcomeStall:
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	return nil
}

func (r record) snapshot() *csi.Snapshot {
	return &csi.Snapshot{SnapshotId: r.ID, SourceVolumeId: r.Source, SizeBytes: r.Bytes, GroupSnapshotId: r.Group,
		CreationTime: timestamppb.New(r.Created), ReadyToUse: !r.Pending}
}

func (d *driver) DeleteSnapshot(_ context.Context, r *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if r.GetSnapshotId() == "" {
		return nil, status.Error(codes.InvalidArgument, "snapshot_id is missing")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, err := d.snapshots.find(r.GetSnapshotId()); err == nil && old.Group != "" {
		return nil, status.Errorf(codes.InvalidArgument, "snapshot %s is only deleted with its group", old.Name)
	}
	return &csi.DeleteSnapshotResponse{}, d.snapshots.remove(r.GetSnapshotId())
}

func (d *driver) ListSnapshots(_ context.Context, r *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	all, err := d.snapshots.list()
	if err != nil {
		return nil, err
	}
	var wanted []record
	for _, s := range all {
		if (r.GetSnapshotId() == "" || s.ID == r.GetSnapshotId()) &&
			(r.GetSourceVolumeId() == "" || s.Source == r.GetSourceVolumeId()) {
			wanted = append(wanted, s)
		}
	}
	wanted, next, err := page(wanted, r.GetStartingToken(), r.GetMaxEntries())
	if err != nil {
		return nil, err
	}
	answer := &csi.ListSnapshotsResponse{NextToken: next}
	for _, s := range wanted {
		answer.Entries = append(answer.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: s.snapshot()})
	}
	return answer, nil
}
